// node operate.mjs ORIGIN NEEDLE PAYLOAD: finds the failed run whose error says NEEDLE, reads its log, mends its payload, replays
// it and sees it at work and succeed; then pauses a schedule and lets it go on. Nothing is reloaded by hand.
import { within } from './browser.mjs';

const [origin, needle, payload] = process.argv.slice(2);

const text = (page, selector) => page.$eval(selector, (one) => one.textContent);
const until = (page, selector, wanted) => page.waitForFunction(
  (selector, wanted) => document.querySelector(selector)?.textContent.includes(wanted), {}, selector, wanted,
);

async function press(page, label) {
  const button = await page.waitForSelector(`xpath///main//button[normalize-space()='${label}']`, { visible: true });
  await button.click();
}

await within(origin, async (page, wrong) => {
  page.on('dialog', (dialog) => dialog.accept());
  await page.goto(`${origin}/`);
  // The schedule fires each second, and nobody loads the page anew; whoever goes by the keyboard stays where they are.
  const place = 'main a.card[href="/schedules"]';
  await page.focus(place);
  const shown = await text(page, 'main');
  await page.waitForFunction((shown) => document.querySelector('main').textContent !== shown, {}, shown);
  if (!(await page.$eval(place, (one) => one === document.activeElement))) wrong.push('the focus is lost when the page is brought up to date');
  await page.click('nav a[href="/runs"]');
  await page.waitForSelector('form.filter');
  await page.select('select[name="state"]', 'dead');
  await page.type('input[name="error"]', needle);
  await Promise.all([page.waitForNavigation(), page.click('form.filter button[type="submit"]')]);
  const found = await page.$$('tbody tr');
  if (found.length !== 1) wrong.push(`${found.length} runs say ${needle}`);

  await Promise.all([page.waitForNavigation(), page.click('tbody a.id')]);
  if (!(await text(page, 'main')).includes(needle)) wrong.push('the run does not say why it failed');
  const log = await text(page, 'ol.log');
  for (const part of ['info an order of "Ada"', 'warn its total is "12 pounds"']) {
    if (!log.includes(part)) wrong.push(`its log does not say ${part}: ${log}`);
  }
  await page.click('#edit summary');
  await page.$eval('#edit textarea', (area, payload) => { area.value = payload; }, payload);
  await Promise.all([page.waitForNavigation(), press(page, 'Replay with this payload')]);
  // It takes a moment, and what it logs meanwhile is seen.
  await page.evaluate(() => { globalThis.loaded = 'once'; });
  await until(page, '[data-under-way]', 'an order of "Ada"');
  await until(page, 'h1', 'succeeded');
  if (await page.evaluate(() => globalThis.loaded) !== 'once') wrong.push('the page was loaded anew');
  const replay = await text(page, 'main');
  for (const part of ['Replay of', 'an order of "Ada"', '"paid": 1200']) {
    if (!replay.includes(part)) wrong.push(`the replay does not show ${part}`);
  }

  // What nobody edits stays as it is, to the end of each line.
  const lines = '\r\n{"data": {"customer": "Ada",\r\n "total": 1200}}';
  const call = (path, body) => page.evaluate(async (path, body) => {
    const method = body ? 'POST' : 'GET';
    return (await fetch(path, { method, headers: { 'content-type': 'application/json' }, body: body && JSON.stringify(body) })).json();
  }, `/api/v1/${path}`, body);
  const id = page.url().split('/').pop();
  const made = await call(`runs/${id}/replay`, { content_type: 'application/json', text: lines });
  await page.goto(`${origin}/runs/${made.id}`);
  await until(page, 'h1', 'succeeded');
  await page.click('#edit summary');
  await Promise.all([page.waitForNavigation(), press(page, 'Replay with this payload')]);
  const { event } = await call(`runs/${page.url().split('/').pop()}`);
  const { data } = await call(`events/${event}`);
  if (data !== lines) wrong.push(`the payload is ${JSON.stringify(data)}`);

  await page.click('nav a[href="/schedules"]');
  await page.waitForSelector('tbody a');
  await Promise.all([page.waitForNavigation(), page.click('tbody a')]);
  await press(page, 'Pause');
  await until(page, 'h1', 'paused');
  await press(page, 'Resume');
  await until(page, 'h1', 'active');
});
