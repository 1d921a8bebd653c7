// ---- A range of lines

let from = null;
function readPicked() {
  const range = /^(\d{12,19})(?:-(\d{12,19}))?$/.exec(new URLSearchParams(location.search).get('r') ?? '');
  if (!range) return null;
  const ends = [range[1], range[2] ?? range[1]];
  return isBelow(ends[1], ends[0]) ? ends.reverse() : ends;
}

function pick(id) {
  if (from === null) from = id;
  const ends = [from, id];
  picked = isBelow(id, from) ? ends.reverse() : ends;
  showPicked();
}

function showPicked() {
  for (const one of drawnLines()) one.classList.toggle('sel', !!isPicked(one.id.slice(1)));
  words.querySelector('.chosen')?.remove();
  const here = new URL(location.href);
  here.searchParams.delete('selected');
  if (picked) here.searchParams.set('r', picked.join('-')); else here.searchParams.delete('r');
  history.replaceState(null, '', here);
  if (!picked) { from = null; return; }
  if (state === 'on') set('paused');
  const made = element('p', 'chosen');
  const time = id => document.getElementById(`e${id}`)?.querySelector('.ts').title ?? 'a line further on';
  const count = blocks.flatMap(one => one.rows).filter(row => isPicked(idOf(row))).length;
  made.append(element('span', '', `Chosen: ${count} ${count === 1 ? 'line' : 'lines'}, ${time(picked[0])}${picked[0] === picked[1] ? '' : ` to ${time(picked[1])}`}`));
  for (const [name, word] of [['text', 'Text'], ['json', 'JSON'], ['none', 'Clear']]) {
    const way = link(`btn ${name}`, word, name === 'none' ? address(question, {}) : address(question, { r: picked.join('-'), form: name }, '/events/text'));
    made.append(way);
  }
  words.prepend(made);
}

words.addEventListener('click', event => {
  const way = event.target.closest('.chosen a');
  if (!way || event.ctrlKey || event.metaKey) return;
  event.preventDefault();
  if (way.classList.contains('none')) { picked = null; showPicked(); }
  else copy(picked, way.classList.contains('json') ? 'json' : 'text');
});

// ---- Text that was marked: search for it, or leave it out

const finder = element('div', 'pop find');
finder.hidden = true;
document.body.append(finder);
function term(text) {
  if (/^[\w.=/@][\w.=/@-]*$/.test(text) && !/^(AND|OR|NOT)$/.test(text)) return text;
  return `"${text.replaceAll('\\', '\\\\').replaceAll('"', '\\"')}"`;
}
function offer() {
  const chosen = getSelection(), text = chosen.toString().trim();
  const of = node => (node?.nodeType === 1 ? node : node?.parentElement)?.closest('.m');
  const start = of(chosen.anchorNode);
  if (chosen.isCollapsed || !text || text.length > 200 || text.includes('\n') || !start || start !== of(chosen.focusNode)) {
    finder.hidden = true;
    return;
  }
  const found = term(text), id = start.closest('.l').id.slice(1);
  finder.replaceChildren(link('', 'Search', address(question, { q: found })), link('', 'And this', asking(found, id)), link('', 'Without', asking(`-${found}`, id)));
  finder.hidden = false;
  const at = chosen.getRangeAt(0).getBoundingClientRect();
  finder.style.left = `${Math.min(Math.max(8, at.left), innerWidth - finder.offsetWidth - 8)}px`;
  finder.style.top = `${at.top > 60 ? at.top - finder.offsetHeight - 4 : at.bottom + 4}px`;
}
document.addEventListener('selectionchange', () => {
  const chosen = getSelection();
  if (state === 'on' && !chosen.isCollapsed && log.contains(chosen.anchorNode)) set('paused');
  if (chosen.isCollapsed) finder.hidden = true;
});
log.addEventListener('pointerup', () => setTimeout(offer));

log.addEventListener('mousedown', event => { if (event.shiftKey && event.target.closest('.l')) event.preventDefault(); });
log.addEventListener('click', event => {
  const one = event.target.closest('.l'), way = event.target.closest('a');
  const edgeWay = event.target.closest('.edge a');
  if (edgeWay && edgeWay.closest('.more, .stopped') && !event.ctrlKey && !event.metaKey) {
    event.preventDefault();
    more(edgeWay.closest('.edge'));
  } else if (!one) {
    return;
  } else if (event.target.closest('.act')) {
    if (menu.hidden) openMenu(event.target); else shut();
  } else if (event.shiftKey) {
    event.preventDefault();
    point(one, true);
    pick(one.id.slice(1));
  } else if (way?.matches('.sy, .pg') && event.altKey) {
    event.preventDefault();
    const q = new URLSearchParams(question).get('q');
    location.assign(q ? `${way.href}&${new URLSearchParams({ q })}` : way.href);
  }
});
document.addEventListener('click', event => { if (!event.target.closest('.pop, .act')) shut(); });
log.addEventListener('scroll', shut, { passive: true });
