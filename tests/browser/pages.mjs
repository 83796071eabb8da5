// node pages.mjs ORIGIN [STATUS=]PATH...: each page is accessible in light and dark, by keyboard and on a phone, and reads
// without a script. With a TOKEN in the environment it logs in first, and looks at what pages answer to forms, too.
import { DESK, accessible, narrow, reachable } from './judge.mjs';
import { within } from './browser.mjs';

const [origin, ...given] = process.argv.slice(2);
const token = process.env.TOKEN;
const pages = given.map((each) => {
  const [, status, path] = /^(?:(\d{3})=)?(.*)$/.exec(each);
  return { path, status: Number(status ?? 200) };
});

// A browser tells of answers that refuse, as it should.
function forgive(wrong, status) {
  wrong.splice(0, wrong.length, ...wrong.filter((told) => !told.includes(`a status of ${status} `)));
}

async function load(page, { path, status }, wrong) {
  const answer = await page.goto(origin + path);
  const type = answer.headers()['content-type'];
  if (answer.status() !== status) wrong.push(`${path} is answered with ${answer.status()}, not ${status}`);
  if (!type?.startsWith('text/html')) wrong.push(`${path} is ${type}`);
  if (status !== 200) forgive(wrong, status);
}

// What is folded is looked at, too; a page with something open is not brought up to date.
async function judge(page, what, wrong) {
  await page.$$eval('details', (all) => all.forEach((one) => { one.open = true; }));
  await accessible(page, what, wrong);
  await narrow(page, what, wrong);
  await reachable(page, what, wrong);
}

async function answered(page, selector) {
  await Promise.all([page.waitForNavigation(), page.click(selector)]);
}

// What forms are answered: here with what is wrong, there with what is shown once.
async function logIn(page, wrong) {
  await page.goto(`${origin}/runs`);
  if (!page.url().startsWith(`${origin}/login?next=`)) wrong.push(`not led to the login: ${page.url()}`);
  await judge(page, '/login', wrong);
  await page.type('input[name=token]', 'hbx_nobody');
  await answered(page, 'main button[type=submit]');
  await page.waitForSelector('main [role=alert]');
  forgive(wrong, 401);
  await judge(page, '/login with a wrong token', wrong);
  await page.type('input[name=token]', token);
  await answered(page, 'main button[type=submit]');
  await page.waitForSelector('header form button');
}

async function askForms(page, wrong) {
  await page.goto(`${origin}/tokens`);
  await page.type('main input[name=name]', 'made-here');
  await answered(page, 'main form.filter button');
  await page.waitForSelector('#token');
  await judge(page, '/tokens with a new one', wrong);
  await page.type('main input[name=name]', 'made-here');
  await answered(page, 'main form.filter button');
  await page.waitForSelector('main [role=alert]');
  forgive(wrong, 409);
  await judge(page, '/tokens with a name that is taken', wrong);

  await page.goto(`${origin}/plugins`);
  // What is said would go away while it is looked at.
  await page.evaluate(() => {
    const soon = globalThis.setTimeout;
    globalThis.setTimeout = (call, after, ...given) => (after > 5000 ? 0 : soon(call, after, ...given));
  });
  const file = await page.waitForSelector('input[name=file]');
  // No component, and the only file that is certainly there.
  await file.uploadFile(new URL(import.meta.url).pathname);
  await page.type('main form[data-upload] input[name=name]', 'broken');
  await page.click('main form[data-upload] button[type=submit]');
  await page.waitForFunction(() => document.querySelectorAll('#said p').length > 1);
  forgive(wrong, 422);
  await judge(page, '/plugins with an upload that is refused', wrong);
}

await within(origin, async (page, wrong) => {
  // As they come, under their own policy.
  if (token === undefined) {
    for (const each of pages) {
      await load(page, each, wrong);
      await page.waitForFunction(() => (document.getElementById('live')?.textContent ?? 'live') === 'live');
    }
  }

  // The policy would not let the judge in either.
  await page.setBypassCSP(true);
  await page.setViewport(DESK);
  if (token !== undefined) await logIn(page, wrong);
  for (const each of pages) {
    await load(page, each, wrong);
    await judge(page, each.path, wrong);
  }
  if (token !== undefined) await askForms(page, wrong);

  await page.setJavaScriptEnabled(false);
  for (const each of pages) {
    await load(page, each, wrong);
    const shown = await page.$eval('h1', (heading) => heading.textContent.trim());
    if (shown === '') wrong.push(`${each.path} has no heading without a script`);
    const buttons = await page.$$eval('button[data-send], button[data-bulk]', (all) => all.filter((one) => one.checkVisibility()).length);
    if (buttons > 0) wrong.push(`${each.path} shows ${buttons} buttons that do nothing without a script`);
  }
});
