// ---- Following: live, paused, or looking at older lines

const control = element('button', 'btn live');
control.type = 'button';
control.append(element('span', 'pulse'), element('span', 'word'));
const newest = dock.querySelector('.live').href;
dock.querySelector('.live').replaceWith(control);

function set(to, button) {
  state = to;
  byButton = !!button;
  if (to === 'on') {
    waiting = 0;
    toEnd();
    open();
  }
  show();
}

function show(isLost) {
  const said = { on: 'Live', paused: 'Paused', past: 'Go live' }[state];
  control.className = `btn live ${isLost ? 'lost' : state}`;
  control.setAttribute('aria-pressed', state === 'on');
  control.lastChild.textContent = isLost ? 'Lost' : said;
  control.title = isLost ? 'The server does not answer; it is asked again, and nothing is skipped'
    : { on: 'Pause', paused: 'Follow the newest lines', past: 'Go to the newest lines, and follow' }[state];
  pill.hidden = state === 'on' || !waiting;
  const count = waiting.toLocaleString('en');
  pill.textContent = state === 'past' ? `↓ ${count}${isLeft ? '' : '+'} ${waiting === 1 ? 'line' : 'lines'} not yet shown`
    : `↓ ${count} ${waiting === 1 ? 'new line' : 'new lines'}`;
}

// More came than waits here: it is kept where it comes from, behind this id, and the way to it is a link.
let isLeft = true, unseen = 0;
function leave(after) {
  close();
  place = after;
  unseen = waiting;
  state = 'past';
  log.dataset.after = '';
  pill.href = address(question, { min_id: after });
  edge(false, { class: 'more', said: '', way: [pill.href, '↓ newer'] });
  count();
}

// How many lines are behind what is here.
async function count() {
  if (state !== 'past' || !place || document.hidden) return;
  const answer = await fetch(address(question, { min_id: place }, '/events/counts')).catch(() => null);
  if (!answer?.ok || state !== 'past') return;
  const told = await answer.json();
  waiting = unseen + told.lines;
  isLeft = !told.partial;
  show();
}

// The lines here end with the newest.
function reached(id) {
  place = id;
  log.dataset.after = id;
  waiting = unseen = 0;
  pill.href = newest;
  if (isAtEnd()) set('on');
  // Whoever scrolls to the end follows from there, however he paused before.
  else { state = 'paused'; byButton = false; show(); open(); }
}

function open() {
  if (source || document.hidden) return;
  source = new EventSource(`${tail}&after=${place}`);
  source.onopen = () => show();
  source.onmessage = event => {
    place = event.lastEventId;
    if (held.push(event.data) === 1) requestAnimationFrame(flush);
  };
  source.addEventListener('place', event => { place = event.lastEventId; });
  source.addEventListener('incomplete', event => { note(+event.data, false); if (state === 'on') toEnd(); });
  source.onerror = () => {
    show(true);
    // A browser tries again by itself, but for an answer that is no stream of events.
    if (source?.readyState === EventSource.CLOSED) {
      close();
      again = setTimeout(() => { if (state !== 'past') open(); }, 3_000);
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
  if (state === 'past') return;
  append(all);
  if (state === 'on') return;
  waiting += all.length;
  if (waiting >= WAITING) leave(place); else show();
}

// Who comes back after a long time is not flooded: what he has not seen is a link.
async function resume() {
  if (document.hidden) return close();
  if (state === 'past') return count();
  if (source) return;
  const answer = await fetch(address(question, { min_id: place }, '/events/counts')).catch(() => null);
  const missed = answer?.ok ? (await answer.json()).lines : 0;
  if (missed > WAITING) leave(place); else open();
}

function toggle() {
  if (state === 'past') location.assign(newest);
  else set(state === 'on' ? 'paused' : 'on', true);
}

control.addEventListener('click', toggle);
pill.addEventListener('click', event => {
  if (event.ctrlKey || event.metaKey || event.shiftKey) return;
  event.preventDefault();
  if (state === 'paused') set('on');
  else { unseen = 0; toEnd(); const below = list.querySelector('.edge.below'); if (below) more(below); }
});
log.addEventListener('wheel', event => {
  if (event.deltaY < 0 && state === 'on' && log.scrollTop > 0) set('paused');
}, { passive: true });
let isScrolling = false;
log.addEventListener('scroll', () => {
  if (state === 'on' && !isAtEnd()) set('paused');
  else if (state === 'paused' && !byButton && isAtEnd() && getSelection().isCollapsed) set('on');
  if (isScrolling) return;
  isScrolling = true;
  requestAnimationFrame(() => { isScrolling = false; day(); });
}, { passive: true });
document.addEventListener('visibilitychange', resume);
setInterval(count, 10_000);
addEventListener('resize', () => {
  for (const one of blocks) if (!one.isDrawn) one.box.style.height = `${one.rows.length * LINE}px`;
  if (state === 'on') toEnd();
});
