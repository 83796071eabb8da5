// Pages read without this. It brings them up to date when the host says that something has changed, and does what the
// buttons say through the API.
'use strict';

const live = document.getElementById('live');
const said = document.getElementById('said');

function say(text) {
  const line = document.createElement('p');
  line.textContent = text;
  said.append(line);
  setTimeout(() => line.remove(), 8000);
}

// Somebody who types, chooses or has something open is not disturbed, and what is told only once stays.
function isBusy() {
  const main = document.getElementById('main');
  const active = document.activeElement;
  const types = active && main.contains(active) && /^(INPUT|SELECT|TEXTAREA)$/.test(active.tagName);
  const open = main.querySelector('details[open].edit, form[data-preview], [data-once]') !== null;
  const filled = [...main.querySelectorAll('input, select, textarea')].some(isFilled);
  return types || open || filled || !getSelection().isCollapsed;
}

// Whether somebody has changed a field: it would be lost.
function isFilled(field) {
  if (field.type === 'checkbox' || field.type === 'radio') return field.checked !== field.defaultChecked;
  if (field.type === 'file') return field.files.length > 0;
  if (field.tagName !== 'SELECT') return field.type !== 'hidden' && field.value !== field.defaultValue;
  const first = [...field.options].findIndex((option) => option.defaultSelected);
  return field.selectedIndex !== Math.max(first, 0);
}

let asking = false;
let stale = false;
// A page that takes long is asked for less often, but for whoever has pressed something: for a fiftieth of the time at most,
// and each ten seconds at least.
const REST = 50;
const REST_MAX = 10_000;
let restsUntil = 0;

// What the focus can be on, and by what it is known on a page that was made anew.
const FOCUSABLE = 'a[href], button, summary, input, select, textarea, [tabindex]';
const known = (one) => {
  const names = [one.id, one.name, one.getAttribute('href'), one.dataset.send, one.ariaLabel].filter(Boolean);
  return [one.tagName, ...(names.length > 0 ? names : [one.textContent])].join(' ');
};
const alike = (main, wanted) => [...main.querySelectorAll(FOCUSABLE)].filter((one) => known(one) === wanted);

// Where the focus is, to be put there again: whoever goes by the keyboard must not begin at the top each time.
function focusIn(main) {
  const active = document.activeElement;
  if (active === main || !main.contains(active)) return () => {};
  const wanted = known(active);
  const at = alike(main, wanted).indexOf(active);
  return () => (alike(main, wanted)[at] ?? main).focus({ preventScroll: true });
}

// The page as it is now, in place of what is shown; what was unfolded stays so.
async function refresh(atOnce = false) {
  const began = performance.now();
  if (asking || document.hidden || (began < restsUntil && !atOnce) || isBusy()) {
    stale = true;
    if (atOnce) restsUntil = 0;
    return;
  }
  asking = true;
  stale = false;
  restsUntil = 0;
  try {
    // Nobody is there for it: it keeps no session from its end.
    const headers = { accept: 'text/html', 'hookbox-refresh': '1' };
    const answer = await fetch(location.href, { headers });
    const page = new DOMParser().parseFromString(await answer.text(), 'text/html');
    const fresh = page.getElementById('main');
    const shown = document.getElementById('main');
    if (answer.ok && fresh && fresh.innerHTML !== shown.innerHTML && !isBusy()) {
      const open = new Set([...shown.querySelectorAll('details[open]')].map((each) => each.id));
      const focus = focusIn(shown);
      for (const each of fresh.querySelectorAll('details')) each.open ||= open.has(each.id);
      shown.replaceChildren(...fresh.childNodes);
      focus();
    }
    restsUntil = began + Math.min(REST * (performance.now() - began), REST_MAX);
  } catch {
    stale = true;
  } finally {
    asking = false;
  }
}

let source = null;

function listen() {
  source?.close();
  source = new EventSource('/live');
  source.addEventListener('open', () => { live.textContent = 'live'; });
  source.addEventListener('error', () => { live.textContent = 'not connected: what is shown may be old'; });
  source.addEventListener('changed', () => refresh());
}

// A page that was left may be kept by the browser, and would keep its connection, of which there are few.
addEventListener('pagehide', () => source?.close());
addEventListener('pageshow', listen);
// What an attempt writes while it is under way is counted nowhere.
setInterval(() => { if (stale || document.querySelector('[data-under-way]')) refresh(); }, 2000);
document.addEventListener('visibilitychange', () => { if (!document.hidden && stale) refresh(); });

function call(method, path, body, headers) {
  const json = { 'content-type': 'application/json', ...headers };
  return send(method, path, json, body === undefined ? '{}' : JSON.stringify(body));
}

// An edit is of what was seen: of this, or of nothing.
const over = (tag) => tag === undefined ? {} : tag ? { 'if-match': tag } : { 'if-none-match': '*' };

async function send(method, path, headers, body) {
  const answer = await fetch(path, { method, headers, body });
  const text = await answer.text();
  const told = text === '' ? {} : JSON.parse(text);
  if (!answer.ok) throw new Error([told.title, told.detail].filter(Boolean).join(': ') || `status ${answer.status}`);
  return told;
}

