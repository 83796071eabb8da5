// Light or dark, as somebody has chosen in this browser, else as their system is. It runs before anything is drawn.
'use strict';

const THEMES = ['light', 'dark'];

// Some browsers keep nothing for a page.
function kept() {
  try {
    return localStorage.getItem('theme');
  } catch {
    return null;
  }
}

function show(theme) {
  if (THEMES.includes(theme)) document.documentElement.dataset.theme = theme;
  else delete document.documentElement.dataset.theme;
}

show(kept());

document.addEventListener('DOMContentLoaded', () => {
  const choice = document.getElementById('theme');
  if (choice) choice.value = document.documentElement.dataset.theme ?? 'system';
});

document.addEventListener('change', (event) => {
  if (event.target.id !== 'theme') return;
  const theme = event.target.value;
  show(theme);
  try {
    if (THEMES.includes(theme)) localStorage.setItem('theme', theme);
    else localStorage.removeItem('theme');
  } catch {
    // It counts for this page alone.
  }
});

// Another tab has chosen.
addEventListener('storage', (event) => {
  if (event.key !== 'theme' && event.key !== null) return;
  show(kept());
  const choice = document.getElementById('theme');
  if (choice) choice.value = document.documentElement.dataset.theme ?? 'system';
});
