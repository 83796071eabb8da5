// node shots.mjs ORIGIN FOLDER NAME[:HEIGHT]=PATH...: takes a picture of each page, small enough to be kept beside the code.
import { mkdirSync, statSync } from 'node:fs';
import { join } from 'node:path';
import { within } from './browser.mjs';

const [origin, folder, ...pages] = process.argv.slice(2);
const [WIDTH, HEIGHT, SCALE, BYTES_MAX] = [1000, 640, 0.8, 90 * 1024];

mkdirSync(folder, { recursive: true });
await within(origin, async (page, wrong) => {
  for (const each of pages) {
    const [picture, ...path] = each.split('=');
    const [name, height = HEIGHT] = picture.split(':');
    await page.setViewport({ width: WIDTH, height: Number(height), deviceScaleFactor: SCALE });
    await page.goto(origin + path.join('='));
    await page.waitForFunction(() => (document.getElementById('live')?.textContent ?? 'live') === 'live');
    const file = join(folder, `${name}.png`);
    await page.screenshot({ path: file });
    const { size } = statSync(file);
    if (size > BYTES_MAX) wrong.push(`${file} has ${size} bytes`);
  }
});
