// ---- Keys

const help = document.querySelector('#help'), single = help.querySelector('.single');
single.hidden = false;
const KEYS = 'logdrain.keys';
single.firstChild.checked = localStorage.getItem(KEYS) !== 'off';
single.firstChild.addEventListener('change', event => localStorage.setItem(KEYS, event.target.checked ? 'on' : 'off'));
const showHelp = event => { event?.preventDefault(); if (!help.open) help.showModal(); };
dock.querySelector('.hint')?.addEventListener('click', showHelp);
help.querySelector('form').addEventListener('click', event => { event.preventDefault(); help.close(); });
help.addEventListener('click', event => { if (event.target === help) help.close(); });

function wrap() {
  const isOff = log.classList.toggle('nowrap'), here = new URL(location.href);
  for (const set of [here.searchParams, looks, short]) if (isOff) set.set('wrap', '0'); else set.delete('wrap');
  history.replaceState(null, '', here);
  for (const one of blocks) if (!one.isDrawn) one.box.style.height = `${one.rows.length * LINE}px`;
  if (state === 'on') toEnd(); else cursor?.scrollIntoView({ block: 'nearest' });
}

const DASHBOARDS = ['overview', 'errors', 'status', 'postgres', 'dynos'];
let awaits = 0;
const onLine = does => () => cursor?.isConnected ? does(cursor, cursor.id.slice(1)) : false;
const step = by => () => { const has = move(by); if (has && from !== null) pick(cursor.id.slice(1)); };
const keys = {
  '/': () => { const field = form.querySelector('.q input'); field.focus(); field.select(); },
  't': () => form.querySelector('.time input').focus(),
  ' ': toggle,
  'p': toggle,
  'G': () => state === 'past' ? location.assign(newest) : set('on'),
  'End': () => keys.G(),
  'g': () => location.assign(address(question, { min_id: 0 })),
  'Home': () => keys.g(),
  'j': step(1),
  'k': step(-1),
  'n': () => move(1, isError) || say('No further error is loaded here.'),
  'N': () => move(-1, isError) || say('No earlier error is loaded here.'),
  'Enter': onLine(one => details(one)),
  'c': onLine((_, id) => location.assign(context(id, 'program'))),
  'C': onLine((_, id) => location.assign(context(id, 'system'))),
  'y': () => picked ? copyLink() : onLine((_, id) => copyLink(id))(),
  'Y': () => picked ? copy(picked) : onLine((_, id) => copy([id, id]))(),
  'x': onLine((_, id) => { if (from === null) pick(id); else from = null; }),
  'w': wrap,
  's': () => { const save = dock.querySelector('details.save'); if (save) { save.open = true; save.querySelector('input[name=name]').focus(); } },
  'd': () => { awaits = Date.now(); },
  '[': () => zoom(-1, 1),
  ']': () => zoom(1, 1),
  '+': () => zoom(0, 0.5),
  '-': () => zoom(0, 2),
  'r': () => location.reload(),
  '?': showHelp,
};
addEventListener('keydown', event => {
  if (event.ctrlKey || event.metaKey || event.altKey || event.isComposing) return;
  if (event.key === 'Escape') {
    const save = dock.querySelector('details.save');
    if (help.open || shut()) return;
    if (save?.open) save.open = false;
    else if (event.target.matches('input, select, textarea')) { event.target.blur(); log.focus(); }
    else if (picked) { picked = null; showPicked(); }
    else point(null);
    return;
  }
  if (event.target.closest('input, select, textarea, [role=menu]') || help.open) return;
  // Keys that a link or a button has itself.
  if (['Enter', ' '].includes(event.key) && event.target.closest('a, button, summary')) return;
  if (single.firstChild.checked === false && event.key.length === 1) return;
  if (Date.now() - awaits < 1_500 && /^[1-5]$/.test(event.key)) {
    const account = looks.get('account');
    return location.assign(`/dashboards/${DASHBOARDS[event.key - 1]}${account ? `?account=${account}` : ''}`);
  }
  const does = Object.hasOwn(keys, event.key) && keys[event.key];
  if (!does) return;
  event.preventDefault();
  does();
});
for (const name of ['PageUp', 'ArrowUp']) {
  log.addEventListener('keydown', event => { if (event.key === name && state === 'on') set('paused'); });
}

// What is looked at is chosen by choosing it. Another question is asked of the same time.
form.querySelector('.grp')?.addEventListener('change', () => form.requestSubmit());
form.addEventListener('submit', () => {
  const time = form.querySelector('.time input'), top = log.getBoundingClientRect().top;
  const first = drawnLines().find(one => one.getBoundingClientRect().bottom > top + 24);
  if (state === 'past' && !time.value && first && !form.querySelector('[name=to]')) time.value = first.querySelector('.ts').title.slice(0, 19);
});
// Empty fields are no part of a question.
form.addEventListener('formdata', event => {
  for (const [name, value] of [...event.formData]) if (value === '' || (name === 'in' && value === 'all')) event.formData.delete(name);
});
