// The viewer: a list of any length with few elements, the newest lines as they come, and what one does with lines.
// Texts of log lines go onto the page as text alone. Everything here makes a step shorter that a link or a form makes, too.
const log = document.querySelector('.log'), list = log.querySelector('.lines'), dock = document.querySelector('.dock');
const pill = document.querySelector('.pill'), form = document.querySelector('#ask'), words = dock.querySelector('.words');
const { question, front, tail } = log.dataset;
// Lines of a block, lines that are kept here, and those that wait below while nobody follows.
const BLOCK = 100, MOST = 200_000, WAITING = 2_000, LINE = 20;
// { rows, box, isDrawn }: a row is a line's JSON until it is drawn, or an element that the server made.
const blocks = [];
const opened = new Map();
let total = 0, state = 'past', byButton = false, waiting = 0, place = log.dataset.after, cursor = null, isBusy = false;
let source = null, again = 0, held = [], picked = null;

// ---- Lines

function element(name, className, text) {
  const made = document.createElement(name);
  if (className) made.className = className;
  if (text) made.textContent = text;
  return made;
}

function link(className, text, href) {
  const made = element('a', className, text);
  made.href = href;
  return made;
}

function runs(into, all) {
  for (const run of all) into.append(typeof run === 'string' ? run : element('span', run[0], run[1]));
  return into;
}

const looks = new URLSearchParams(question);
for (const other of ['q', 'group', 'system', 'from', 'to', 'range']) looks.delete(other);
const short = new URLSearchParams(question);
for (const other of ['from', 'to', 'range']) short.delete(other);
if (encodeURIComponent(short.get('q') ?? '').length > 300) short.delete('q');

function address(parameters, more, path = '/events') {
  const made = new URLSearchParams(parameters);
  for (const [name, value] of Object.entries(more)) made.set(name, value);
  return `${path}?${made}`;
}

const permalink = id => address(short, { centered_on_id: id }) + `#e${id}`;
const context = (id, of) => address(looks, { of, id }, '/events/context');

// As the server writes it.
function line(one) {
  const made = element('div', `l ${one.class ?? ''}`);
  made.id = `e${one.id}`;
  made.dataset.day = one.day;
  if (one.word) {
    const mark = element('i');
    mark.setAttribute('role', 'img');
    mark.setAttribute('aria-label', one.word);
    mark.title = one.word;
    made.append(mark);
  }
  const time = link('ts', one.time, permalink(one.id));
  time.title = `${one.day} ${one.time}`;
  const system = link('sy', one.system, context(one.id, 'system'));
  system.title = one.system;
  const program = runs(link('pg', '', context(one.id, 'program')), one.program);
  program.title = program.textContent;
  made.append(time, ' ', system, ' ', program, ' ', runs(element('span', 'm'), one.message));
  if (one.cut) made.append(' ', link('more', 'show more', permalink(one.id)));
  return dressed(made);
}

// What a line has with scripts alone: the way to its menu.
function dressed(made) {
  const way = element('button', 'act', '⋯');
  way.type = 'button';
  way.tabIndex = -1;
  way.setAttribute('aria-label', 'Line menu');
  made.append(way);
  return made;
}

const idOf = row => typeof row === 'string' ? row.slice(7, row.indexOf('"', 7)) : row.id.slice(1);
function dayOf(row) {
  if (typeof row !== 'string') return row.dataset.day;
  const end = row.indexOf('"', 7);
  return row.slice(end + 9, end + 19);
}

// Ids are too large for numbers, and have no zeros in front.
const isBelow = (a, b) => a.length === b.length ? a < b : a.length < b.length;
const isPicked = id => picked && !isBelow(id, picked[0]) && !isBelow(picked[1], id);

function dayInWords(day) {
  const date = new Date(`${day}T12:00:00Z`);
  const part = options => date.toLocaleDateString('en-GB', { timeZone: 'UTC', ...options });
  return `${part({ weekday: 'long' })} ${date.getUTCDate()} ${part({ month: 'long' })} ${date.getUTCFullYear()}`;
}

// ---- Blocks: only those near what is in sight have elements.

const near = new IntersectionObserver(all => {
  for (const { target, isIntersecting } of all) {
    target.block.isNear = isIntersecting;
    if (isIntersecting) draw(target.block); else rest(target.block);
  }
}, { root: log, rootMargin: '1500px 0px' });

