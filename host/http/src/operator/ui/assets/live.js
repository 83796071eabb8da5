// Pages read without this. It brings them up to date when the host says that something has changed, and does what the
// buttons say through the API.
'use strict';

document.documentElement.classList.add('scripted');
const live = document.getElementById('live');
const said = document.getElementById('said');

function say(text) {
  const line = document.createElement('p');
  line.textContent = text;
  said.append(line);
  setTimeout(() => line.remove(), 8000);
}

// Somebody who types, chooses or has something open is not disturbed.
function isBusy() {
  const main = document.getElementById('main');
  const active = document.activeElement;
  const types = active && main.contains(active) && /^(INPUT|SELECT|TEXTAREA)$/.test(active.tagName);
  return types || main.querySelector('details[open].edit') !== null || !getSelection().isCollapsed;
}

let asking = false;
let stale = false;

// The page as it is now, in place of what is shown; what was unfolded stays so.
async function refresh() {
  if (asking || document.hidden || isBusy()) {
    stale = true;
    return;
  }
  asking = true;
  stale = false;
  try {
    const answer = await fetch(location.href, { headers: { accept: 'text/html' } });
    const page = new DOMParser().parseFromString(await answer.text(), 'text/html');
    const fresh = page.getElementById('main');
    const shown = document.getElementById('main');
    if (answer.ok && fresh && fresh.innerHTML !== shown.innerHTML && !isBusy()) {
      const open = new Set([...shown.querySelectorAll('details[open]')].map((each) => each.id));
      const focused = shown.contains(document.activeElement) ? document.activeElement.id : '';
      for (const each of fresh.querySelectorAll('details')) each.open ||= open.has(each.id);
      shown.replaceChildren(...fresh.childNodes);
      if (focused) document.getElementById(focused)?.focus();
    }
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
  source.addEventListener('changed', refresh);
}

// A page that was left may be kept by the browser, and would keep its connection, of which there are few.
addEventListener('pagehide', () => source?.close());
addEventListener('pageshow', listen);
setInterval(() => { if (stale) refresh(); }, 2000);
document.addEventListener('visibilitychange', () => { if (!document.hidden && stale) refresh(); });

async function call(method, path, body) {
  const answer = await fetch(path, {
    method,
    headers: { 'content-type': 'application/json' },
    body: body === undefined ? '{}' : JSON.stringify(body),
  });
  const text = await answer.text();
  const told = text === '' ? {} : JSON.parse(text);
  if (!answer.ok) throw new Error([told.title, told.detail].filter(Boolean).join(': ') || `status ${answer.status}`);
  return told;
}

// The same request again from where the one before ended; first only counted, then asked.
async function bulk(button) {
  const body = { filter: JSON.parse(button.dataset.filter) };
  const sweep = async (more) => {
    let [sum, cursor] = [0, null];
    do {
      const told = await call('POST', button.dataset.bulk, { ...body, ...more, ...(cursor && { cursor }) });
      sum += more.dry_run ? told.matched : told.done;
      cursor = told.next;
    } while (cursor);
    return sum;
  };
  const matched = await sweep({ dry_run: true });
  if (matched === 0) return say('No run fits.');
  if (!confirm(`${button.textContent.trim()}: ${matched} runs. Go on?`)) return;
  say(`${await sweep({ all: true })} of ${matched} runs: done.`);
}

async function act(button) {
  const { send, method = 'POST', ask, body, goto, done } = button.dataset;
  if (ask && !confirm(ask)) return;
  const told = await call(method, send, body && JSON.parse(body));
  if (goto && told.id) location.assign(goto + told.id);
  else say(done || 'Done.');
}

document.addEventListener('click', async (event) => {
  const button = event.target.closest('button[data-send], button[data-bulk]');
  if (!button) return;
  button.disabled = true;
  try {
    await (button.dataset.bulk ? bulk(button) : act(button));
  } catch (error) {
    say(error.message);
  } finally {
    button.disabled = false;
    refresh();
  }
});

// A form whose fields are the members of the body.
document.addEventListener('submit', async (event) => {
  const form = event.target.closest('form[data-send]');
  if (!form) return;
  event.preventDefault();
  const body = Object.fromEntries([...new FormData(form)].filter(([, value]) => value !== ''));
  try {
    const told = await call('POST', form.dataset.send, body);
    if (form.dataset.goto && told.id) location.assign(form.dataset.goto + told.id);
    else say('Done.');
  } catch (error) {
    say(error.message);
  }
});
