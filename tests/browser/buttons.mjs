// node buttons.mjs ORIGIN DUPLICATE: presses the buttons that change something: replays all that fit, keeps a search, holds and
// releases, rolls back, tests a channel, takes a duplicate in, and backfills; what is asked before is read.
import { within } from './browser.mjs';

const [origin, duplicate] = process.argv.slice(2);

async function until(page, selector, wanted, wrong) {
  const says = (selector, wanted) => document.querySelector(selector)?.textContent.includes(wanted);
  try {
    await page.waitForFunction(says, {}, selector, wanted);
  } catch (error) {
    const shown = await page.$$eval(selector, (all) => all.map((one) => one.textContent).join());
    throw new Error(`${page.url()} does not say ${wanted}, but ${shown}: ${wrong.join()}`, { cause: error });
  }
}

async function press(page, label) {
  const button = await page.waitForSelector(`xpath///main//button[normalize-space()='${label}']`, { visible: true });
  await button.click();
}

await within(origin, async (page, wrong) => {
  page.on('response', (answer) => {
    if (answer.status() >= 400) wrong.push(`${answer.url()} is answered with ${answer.status()}`);
  });
  const asked = [];
  page.on('dialog', (dialog) => {
    asked.push(dialog.message());
    dialog.accept();
  });
  const expect = (part) => {
    const message = asked.shift();
    if (!message?.includes(part)) wrong.push(`asked was ${message}, not ${part}`);
  };

  await page.goto(`${origin}/runs?error=no+object`);
  await press(page, 'Replay the dead letters that fit');
  await until(page, '#said', '3 runs: done.', wrong);
  expect('3 runs. Go on?');
  await page.click('#keep summary');
  await page.type('#keep input', 'no objects');
  await page.click('#keep button');
  await until(page, 'nav.searches', 'no objects', wrong);

  await page.goto(`${origin}/plugins/welcome`);
  await press(page, 'Hold welcome');
  await press(page, 'Release welcome');
  await until(page, '#said', 'Its runs go on.', wrong);
  expect('will wait until it is released');

  await page.goto(`${origin}/plugins/steps`);
  await press(page, 'Roll back to it');
  await page.waitForFunction(() => document.querySelector('#said p') !== null);
  expect('again?');

  await page.goto(`${origin}/alerts`);
  await press(page, 'Send a test');
  await until(page, '#said', 'The test was delivered.', wrong);

  await page.goto(`${origin}/suppressed/${duplicate}`);
  await Promise.all([page.waitForNavigation(), press(page, 'Take it in')]);
  expect('Its handlers will run');
  if (!page.url().startsWith(`${origin}/events/evt_`)) wrong.push(`what was taken in is at ${page.url()}`);

  await page.goto(`${origin}/schedules/ticker.tick`);
  await page.click('#backfill summary');
  // It fires each second since the host began.
  const ago = (seconds) => new Date(Date.now() - 1000 * seconds).toISOString();
  await page.type('#backfill input[name="from"]', ago(5));
  await page.type('#backfill input[name="to"]', ago(1));
  await press(page, 'Count, then run');
  await until(page, '#said', 'Done.', wrong);
  expect('slots. Go on?');
  if (asked.length > 0) wrong.push(`asked too much: ${asked}`);
});
