// ---- One line: cursor, menu, values, copies

function point(one, isQuiet) {
  cursor?.classList.remove('cur');
  cursor = one;
  cursor?.classList.add('cur');
  if (!cursor) return;
  if (state === 'on') set('paused');
  if (!isQuiet) cursor.scrollIntoView({ block: 'nearest' });
}

// Where a line is among all: its block, and its row there.
function find(id) {
  const at = blocks.findIndex(one => !isBelow(idOf(one.rows.at(-1)), id));
  const row = blocks[at]?.rows.findIndex(one => idOf(one) === id) ?? -1;
  return row < 0 ? null : [at, row];
}

function elementOf(row, of) {
  draw(of);
  return document.getElementById(`e${idOf(row)}`);
}

// The cursor goes to the next line of a kind, by one or back.
function move(by, isOf = () => true) {
  const top = log.getBoundingClientRect().top;
  const seen = drawnLines().find(one => one.getBoundingClientRect().bottom > top + 30);
  const begin = cursor ?? (state === 'on' ? drawnLines().at(-1) : seen);
  if (!begin) return false;
  let [at, row] = find(begin.id.slice(1)) ?? [0, 0];
  if (!cursor && isOf(blocks[at].rows[row])) return point(elementOf(blocks[at].rows[row], blocks[at])), true;
  for (;;) {
    row += by;
    if (row < 0 || row >= blocks[at].rows.length) {
      at += by;
      if (!blocks[at]) return false;
      row = by > 0 ? 0 : blocks[at].rows.length - 1;
    }
    if (isOf(blocks[at].rows[row])) return point(elementOf(blocks[at].rows[row], blocks[at])), true;
  }
}
const isError = row => typeof row === 'string' ? row.includes('"class":"err') : row.classList.contains('err');

const menu = element('div', 'pop');
menu.setAttribute('role', 'menu');
menu.hidden = true;
document.body.append(menu);
function openMenu(way) {
  const one = way.closest('.l'), id = one.id.slice(1);
  point(one, true);
  const item = (word, key, does) => {
    const made = element(typeof does === 'string' ? 'a' : 'button', '', word);
    made.setAttribute('role', 'menuitem');
    made.append(element('kbd', '', key));
    if (typeof does === 'string') made.href = does; else { made.type = 'button'; made.addEventListener('click', () => { shut(); does(); }); }
    return made;
  };
  menu.replaceChildren(
    item('What it says', 'Enter', () => details(one)),
    item('Around it, of this program', 'c', context(id, 'program')),
    item('Around it, of this system', 'C', context(id, 'system')),
    item('Copy line', 'Y', () => copy([id, id])),
    item('Copy link', 'y', () => copyLink(id)),
    item('Choose from here', 'x', () => pick(id)));
  menu.hidden = false;
  const at = way.getBoundingClientRect();
  menu.style.left = `${Math.max(8, at.right - menu.offsetWidth)}px`;
  menu.style.top = `${at.bottom + menu.offsetHeight > innerHeight ? at.top - menu.offsetHeight : at.bottom}px`;
  menu.firstChild.focus({ preventScroll: true });
}
function shut() {
  const was = !menu.hidden || !finder.hidden;
  menu.hidden = finder.hidden = true;
  return was;
}

async function details(one) {
  if (opened.has(one.id)) {
    still(() => opened.get(one.id).remove());
    opened.delete(one.id);
    return;
  }
  const id = one.id.slice(1);
  const answer = await fetch(address(looks, { id }, '/events/line')).catch(() => null);
  if (!answer?.ok) return say(answer?.status === 404 ? 'That line is not there any more.' : 'The server is busy: try again.');
  const { fields, request } = await answer.json();
  const made = element('div', 'det'), values = element('dl'), foot = element('p', 'foot');
  made.dataset.of = id;
  for (const { key, value, term } of fields) {
    const row = element('div');
    row.append(runs(element('dt'), key), runs(element('dd'), value));
    if (term) {
      const ways = element('span', 'pm');
      for (const [sign, dash, word] of [['+', '', 'Only'], ['−', '-', 'Without']]) {
        const way = link('', sign, asking(`${dash}${term}`, id));
        way.title = `${word} lines that say so`;
        way.setAttribute('aria-label', `${word} ${term}`);
        ways.append(way);
      }
      row.append(ways);
    }
    values.append(row);
  }
  if (request) foot.append(link('', 'This request', address(looks, { q: request, centered_on_id: id })));
  foot.append(link('', 'Around it, of this program', context(id, 'program')), link('', 'Around it, of this system', context(id, 'system')));
  made.append(values, foot);
  opened.set(one.id, made);
  if (state === 'on') set('paused');
  still(() => one.after(made));
}

// The question with a term more. The place is kept, if it is no more than the newest.
function asking(term, id) {
  const q = front ? `${front} ${term}` : term;
  return address(question, id && state !== 'on' ? { q, centered_on_id: id } : { q });
}

const said = element('p', 'said');
said.setAttribute('role', 'status');
document.body.append(said);
let quiet = 0;
function say(text) {
  said.textContent = text;
  clearTimeout(quiet);
  quiet = setTimeout(() => { said.textContent = ''; }, 3_000);
}

async function toClipboard(text, word) {
  try {
    await navigator.clipboard.writeText(text);
  } catch {
    // Where nothing is encrypted, browsers copy what is chosen alone.
    const area = element('textarea', 'vh');
    area.value = text;
    document.body.append(area);
    area.select();
    document.execCommand('copy');
    area.remove();
  }
  say(word);
}

async function copy([first, last], form = 'text') {
  const of = first === last ? looks : question;
  const answer = await fetch(address(of, { r: `${first}-${last}`, form }, '/events/text')).catch(() => null);
  if (!answer?.ok) return say('It cannot be copied now: try again.');
  const text = await answer.text(), count = text.split('\n').length - 1;
  await toClipboard(text, `Copied ${count} ${count === 1 ? 'line' : 'lines'}`);
}

function copyLink(id) {
  const way = picked ? `${address(short, { r: picked.join('-') })}#e${picked[0]}` : permalink(id);
  return toClipboard(new URL(way, location.href).href, 'Copied the link');
}