function block(isFirst) {
  const made = { rows: [], box: element('div', 'blk'), isDrawn: true, isNear: true };
  made.box.block = made;
  if (isFirst) {
    blocks.unshift(made);
    list.insertBefore(made.box, list.querySelector('.blk') ?? list.querySelector('.edge.below'));
  } else {
    blocks.push(made);
    list.insertBefore(made.box, list.querySelector('.edge.below'));
  }
  near.observe(made.box);
  return made;
}

// The lines of some rows, with the days that begin among them.
function elements(rows, dayBefore) {
  const made = document.createDocumentFragment();
  for (const row of rows) {
    const day = dayOf(row);
    if (day !== dayBefore) made.append(element('div', 'day', dayInWords(dayBefore = day)));
    const shown = typeof row === 'string' ? line(JSON.parse(row)) : row;
    shown.classList.toggle('sel', !!isPicked(shown.id.slice(1)));
    made.append(shown);
    const details = opened.get(shown.id);
    if (details) made.append(details);
  }
  return made;
}

function dayBefore(of) {
  const before = blocks[blocks.indexOf(of) - 1];
  return before && dayOf(before.rows.at(-1));
}

function draw(one) {
  if (one.isDrawn) return;
  one.isDrawn = true;
  const height = one.box.offsetHeight, isAbove = one.box.offsetTop < log.scrollTop;
  one.box.style.height = '';
  one.box.replaceChildren(elements(one.rows, dayBefore(one)));
  // Where browsers do not keep what is read in its place.
  if (isAbove && !CSS.supports('overflow-anchor', 'auto')) log.scrollTop += one.box.offsetHeight - height;
  if (cursor) {
    cursor = document.getElementById(cursor.id) ?? cursor;
    cursor.classList.add('cur');
  }
}

function holdsSelection({ box }) {
  const chosen = getSelection();
  return chosen.rangeCount > 0 && !chosen.isCollapsed && chosen.getRangeAt(0).intersectsNode(box);
}

function rest(one) {
  if (!one.isDrawn || one === blocks.at(-1) || holdsSelection(one) || one.box.contains(document.activeElement)) return;
  one.box.style.height = `${one.box.getBoundingClientRect().height}px`;
  one.box.replaceChildren();
  one.isDrawn = false;
}

const drawnLines = () => [...list.querySelectorAll('.l')];
const isAtEnd = () => log.scrollHeight - log.scrollTop - log.clientHeight < 24;
const toEnd = () => { log.scrollTop = log.scrollHeight; };

// Does something while what is read stays where it is.
function still(work) {
  const top = log.getBoundingClientRect().top, anchor = drawnLines().find(one => one.getBoundingClientRect().bottom > top);
  const before = anchor?.getBoundingClientRect().top;
  log.style.overflowAnchor = 'none';
  work();
  const now = anchor?.isConnected ? anchor : document.getElementById(anchor?.id);
  if (now) log.scrollTop += now.getBoundingClientRect().top - before;
  log.style.overflowAnchor = '';
}

function shown() {
  list.querySelector('.quiet')?.remove();
  day();
}

/** New lines at the end. What is read moves only for who follows. */
export function append(rows) {
  const follows = state === 'on';
  if (rows.length) shown();
  for (let from = 0; from < rows.length;) {
    let last = blocks.at(-1);
    if (!last || last.rows.length >= BLOCK) {
      const full = last;
      last = block(false);
      if (full && !full.isNear) rest(full);
    }
    const part = rows.slice(from, from + BLOCK - last.rows.length), isOld = last.rows.length > 0;
    from += part.length;
    const before = isOld ? dayOf(last.rows.at(-1)) : dayBefore(last);
    last.rows.push(...part);
    total += part.length;
    // Of many at once those alone are drawn that are seen: the observer says which.
    if (last.isDrawn && (isOld || from >= rows.length || rows.length <= 2 * BLOCK)) {
      last.box.append(elements(part, before));
    } else {
      last.isDrawn = false;
      last.box.replaceChildren();
      last.box.style.height = `${last.rows.length * LINE}px`;
    }
  }
  if (follows) {
    while (total > MOST) drop(true);
    toEnd();
  }
}

