// node login.mjs ORIGIN VIEWER OPERATOR ADMIN: each token logs in by the page, does what its role may, is refused the
// rest, and logs out again. The pages that only an admin sees are accessible, too.
import { within } from './browser.mjs';
import { accessible } from './judge.mjs';

const [origin, viewer, operator, admin] = process.argv.slice(2);
const SCHEDULE = '/schedules/ticker.new-year';

async function logIn(page, token) {
  // It is led to the login, and from there to where it wanted to go.
  await page.goto(origin + SCHEDULE);
  if (!page.url().startsWith(`${origin}/login?next=`)) throw new Error(`not led to the login: ${page.url()}`);
  await page.type('input[name=token]', token);
  await Promise.all([page.waitForNavigation(), page.click('main button[type=submit]')]);
  if (page.url() !== origin + SCHEDULE) throw new Error(`not led back: ${page.url()}`);
}

async function logOut(page) {
  await Promise.all([page.waitForNavigation(), page.click('header form button')]);
  if (page.url() !== `${origin}/login`) throw new Error(`not logged out: ${page.url()}`);
}

// What the page says to a press of the button that runs the schedule.
async function runNow(page) {
  page.once('dialog', (dialog) => dialog.accept());
  await page.click(`button[data-send="/api/v1${SCHEDULE}/run"]`);
  await page.waitForFunction(() => document.getElementById('said').textContent !== '' || location.pathname.startsWith('/runs/'));
  return page.evaluate(() => document.getElementById('said').textContent);
}

// What the host says to one who asks without a button.
function forced(page) {
  return page.evaluate(async (path) => {
    const answer = await fetch(path, { method: 'POST', headers: { 'content-type': 'application/json' }, body: '{}' });
    return answer.text();
  }, `/api/v1${SCHEDULE}/run`);
}

async function judge(page, wrong) {
  await page.setBypassCSP(true);
  for (const path of ['/audit', '/tokens', '/login']) {
    await page.goto(origin + path);
    await accessible(page, path, wrong);
  }
}

await within(origin, async (page, wrong) => {
  const expect = (good, what) => { if (!good) wrong.push(what); };
  const nav = () => page.$eval('nav', (all) => all.textContent);

  await logIn(page, viewer);
  const offered = await page.$$eval('main button', (all) => all.map((button) => button.textContent));
  expect(offered.length === 0, `a viewer is offered what it may not do: ${offered}`);
  const refused = await forced(page);
  expect(refused.includes('this needs the role operator'), `a viewer ran a schedule: ${refused}`);
  expect(!(await nav()).includes('Audit'), 'a viewer is shown what it may not see');
  // A browser tells of answers that refuse, as it should.
  wrong.splice(0, wrong.length, ...wrong.filter((told) => !told.includes('403')));
  await logOut(page);

  await logIn(page, operator);
  const done = await runNow(page);
  expect(!done.includes('needs the role'), `an operator is refused: ${done}`);
  const audit = await page.goto(`${origin}/audit`);
  expect(audit.status() === 403, `an operator reads the audit log: ${audit.status()}`);
  wrong.splice(0, wrong.length, ...wrong.filter((told) => !told.includes('403')));
  await logOut(page);

  await logIn(page, admin);
  await page.goto(`${origin}/audit`);
  const log = await page.$eval('main', (main) => main.textContent);
  for (const told of ['my-operator', 'run schedule', 'forbidden', 'log in']) expect(log.includes(told), `the log has no ${told}`);
  await page.goto(`${origin}/tokens`);
  await page.type('input[name=name]', 'made-here');
  await Promise.all([page.waitForNavigation(), page.click('main form.filter button')]);
  // It is told once, and stays while the page is brought up to date.
  await page.evaluate(() => refresh(true));
  const token = await page.$eval('#token', (code) => code.textContent);
  expect(token.startsWith('hbx_'), `no token: ${token}`);
  await page.goto(`${origin}/tokens`);
  await Promise.all([page.waitForNavigation(), page.click('button[aria-label="Revoke made-here"]')]);
  expect(!(await page.$eval('table', (table) => table.textContent)).includes('made-here'), 'it is not revoked');
  await judge(page, wrong);
});
