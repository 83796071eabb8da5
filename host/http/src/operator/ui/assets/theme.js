// Before anything is drawn: light or dark, as somebody chose in this browser.
'use strict';

document.documentElement.classList.add('scripted');
const THEME = 'theme';

function shown(theme) {
  if (theme === 'light' || theme === 'dark') document.documentElement.dataset.theme = theme;
  else delete document.documentElement.dataset.theme;
}

// A browser may keep nothing for this page, and says so by an error.
function kept() {
  try {
    return localStorage.getItem(THEME) ?? '';
  } catch {
    return '';
  }
}

shown(kept());
document.addEventListener('DOMContentLoaded', () => {
  const choice = document.getElementById('theme');
  choice.value = document.documentElement.dataset.theme ?? 'system';
  choice.addEventListener('change', () => {
    shown(choice.value);
    try {
      localStorage.setItem(THEME, choice.value);
    } catch { /* It lasts as long as this page, then. */ }
  });
});
// Chosen in another window.
addEventListener('storage', (event) => {
  if (event.key !== THEME) return;
  shown(event.newValue ?? '');
  document.getElementById('theme').value = document.documentElement.dataset.theme ?? 'system';
});
