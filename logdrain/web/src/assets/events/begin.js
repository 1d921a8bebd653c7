// ---- Begin with what the server made

function adopt() {
  const edges = [...list.querySelectorAll('.edge')], quietly = list.querySelector('.quiet');
  const rows = drawnLines();
  for (const details of list.querySelectorAll('.det')) opened.set(`e${details.dataset.of}`, details);
  list.replaceChildren(...edges.filter(one => one.classList.contains('above')), ...(quietly ? [quietly] : []), ...edges.filter(one => one.classList.contains('below')));
  for (const row of rows) dressed(row);
  for (let at = 0; at < rows.length; at += BLOCK) {
    const made = block(false);
    made.rows = rows.slice(at, at + BLOCK);
    made.box.append(elements(made.rows, dayBefore(made)));
    total += made.rows.length;
  }
}

log.classList.add('js');
picked = readPicked();
adopt();
if (!log.classList.contains('from-top')) toEnd();
list.querySelector('.l.here, .l.sel')?.scrollIntoView({ block: 'center' });
if (place) {
  state = log.classList.contains('from-top') && !isAtEnd() || picked ? 'paused' : 'on';
  open();
} else {
  place = blocks.length ? idOf(blocks.at(-1).rows.at(-1)) : '';
  const below = list.querySelector('.edge.below.more a');
  if (below) pill.href = below.href;
}
for (const one of list.querySelectorAll('.edge')) watch.observe(one);
day();
show();
if (counts.querySelector('svg[data-partial]')) recount();
setInterval(() => { if (state === 'on') recount(); }, 15_000);

/** What tests look at: figures, and all lines that are here, drawn or not. */
export const stats = () => ({ total, state, waiting, blocks: blocks.length, elements: document.querySelectorAll('*').length });
export const all = () => blocks.flatMap(one => one.rows);
