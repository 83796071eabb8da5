// node pages.mjs ORIGIN PATH...: each page is accessible in light and dark, fits a phone, and reads without a script.
import { readFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import { within } from './browser.mjs';

const [origin, ...paths] = process.argv.slice(2);
const axe = readFileSync(createRequire(import.meta.url).resolve('axe-core/axe.min.js'), 'utf8');
const SERIOUS = ['serious', 'critical'];
const [DESK, PHONE] = [{ width: 1200, height: 800 }, { width: 390, height: 800 }];

await within(origin, async (page, wrong) => {
  // As it comes, under its own policy.
  for (const path of paths) {
    await page.goto(origin + path);
    await page.waitForFunction(() => document.getElementById('live').textContent === 'live');
  }

  // The policy would not let the judge in either.
  await page.setBypassCSP(true);
  for (const path of paths) {
    await page.setViewport(DESK);
    for (const scheme of ['light', 'dark']) {
      await page.emulateMediaFeatures([{ name: 'prefers-color-scheme', value: scheme }]);
      await page.goto(origin + path);
      await page.evaluate(axe);
      for (const { impact, id, nodes } of (await page.evaluate(() => globalThis.axe.run())).violations) {
        if (SERIOUS.includes(impact)) wrong.push(`${path} in ${scheme}: ${impact} ${id}: ${nodes[0].html}`);
      }
    }
    await page.setViewport(PHONE);
    const width = await page.evaluate(() => document.documentElement.scrollWidth);
    if (width > PHONE.width) wrong.push(`${path} is ${width} wide on a phone of ${PHONE.width}`);
  }

  await page.setJavaScriptEnabled(false);
  for (const path of paths) {
    await page.goto(origin + path);
    const shown = await page.$eval('h1', (heading) => heading.textContent.trim());
    if (shown === '') wrong.push(`${path} has no heading without a script`);
    const buttons = await page.$$eval('button[data-send], button[data-bulk]', (all) => all.filter((one) => one.checkVisibility()).length);
    if (buttons > 0) wrong.push(`${path} shows ${buttons} buttons that do nothing without a script`);
  }
});
