// What is asked of a page as it is shown: accessible in light and dark, narrow enough for a phone, and all of it within
// reach of the keyboard, with a ring around what has the focus.
import { readFileSync } from 'node:fs';
import { createRequire } from 'node:module';

const axe = readFileSync(createRequire(import.meta.url).resolve('axe-core/axe.min.js'), 'utf8');
const SERIOUS = ['serious', 'critical'];
export const DESK = { width: 1200, height: 800 };
const PHONE = { width: 390, height: 800 };
// Of a list with many rows so much is walked.
const TABS_MAX = 400;

export async function accessible(page, what, wrong) {
  await page.evaluate(axe);
  const grounds = new Set();
  for (const scheme of ['light', 'dark']) {
    await page.emulateMediaFeatures([{ name: 'prefers-color-scheme', value: scheme }]);
    grounds.add(await page.evaluate(() => getComputedStyle(document.body).backgroundColor));
    for (const { impact, id, nodes } of (await page.evaluate(() => globalThis.axe.run())).violations) {
      if (SERIOUS.includes(impact)) wrong.push(`${what} in ${scheme}: ${impact} ${id}: ${nodes[0].html}`);
    }
  }
  if (grounds.size === 1) wrong.push(`${what} is as bright in dark as in light`);
}

export async function narrow(page, what, wrong) {
  await page.setViewport(PHONE);
  const width = await page.evaluate(() => document.documentElement.scrollWidth);
  if (width > PHONE.width) wrong.push(`${what} is ${width} wide on a phone of ${PHONE.width}`);
  await page.setViewport(DESK);
}

// The last thing to do with a page: it is not brought up to date any more.
export async function reachable(page, what, wrong) {
  await page.evaluate(() => Object.defineProperty(document, 'hidden', { get: () => true }));
  // What it asked for before comes still; the stream of news stays open.
  await page.waitForNetworkIdle({ idleTime: 100, concurrency: 1 });
  const count = await page.evaluate(() => {
    const shown = (one) => one.checkVisibility({ visibilityProperty: true }) && !one.disabled && one.type !== 'radio';
    const all = document.querySelectorAll('a[href], button, input, select, textarea, summary, [tabindex="0"]');
    globalThis.unreached = new Set([...all].filter(shown));
    return globalThis.unreached.size;
  });
  const ringless = new Set();
  // The focus may begin in the middle, and a field of a date takes several.
  let left = count;
  for (let tab = 0; tab < Math.min(2 * count + 40, TABS_MAX) && left > 0; tab += 1) {
    await page.keyboard.press('Tab');
    const step = await page.evaluate(() => {
      const active = document.activeElement;
      const { outlineStyle, boxShadow } = getComputedStyle(active);
      const ringless = globalThis.unreached.delete(active) && outlineStyle === 'none' && boxShadow === 'none';
      return { left: globalThis.unreached.size, ringless: ringless && active.outerHTML };
    });
    left = step.left;
    if (step.ringless) ringless.add(step.ringless);
  }
  for (const one of ringless) wrong.push(`${what} shows no ring around what has the focus: ${one}`);
  if (left > 0 && count < TABS_MAX / 2) {
    const first = await page.evaluate(() => [...globalThis.unreached][0].outerHTML);
    wrong.push(`${what} has ${left} things that the keyboard does not reach: ${first}`);
  }
}
