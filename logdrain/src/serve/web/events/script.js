// Follows the newest lines. Texts of log lines go onto the page as text alone.
const log = document.querySelector('.log'), lines = log.querySelector('.lines');
const pill = document.querySelector('.pill');
// More lines than these are not on the page while it follows, and so many wait below while it does not.
const MOST = 5000, WAITING = 2000;
let place = log.dataset.after, state = 'on', byButton = false, waiting = 0, isMore = false;
let source = null, again = 0, held = [], isFollowing = false, lastDay = [...lines.querySelectorAll('.day')].at(-1)?.textContent;

log.classList.add('js');
if (!log.classList.contains('from-top')) log.scrollTop = log.scrollHeight;
const centre = log.querySelector('.here');
if (centre) centre.scrollIntoView({ block: 'center' });
if (log.dataset.tail) follow();

function element(name, className, text) {
  const made = document.createElement(name);
  if (className) made.className = className;
  if (text) made.textContent = text;
  return made;
}

function runs(into, all) {
  for (const [look, text] of all) into.append(look ? element('span', look, text) : text);
  return into;
}

// As the server writes it.
function line(one) {
  const made = element('div', `l ${one.class}`);
  made.id = `e${one.id}`;
  if (one.word) {
    const mark = element('i');
    mark.setAttribute('role', 'img');
    mark.setAttribute('aria-label', one.word);
    mark.title = one.word;
    made.append(mark);
  }
  const here = new URLSearchParams(location.search);
  for (const other of ['max_id', 'min_id', 'time']) here.delete(other);
  here.set('centered_on_id', one.id);
  const address = `/events?${here}#e${one.id}`;
  const time = element('a', 'ts', one.time);
  time.href = address;
  time.title = `${one.day} ${one.time} UTC`;
  const system = element('span', 'sy', one.system);
  system.title = one.system;
  const program = runs(element('span', 'pg'), one.program);
  program.title = program.textContent;
  made.append(time, ' ', system, ' ', program, ' ', runs(element('span', 'm'), one.message));
  if (one.cut) {
    const more = element('a', 'more', 'show more');
    more.href = address;
    made.append(' ', more);
  }
  return made;
}

function append(all) {
  const made = document.createDocumentFragment();
  for (const one of all) {
    if (one.day !== lastDay) made.append(element('div', 'day', lastDay = one.day));
    made.append(line(one));
  }
  lines.querySelector('.quiet')?.remove();
  lines.append(made);
  if (state === 'on') {
    // What is dropped at the top is above what is in sight.
    const surplus = lines.querySelectorAll('.l').length - MOST;
    if (surplus > 0) {
      const olds = [...lines.querySelectorAll('.l')].slice(0, surplus + MOST / 10);
      for (const old of olds) old.remove();
      older(lines.querySelector('.l'));
    }
    toEnd();
  } else {
    waiting += all.length;
    if (waiting >= WAITING) {
      // They are kept where they come from: going on begins behind the last one that is here.
      close();
      isMore = true;
    }
    show();
  }
}

// The way to what was dropped at the top, or is above the first line.
function older(first) {
  const top = lines.firstElementChild;
  const edge = top.classList.contains('edge') || top.classList.contains('note') ? top : lines.insertBefore(element('p', 'edge'), top);
  const here = new URLSearchParams(location.search);
  for (const other of ['centered_on_id', 'min_id', 'time']) here.delete(other);
  here.set('max_id', first.id.slice(1));
  const link = element('a', '', '↑ older');
  link.href = `/events?${here}`;
  edge.className = 'edge';
  edge.replaceChildren(link);
}

function isAtEnd() {
  return log.scrollHeight - log.scrollTop - log.clientHeight < 24;
}

function toEnd() {
  log.scrollTop = log.scrollHeight;
}

function set(to, button) {
  state = to;
  byButton = button;
  if (to === 'on') {
    waiting = 0;
    isMore = false;
    toEnd();
    if (!source && !document.hidden) open();
  }
  show();
}

function show(word) {
  const live = document.querySelector('.live'), isLost = word === 'lost';
  live.className = `btn live ${isLost ? 'lost' : state}`;
  live.setAttribute('aria-pressed', state === 'on');
  live.firstChild.textContent = isLost ? 'Lost' : state === 'on' ? 'Live' : 'Paused';
  live.title = isLost ? 'The server does not answer; it is asked again' : state === 'on' ? 'Pause' : 'Follow the newest lines';
  pill.hidden = state === 'on' || !waiting;
  pill.textContent = `↓ ${waiting.toLocaleString('en')}${isMore ? ' and more' : ''} ${waiting === 1 ? 'line' : 'lines'} not yet shown`;
}

function open() {
  source = new EventSource(`${log.dataset.tail}&after=${place}`);
  source.onopen = () => show();
  source.onmessage = event => {
    place = event.lastEventId;
    if (held.push(JSON.parse(event.data)) === 1) requestAnimationFrame(flush);
  };
  source.addEventListener('place', event => { place = event.lastEventId; });
  source.addEventListener('incomplete', event => {
    const blocks = +event.data === 1 ? 'damaged block' : 'damaged blocks';
    lines.append(element('p', 'note', `${event.data} ${blocks} not searched: lines may be missing here.`));
    if (state === 'on') toEnd();
  });
  source.onerror = () => {
    show('lost');
    // A browser tries again by itself, but for an answer that is no stream of events.
    if (source?.readyState === EventSource.CLOSED) {
      close();
      again = setTimeout(() => { if (!document.hidden && !isMore) open(); }, 3000);
    }
  };
}

function close() {
  clearTimeout(again);
  source?.close();
  source = null;
}

function flush() {
  const all = held;
  held = [];
  append(all);
}

function follow() {
  const link = document.querySelector('.live'), live = element('button', 'btn live');
  live.type = 'button';
  live.append(element('span'));
  link.replaceWith(live);
  live.addEventListener('click', () => set(state === 'on' ? 'paused' : 'on', true));
  pill.addEventListener('click', () => set('on', false));
  log.addEventListener('wheel', event => { if (event.deltaY < 0 && state === 'on' && log.scrollTop > 0) set('paused', false); }, { passive: true });
  log.addEventListener('scroll', () => {
    if (state === 'on' && !isAtEnd()) set('paused', false);
    else if (state === 'paused' && !byButton && isAtEnd() && getSelection().isCollapsed) set('on', false);
  }, { passive: true });
  document.addEventListener('selectionchange', () => {
    const chosen = getSelection();
    if (state === 'on' && !chosen.isCollapsed && log.contains(chosen.anchorNode)) set('paused', false);
  });
  // A browser has few connections for a server: who does not look gives his back.
  document.addEventListener('visibilitychange', () => {
    if (document.hidden) close();
    else if (!source && !isMore) open();
  });
  addEventListener('resize', () => { if (state === 'on') toEnd(); });
  addEventListener('keydown', event => {
    if (event.target.matches('input,button,a') || event.ctrlKey || event.metaKey || event.altKey) return;
    if (event.key === '/') document.querySelector('.q').focus();
    else if (event.key === ' ' || event.key === 'p') set(state === 'on' ? 'paused' : 'on', true);
    else if (event.key === 'G' || event.key === 'End') set('on', false);
    else return;
    event.preventDefault();
  });
  if (log.classList.contains('from-top') && !isAtEnd()) set('paused', false);
  show();
  if (!document.hidden) open();
}
