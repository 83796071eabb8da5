// node steer.mjs ORIGIN TOKEN COMPONENT: makes a schedule and sees what it means while it is typed, pauses it, and uploads a
// plugin that then serves.
import { within } from './browser.mjs';

const [origin, token, component] = process.argv.slice(2);

const until = (page, selector, wanted) => page.waitForFunction(
  (selector, wanted) => document.querySelector(selector)?.textContent.includes(wanted), {}, selector, wanted,
);

async function press(page, label) {
  const button = await page.waitForSelector(`xpath///main//button[normalize-space()='${label}']`, { visible: true });
  await button.click();
}

await within(origin, async (page, wrong) => {
  await page.setExtraHTTPHeaders({ authorization: `Bearer ${token}` });
  page.on('dialog', (dialog) => dialog.accept());

  await page.goto(`${origin}/schedules`);
  await Promise.all([page.waitForNavigation(), page.click('a[href="/new-schedule"]')]);
  await page.type('input[name="name"]', 'workdays');
  await page.type('input[name="target"]', 'ticker/tick');
  await page.select('select[name="kind"]', 'weekly');
  await page.type('input[name="when"]', 'MON 0');
  await until(page, '#preview', 'must be');
  if (await page.$('#preview button')) wrong.push('a schedule with a mistake can be saved');
  await page.type('input[name="when"]', '9:30');
  await until(page, '#preview', '09:30');
  const slots = await page.$$('#preview ol li');
  if (slots.length !== 10) wrong.push(`the preview has ${slots.length} slots`);
  // What is typed is not yet what would be saved.
  const type = (name, text) => page.evaluate((name, text) => {
    const field = document.querySelector(`[name="${name}"]`);
    field.value = text;
    field.dispatchEvent(new Event('input', { bubbles: true }));
    return document.querySelector('#preview button')?.disabled;
  }, name, text);
  if (await type('when', 'MON 10:30') !== true) wrong.push('what was typed before can still be saved');
  await until(page, '#preview', '10:30');
  // Longer than an address may be.
  await type('payload', JSON.stringify('x'.repeat(80_000)));
  await until(page, '#said', 'nothing can be saved here');
  if (await page.$('#preview button')) wrong.push('what has no preview can be saved');
  wrong.splice(0, wrong.length, ...wrong.filter((told) => !told.includes('the server responded with a status of 414')));
  await type('payload', '');
  await until(page, '#preview', '10:30');
  await Promise.all([page.waitForNavigation(), press(page, 'Save')]);
  await until(page, 'h1', 'Schedule workdays');
  await press(page, 'Pause');
  await until(page, 'h1', 'paused');

  await page.goto(`${origin}/plugins`);
  const file = await page.waitForSelector('input[name="file"]');
  await file.uploadFile(component);
  await Promise.all([page.waitForNavigation(), press(page, 'Upload')]);
  await until(page, 'h1', 'Plugin steps');
  await until(page, 'h1', 'active');
});
