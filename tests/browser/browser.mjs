// A headless Chromium whose pages may load from one origin only, and that remembers what went wrong in them.
import puppeteer from 'puppeteer-core';

const CHROMIUM = process.env.CHROMIUM ?? '/usr/bin/chromium';
// In a container there is no user namespace for its own sandbox, and little shared memory.
const ARGUMENTS = ['--no-sandbox', '--disable-dev-shm-usage', '--disable-gpu'];

export async function open(origin) {
  const browser = await puppeteer.launch({ executablePath: CHROMIUM, args: ARGUMENTS });
  const page = await browser.newPage();
  page.setDefaultTimeout(60_000);
  const wrong = [];
  page.on('pageerror', (error) => wrong.push(`${page.url()}: ${error.message}`));
  page.on('console', (said) => {
    if (['error', 'warn'].includes(said.type())) wrong.push(`${page.url()}: ${said.text()}`);
  });
  page.on('request', (request) => {
    const url = new URL(request.url());
    if (url.origin !== origin && url.protocol !== 'data:') wrong.push(`${page.url()} asks for ${url}`);
  });
  return { browser, page, wrong };
}

// Runs a script before the browser, and fails with all that went wrong.
export async function within(origin, script) {
  const { browser, page, wrong } = await open(origin);
  try {
    await script(page, wrong);
  } finally {
    await browser.close();
  }
  if (wrong.length > 0) throw new Error(`${wrong.length} things went wrong:\n${wrong.join('\n')}`);
}
