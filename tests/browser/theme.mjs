// node theme.mjs ORIGIN: pages are light or dark as the system is, or as somebody chose, who finds it so again.
import { within } from './browser.mjs';

const [origin] = process.argv.slice(2);

await within(origin, async (page, wrong) => {
  const ground = () => page.evaluate(() => getComputedStyle(document.body).backgroundColor);
  const under = async (scheme) => {
    await page.emulateMediaFeatures([{ name: 'prefers-color-scheme', value: scheme }]);
    await page.goto(`${origin}/runs`);
    return ground();
  };
  const [light, dark] = [await under('light'), await under('dark')];
  const expect = (got, expected, what) => { if (got !== expected) wrong.push(`${what}: ${got}, not ${expected}`); };
  if (light === dark) wrong.push(`light is as dark: ${light}`);
  await page.select('#theme', 'light');
  expect(await ground(), light, 'light was chosen in a dark system');
  expect(await under('dark'), light, 'another page of who chose light');
  await page.select('#theme', 'dark');
  expect(await under('light'), dark, 'dark was chosen in a light system');
  expect(await page.$eval('#theme', (choice) => choice.value), 'dark', 'the choice that is shown');
  await page.select('#theme', 'system');
  expect(await under('light'), light, 'as the system');
  expect(await under('dark'), dark, 'as the system');
});
