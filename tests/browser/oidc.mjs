// node oidc.mjs ORIGIN PROVIDER: whom the identity provider at the origin PROVIDER knows logs in there, comes back to where
// they wanted to go, and goes on as themselves. The provider is another site, whose redirects bring no session along.
import { within } from './browser.mjs';

const [origin, provider] = process.argv.slice(2);

await within(origin, async (page, wrong) => {
  await page.goto(`${origin}/runs?state=dead`);
  if (!page.url().startsWith(`${origin}/login?next=`)) throw new Error(`not led to the login: ${page.url()}`);
  await page.click('main a[href^="/login/oidc"]');
  await page.waitForFunction((there) => location.href === there, {}, `${origin}/runs?state=dead`);
  const who = await page.$eval('header', (header) => header.textContent);
  if (!who.includes('oidc:ann@example.com')) wrong.push(`who is logged in is not told: ${who}`);
  await page.goto(`${origin}/events`);
  if (page.url() !== `${origin}/events`) wrong.push(`the session does not last: ${page.url()}`);
  await Promise.all([page.waitForNavigation(), page.click('header form button')]);
  await page.goto(`${origin}/events`);
  if (!page.url().startsWith(`${origin}/login`)) wrong.push(`not logged out: ${page.url()}`);
  // On the way it was at the provider, and nowhere else.
  wrong.splice(0, wrong.length, ...wrong.filter((told) => !told.includes(` asks for ${provider}/authorize?`)));
});