/** Older lines at the start; what is read stays where it is. */
export function prepend(rows) {
  if (!rows.length) return;
  still(() => {
    shown();
    const old = blocks[0];
    for (let end = rows.length; end > 0; end -= BLOCK) {
      const made = block(true);
      made.rows = rows.slice(Math.max(0, end - BLOCK), end);
      made.isDrawn = false;
      total += made.rows.length;
    }
    for (const made of blocks.slice(0, blocks.indexOf(old))) draw(made);
    // Its day may have begun further up.
    const day = old?.isDrawn && old.box.firstElementChild;
    if (day?.className === 'day' && dayBefore(old) === dayOf(old.rows[0])) day.remove();
    while (total > MOST && state !== 'on') drop(false);
  });
}

// Lines beyond the most that are kept go from the far end, and can be had again.
function drop(isFirst) {
  const gone = isFirst ? blocks.shift() : blocks.pop();
  total -= gone.rows.length;
  near.unobserve(gone.box);
  gone.box.remove();
  if (isFirst) {
    edge(true, { class: 'more', said: '', way: [address(question, { max_id: idOf(blocks[0].rows[0]) }), '↑ older'] });
  } else {
    const last = idOf(blocks.at(-1).rows.at(-1));
    edge(false, { class: 'more', said: '', way: [address(question, { min_id: last }), '↓ newer'] });
    leave(last);
  }
}

// What is beyond the first or the last line.
function edge(isAbove, told) {
  const name = isAbove ? 'above' : 'below';
  list.querySelector(`.edge.${name}`)?.remove();
  if (!told) return;
  const made = element('p', `edge ${name} ${told.class}`);
  if (told.said) made.append(element('span', '', told.said));
  if (told.way) made.append(' ', link('', told.way[1], told.way[0]));
  if (isAbove) list.prepend(made); else list.append(made);
  watch.observe(made);
}

// Lines that are near are loaded before somebody is there. Where the time for an answer was over, he is asked.
const watch = new IntersectionObserver(all => {
  for (const { target, isIntersecting } of all) {
    if (isIntersecting && target.classList.contains('more')) more(target);
  }
}, { root: log, rootMargin: '800px 0px' });

async function more(from) {
  const way = from.querySelector('a'), isAbove = from.classList.contains('above');
  if (!way || isBusy) return;
  isBusy = true;
  const word = way.textContent;
  way.textContent = 'loading …';
  try {
    const [around, rows] = await lines(way.href);
    const scroll = log.scrollTop;
    if (isAbove) {
      still(() => edge(true, around.above));
      prepend(rows);
    } else {
      const was = state;
      state = 'past';
      still(() => edge(false, around.below));
      append(rows);
      state = was;
      log.scrollTop = scroll;
      if (around.live) {
        reached(around.live);
      } else if (rows.length) {
        place = idOf(rows.at(-1));
        pill.href = address(question, { min_id: place });
        count();
      }
    }
    note(around.damaged, isAbove);
  } catch (error) {
    way.textContent = `${word} (${error.message})`;
    return;
  } finally {
    isBusy = false;
  }
  // What is in sight already is not told of again.
  const next = list.querySelector(`.edge.${isAbove ? 'above' : 'below'}`);
  if (next) { watch.unobserve(next); watch.observe(next); }
}

async function lines(href) {
  const url = new URL(href, location.href);
  const answer = await fetch(`/events/lines${url.search}`, { headers: { accept: 'application/x-ndjson' } });
  if (!answer.ok) throw new Error(answer.status === 503 ? 'busy: try again' : `no answer: ${answer.status}`);
  const [around, ...rows] = (await answer.text()).split('\n');
  if (rows.at(-1) === '') rows.pop();
  return [JSON.parse(around), rows];
}

function note(damaged, isAbove) {
  if (!damaged) return;
  const made = element('p', 'note', `${damaged} damaged ${damaged === 1 ? 'block' : 'blocks'} not searched: lines may be missing here.`);
  if (isAbove) still(() => list.insertBefore(made, list.querySelector('.blk'))); else list.insertBefore(made, list.querySelector('.edge.below'));
}

// The day of what is in sight stays in sight.
const today = element('div', 'day now');
today.hidden = true;
log.prepend(today);
function day() {
  const top = log.getBoundingClientRect().top + 24;
  const first = drawnLines().find(one => one.getBoundingClientRect().bottom > top);
  today.hidden = !first || log.scrollTop < 8;
  if (first) today.textContent = dayInWords(first.dataset.day);
}
