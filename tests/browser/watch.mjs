// node watch.mjs ORIGIN: opens the overview, says "live", and when its input ends, how often the page was brought up to date
// and the longest that it was not.
import { within } from './browser.mjs';

const [origin] = process.argv.slice(2);

await within(origin, async (page) => {
  await page.goto(`${origin}/`);
  await page.waitForFunction(() => document.getElementById('live').textContent === 'live');
  await page.evaluate(() => {
    globalThis.moments = [performance.now()];
    const seen = () => globalThis.moments.push(performance.now());
    new MutationObserver(seen).observe(document.getElementById('main'), { childList: true });
  });
  console.log('live');
  process.stdin.resume();
  await new Promise((ended) => { process.stdin.on('end', ended); });
  const moments = await page.evaluate(() => [...globalThis.moments, performance.now()]);
  const gaps = moments.slice(1).map((moment, at) => moment - moments[at]);
  console.log(JSON.stringify({ updates: moments.length - 2, gap_max_ms: Math.round(Math.max(...gaps)) }));
});