// The same request again from where the one before ended; first only counted, then asked. Runs that are made while somebody
// reads the question are not meant.
async function bulk(button) {
  const body = { filter: JSON.parse(button.dataset.filter) };
  const sweep = async (more, from) => {
    let [runs, began, cursor] = [0, null, from];
    do {
      const part = call('POST', button.dataset.bulk, { ...body, ...more, ...(cursor && { cursor }) });
      const told = await part.catch((error) => {
        throw more.dry_run || runs === 0 ? error : new Error(`${runs} runs are done, and then: ${error.message}`);
      });
      runs += more.dry_run ? told.matched - told.left_out : told.done;
      began ??= told.cursor;
      cursor = told.next;
    } while (cursor);
    return { runs, began };
  };
  const { runs, began } = await sweep({ dry_run: true }, null);
  if (runs === 0) return say('No run fits.');
  if (!confirm(`${button.textContent.trim()}: ${runs} runs. Go on?`)) return;
  const done = await sweep({ all: true }, began);
  say(`${done.runs} runs: done.`);
}

// True where it leads to another page.
async function act(button) {
  const { send, method = 'POST', ask, body, goto, to, done } = button.dataset;
  if (ask && !confirm(ask)) return false;
  const told = await call(method, send, body && JSON.parse(body), over(button.dataset.over));
  const place = goto && told.id ? goto + told.id : to;
  if (place) location.assign(place);
  else say(done || 'Done.');
  return place !== undefined;
}

// Browsers let a page copy only where nobody on the way could have changed it.
async function copy(button) {
  const { copy: text } = button.dataset;
  try {
    await navigator.clipboard.writeText(text);
    say(`Copied: ${text}`);
  } catch {
    getSelection().selectAllChildren(button.previousElementSibling);
    say('This browser lets no page copy here: the text is selected, copy it by the keyboard.');
  }
}

document.addEventListener('click', (event) => {
  const button = event.target.closest('button[data-copy]');
  if (button) copy(button);
});

document.addEventListener('click', async (event) => {
  const button = event.target.closest('button[data-send], button[data-bulk]');
  if (!button) return;
  button.disabled = true;
  let leaves = false;
  try {
    leaves = button.dataset.bulk ? await bulk(button) : await act(button);
  } catch (error) {
    say(error.message);
  } finally {
    button.disabled = false;
    if (!leaves) refresh(true);
  }
});

// A form whose fields are the members of the body. A browser gives each line of a text another end than it may have had.
async function submitted(form) {
  const body = Object.fromEntries([...new FormData(form)].filter(([, value]) => value !== ''));
  for (const { name } of form.querySelectorAll('[data-crlf]')) body[name] = body[name]?.replace(/\r?\n/g, '\r\n');
  if (body.text === undefined) delete body.content_type;
  const { send: path, goto, count } = form.dataset;
  if (count) {
    const told = await call('POST', path, { ...body, dry_run: true });
    if (told[count] === 0) return say('There is nothing to do.');
    if (!confirm(`${told[count]} ${count}. Go on?`)) return;
  }
  const told = await call('POST', path, body);
  const made = told.id ?? told.run;
  if (goto && made) location.assign(goto + made);
  else say('Done.');
}

// A search gets a name.
async function kept(form) {
  const name = form.elements.name.value.trim();
  const there = [...document.querySelectorAll('nav.searches a')].find((search) => search.textContent === name);
  if (there && !confirm(`There is a search ${name}. Replace it?`)) return;
  await call('PUT', `/api/v1/searches/${encodeURIComponent(name)}`, { query: form.dataset.keep }, over(there?.dataset.over ?? ''));
  form.closest('details').open = false;
  form.reset();
  form.querySelector('input').blur();
  say(`The search ${name} is kept.`);
  refresh(true);
}

// A component, and its signature where it has one. The host answers when it serves, or says why it does not.
async function uploaded(form) {
  const [file, signature] = [form.elements.file.files[0], form.elements.signature.files[0]];
  const name = form.elements.name.value.trim() || file.name.replace(/\.wasm$/, '');
  const headers = { 'content-type': 'application/wasm' };
  if (signature) headers['hookbox-signature'] = btoa(await signature.text());
  say(`${name}: the host takes it in.`);
  await send('POST', `/api/v1/plugins?name=${encodeURIComponent(name)}`, headers, file);
  location.assign(`/plugins/${encodeURIComponent(name)}`);
}

const DO = { send: submitted, keep: kept, upload: uploaded };

document.addEventListener('submit', async (event) => {
  const form = event.target;
  const what = Object.keys(DO).find((name) => form.dataset[name] !== undefined);
  if (!what) return;
  event.preventDefault();
  const button = form.querySelector('button[type="submit"]');
  button.disabled = true;
  try {
    await DO[what](form);
  } catch (error) {
    say(error.message);
  } finally {
    button.disabled = false;
  }
});

// A form that says what it means while somebody types: the host makes the page anew, and of it the preview is taken.
let typed = null;
let asked = 0;

async function preview(form) {
  const number = asked += 1;
  const fields = new URLSearchParams([...new FormData(form)].filter(([, value]) => value !== ''));
  let [fresh, why] = [null, ''];
  try {
    const answer = await fetch(`${form.getAttribute('action')}?${fields}`, { headers: { accept: 'text/html' } });
    const page = new DOMParser().parseFromString(await answer.text(), 'text/html');
    fresh = answer.ok ? page.getElementById(form.dataset.preview) : null;
    why = `the host answers with ${answer.status}`;
  } catch (error) {
    why = error.message;
  }
  if (number !== asked) return;
  document.getElementById(form.dataset.preview).replaceChildren(...(fresh?.childNodes ?? []));
  if (!fresh) say(`No preview, so that nothing can be saved here: ${why}. What is too long for a page goes by the command line.`);
}

document.addEventListener('input', (event) => {
  const form = event.target.closest('form[data-preview]');
  if (!form) return;
  // They would save what was typed before.
  for (const button of document.getElementById(form.dataset.preview).querySelectorAll('button')) button.disabled = true;
  clearTimeout(typed);
  typed = setTimeout(preview, 200, form);
});
