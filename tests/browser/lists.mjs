// node lists.mjs ORIGIN RUN: sorts the list of runs by a heading, chooses its columns, and copies an id.
import { within } from './browser.mjs';

const [origin, run] = process.argv.slice(2);
const follow = (page, selector) => Promise.all([page.waitForNavigation(), page.click(selector)]);

await within(origin, async (page, wrong) => {
  await page.goto(`${origin}/runs`);
  await follow(page, 'th a[href*="sort=handler"]');
  const sorted = () => page.$eval('th[aria-sort]', (head) => [head.textContent.trim().split(' ')[0], head.ariaSort].join());
  if (await sorted() !== 'Handler,ascending') wrong.push(`sorted by ${await sorted()}`);
  await follow(page, 'th[aria-sort] a');
  if (await sorted() !== 'Handler,descending') wrong.push(`sorted by ${await sorted()}`);

  await page.click('#columns summary');
  await page.click('input[name="columns"][value="source"]');
  await follow(page, '#columns button[type="submit"]');
  const heads = await page.$$eval('th', (all) => all.map((head) => head.textContent.trim()));
  if (!heads.includes('From')) wrong.push(`the column that was chosen is not there: ${heads}`);
  if (await sorted() !== 'Handler,descending') wrong.push('the order is lost with the columns');

  await page.browserContext().overridePermissions(origin, ['clipboard-read', 'clipboard-write', 'clipboard-sanitized-write']);
  await page.goto(`${origin}/runs/${run}`);
  await page.click('button[data-copy]');
  await page.waitForFunction((run) => document.getElementById('said').textContent.includes(`Copied: ${run}`), {}, run);
});
