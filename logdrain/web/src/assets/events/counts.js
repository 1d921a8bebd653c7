// ---- Counts: the whole range, never before the lines; drag for a range of time

const counts = document.querySelector('.vel');
const NS = 'http://www.w3.org/2000/svg';
function shape(name, attributes, parts = []) {
  const made = document.createElementNS(NS, name);
  for (const [key, value] of Object.entries(attributes)) made.setAttribute(key, value);
  made.append(...parts);
  return made;
}

// As the server draws it.
function bars({ start, step, bars, partial, total: all, said: [number, time, failed], labels, titles }) {
  const sum = bar => bar.reduce((a, b) => a + b, 0), most = Math.max(1, ...bars.map(sum));
  const old = counts.querySelector('svg.bars');
  const drawn = bars.map((bar, index) => {
    if (!sum(bar)) return '';
    let top = 40;
    const parts = bar.map((count, which) => {
      const height = count && Math.min(40, Math.max(1, Math.round(40 * count / most)));
      return height ? shape('rect', { class: `bar ${['c3', 'c4', 'c5'][which]}`, x: 4 * index, y: Math.max(0, top -= height), width: 3.4, height }) : '';
    });
    return shape('a', { href: address(question, { time: start + step * index }), tabindex: -1 }, [shape('title', {}, [titles[index]]), ...parts]);
  });
  const area = shape('svg', { height: 42, width: '100%', viewBox: `0 0 ${4 * bars.length} 40`, preserveAspectRatio: 'none' },
    [shape('line', { class: 'base', x1: 0, x2: 4 * bars.length, y1: 40, y2: 40 }), ...drawn]);
  const words = labels.map(([at, word]) => shape('text', { x: `${at}%`, y: 56 }, [word]));
  const made = shape('svg', { class: 'bars', width: '100%', height: 60, role: 'group', 'aria-label': `${number} ${all === 1 ? 'line' : 'lines'}, ${time}`,
    'data-start': start, 'data-step': step, 'data-count': bars.length }, [area, ...words, shape('rect', { class: 'brush', height: 42, width: 0 })]);
  old?.replaceWith(made);
  const told = counts.querySelector('.said'), errors = counts.querySelector('.failed');
  if (told) told.replaceChildren(element('b', '', number), ` ${all === 1 ? 'line' : 'lines'}, ${time}`);
  errors?.replaceChildren(...(failed === 'no' ? [] : [element('b', '', failed), failed === '1' ? ' error' : ' errors']));
  const part = counts.querySelector('.partial');
  if (part) part.hidden = !partial;
}

// What takes long to count is counted seldom.
let rests = 0;
async function recount() {
  if (Date.now() < rests || document.hidden || !counts.querySelector('svg.bars') || brush) return;
  const second = row => Math.floor(Number(BigInt(idOf(row)) >> 20n) / 1_000);
  const near = new URLSearchParams(location.search), ends = {};
  for (const name of ['time', 'min_id', 'max_id', 'centered_on_id']) if (near.has(name) && name !== 'min_id') ends[name] = near.get(name);
  if (blocks.length) Object.assign(ends, { first: second(blocks[0].rows[0]), last: second(blocks.at(-1).rows.at(-1)) });
  const began = Date.now(), answer = await fetch(address(question, ends, '/events/counts')).catch(() => null);
  rests = Date.now() + 20 * (Date.now() - began);
  if (answer?.ok && !brush) bars(await answer.json());
}

let brush = null;
const share = event => { const box = counts.querySelector('svg.bars').getBoundingClientRect(); return Math.min(1, Math.max(0, (event.clientX - box.left) / box.width)); };
counts.addEventListener('pointerdown', event => {
  if (event.button !== 0 || !event.target.closest('svg.bars')) return;
  brush = { from: share(event), to: share(event) };
  addEventListener('pointermove', dragged);
  addEventListener('pointerup', dropped, { once: true });
});
counts.addEventListener('dragstart', event => event.preventDefault());
function dragged(event) {
  brush.to = share(event);
  const [low, high] = [Math.min(brush.from, brush.to), Math.max(brush.from, brush.to)];
  const mark = counts.querySelector('.brush');
  mark.setAttribute('x', `${100 * low}%`);
  mark.setAttribute('width', `${100 * (high - low)}%`);
}
function dropped() {
  removeEventListener('pointermove', dragged);
  const { start, step, count } = counts.querySelector('svg.bars').dataset;
  const [low, high] = [Math.min(brush.from, brush.to), Math.max(brush.from, brush.to)].map(part => part * count);
  brush = null;
  if (high - low < 0.5) return counts.querySelector('.brush').setAttribute('width', 0);
  // A click on a bar is something else.
  counts.addEventListener('click', event => event.preventDefault(), { once: true, capture: true });
  between(+start + step * Math.floor(low), +start + step * Math.ceil(high));
}

function between(from, to) {
  const asked = new URLSearchParams(question);
  asked.delete('range');
  location.assign(address(asked, { from: Math.max(0, Math.round(from)), to: Math.round(to) }));
}

// The range before and behind (-1, 1), a shorter and a longer one.
function zoom(by, times) {
  const { start, step, count } = counts.querySelector('svg.bars')?.dataset ?? {};
  if (!start) return;
  const asked = new URLSearchParams(question), now = Date.now() / 1_000;
  const first = +(asked.get('from') ?? start), last = +(asked.get('to') ?? Math.min(now, +start + step * count)), length = last - first;
  const middle = (first + last) / 2 + by * length, half = Math.max(1, length * times / 2);
  between(middle - half, middle + half);
}
