// Charts: the server draws them, and this lets them be pointed at. A crosshair on all charts of the page, a tip on one, lines
// switched on and off, a stretch of time chosen by dragging or by keys, and the way to the lines of a moment.
// What is on a figure: see chart/figure.rs.

const charts = new Set();

const make = (tag, name, text) => {
  const element = document.createElement(tag);
  if (name) element.className = name;
  if (text !== undefined) element.textContent = text;
  return element;
};

// A zone that the browser does not know, or one without a name, is shown by its offset.
const clock = ({ zone, offset, step }) => {
  const parts = { day: 'numeric', month: 'short', hour: '2-digit', minute: '2-digit', hourCycle: 'h23' };
  if (step % 60) parts.second = '2-digit';
  const shape = timeZone => new Intl.DateTimeFormat('en-GB', { ...parts, timeZone });
  try {
    if (zone) {
      const format = shape(zone);
      return seconds => format.format(seconds * 1000);
    }
  } catch { /* by its offset, then */ }
  const format = shape('UTC');
  return seconds => format.format((seconds + Number(offset)) * 1000);
};

// As chart/scale.rs writes numbers: three digits, or all before the point.
const amount = (value, unit) => {
  const size = Math.abs(value);
  let text = '0';
  if (size && (size < 1e-6 || size >= 1e15)) text = value.toExponential(2);
  else if (size) {
    const digits = size > 99 && size < 100 ? 3 : 2;
    text = value.toFixed(Math.min(8, Math.max(0, digits - Math.floor(Math.log10(size)))));
    if (text.includes('.')) text = text.replace(/\.?0+$/, '');
    text = text.replace(/^-?\d+/, whole => whole.replace(/\B(?=(\d{3})+$)/g, '\u202f'));
  }
  text = text.replaceAll('-', '\u2212');
  return unit ? `${text} ${unit}` : text;
};

export function attach(root = document) {
  for (const chart of charts) if (!chart.figure.isConnected) charts.delete(chart);
  for (const figure of root.querySelectorAll('figure.chart')) {
    const plot = figure.querySelector('svg.plot');
    const known = [...charts].some(chart => chart.figure === figure);
    if (plot && figure.querySelector('.tip') && !known) charts.add(new Chart(figure, plot));
  }
}

class Chart {
  constructor(figure, plot) {
    const { start, step, closed, unit, kind, lines, zone, offset } = figure.dataset;
    Object.assign(this, { figure, plot, unit, lines, start: +start, step: +step, closed: +closed, isStacked: kind === 'stack' });
    this.time = clock({ zone, offset, step: this.step });
    this.tip = figure.querySelector('.tip');
    this.said = figure.querySelector('.said');
    this.cross = plot.querySelector('.cross');
    this.brush = plot.querySelector('.brush');
    this.series = [...plot.querySelectorAll('path[data-k]')].map(path => ({
      name: path.dataset.n,
      look: path.classList[1],
      values: path.dataset.v.split(' ').map(value => value === '-' ? null : Number(value)),
      paths: [path, ...plot.querySelectorAll(`path[data-of="${Number(path.dataset.k)}"]`)],
      isOn: true,
    }));
    this.isBars = plot.querySelector('path.br') !== null;
    this.marks = [...plot.querySelectorAll('.mark')].map(mark => ({ at: +mark.dataset.t, name: mark.dataset.n }));
    this.steps = this.series[0]?.values.length ?? 0;
    this.at = this.steps - 1;
    this.from = null;
    if (this.steps) this.listen();
  }

  listen() {
    const { plot } = this;
    plot.addEventListener('pointermove', event => {
      if (this.isPinned) return;
      this.at = this.under(event);
      point(this);
      if (this.from !== null) this.choose();
    });
    plot.addEventListener('pointerleave', () => { if (this.from === null && !this.isPinned) clear(); });
    plot.addEventListener('pointerdown', event => {
      this.isPinned = false;
      this.at = this.under(event);
      if (event.button !== 0 || event.pointerType === 'touch') return;
      this.from = this.at;
      plot.setPointerCapture(event.pointerId);
      plot.focus({ preventScroll: true });
      event.preventDefault();
    });
    plot.addEventListener('pointerup', event => {
      const isDrag = this.from !== null && Math.abs(this.from - this.at) > 0;
      if (isDrag) this.take(event.shiftKey || event.altKey);
      else this.pin();
      this.from = null;
    });
    plot.addEventListener('pointercancel', () => this.drop());
    plot.addEventListener('keydown', event => this.key(event));
    plot.addEventListener('blur', event => { if (!this.figure.contains(event.relatedTarget)) this.drop(); });
    for (const button of this.figure.querySelectorAll('.legend button[data-k]')) {
      const one = this.series[button.dataset.k];
      if (!one) continue;
      one.button = button;
      button.addEventListener('click', event => this.toggle(one, event.shiftKey || event.altKey));
      button.addEventListener('pointerenter', () => this.light(one, true));
      button.addEventListener('pointerleave', () => this.light(one, false));
    }
  }

  // Which step is under the pointer.
  under(event) {
    const { left, width } = this.plot.getBoundingClientRect();
    const share = Math.min(1, Math.max(0, (event.clientX - left) / width));
    const at = this.isBars ? Math.floor(share * this.steps) : Math.round(share * (this.steps - 1));
    return Math.min(this.steps - 1, at);
  }

  // Where a step stands, in per cent.
  place(at) {
    if (this.isBars) return (at + .5) * 100 / this.steps;
    return this.steps > 1 ? at * 100 / (this.steps - 1) : 50;
  }

  begins(at) { return this.start + at * this.step; }

  key(event) {
    const by = { ArrowLeft: -1, ArrowRight: 1, PageUp: -15, PageDown: 15, Home: -Infinity, End: Infinity }[event.key];
    if (by) {
      const was = this.at;
      this.isPinned = false;
      this.at = Math.min(this.steps - 1, Math.max(0, this.at + by));
      if (event.shiftKey) { this.from ??= was; this.choose(); } else this.unchoose();
      point(this);
      if (this.said) this.said.textContent = [...this.tip.children].map(row => [...row.childNodes].map(part => part.textContent).join(' ').trim()).join(', ');
    } else if (event.key === 'Enter' && this.from !== null) this.take(event.altKey);
    else if (event.key === 'Enter') { point(this); this.pin(); this.tip.querySelector('a')?.focus(); }
    else if (event.key === 'Escape') this.drop();
    else return;
    event.preventDefault();
  }

  choose() {
    const wide = this.isBars ? this.steps : Math.max(1, this.steps - 1);
    const [low, high] = [Math.min(this.from, this.at), Math.max(this.from, this.at) + (this.isBars ? 1 : 0)];
    this.brush.setAttribute('x', `${low * 100 / wide}%`);
    this.brush.setAttribute('width', `${(high - low) * 100 / wide}%`);
  }

  unchoose() {
    this.from = null;
    this.brush.setAttribute('width', 0);
  }

  drop() {
    this.isPinned = false;
    this.unchoose();
    clear();
  }

  // What was chosen is zoomed into, or its lines are shown.
  take(areLines) {
    const [low, high] = [Math.min(this.from, this.at), Math.max(this.from, this.at)];
    const [from, to] = [this.begins(low), this.begins(high + 1)];
    this.unchoose();
    const url = new URL(areLines && this.lines ? this.lines : location.href, location.href);
    for (const name of ['range', 'time']) url.searchParams.delete(name);
    url.searchParams.set('from', from);
    url.searchParams.set('to', to);
    location.assign(url);
  }

  // The tip stays, with the way to the lines.
  pin() {
    if (!this.lines) return;
    point(this);
    this.isPinned = true;
    const url = new URL(this.lines, location.href);
    url.searchParams.set('time', this.begins(this.at));
    const link = make('a', 'lines', `Lines of ${this.time(this.begins(this.at))}`);
    link.href = url;
    this.tip.append(link);
    this.tip.classList.add('pinned');
    this.beside();
  }

  toggle(one, isAlone) {
    for (const other of this.series) {
      if (isAlone) other.isOn = other === one;
      else if (other === one) other.isOn = !other.isOn;
      other.button?.setAttribute('aria-pressed', other.isOn);
      for (const path of other.paths) path.classList.toggle('off', !other.isOn);
    }
  }

  light(one, isOn) {
    this.figure.classList.toggle('dim', isOn);
    for (const path of one.paths) path.classList.toggle('hot', isOn);
  }

  // What step `at` says.
  tell(at) {
    const begins = this.begins(at), ends = begins + this.step;
    const head = make('time', '', this.time(begins) + (this.step > 60 ? ` – ${this.time(ends).split(', ').pop()}` : ''));
    if (at >= this.closed) head.append(make('em', '', ' so far'));
    this.tip.replaceChildren(head);
    this.tip.classList.remove('pinned');
    const known = this.series.filter(one => one.isOn && one.values[at] !== null);
    const rows = this.isBars ? known.filter(one => one.values[at]) : known;
    if (!rows.length) this.tip.append(make('span', '', known.length ? 'none' : 'no data'));
    // Many: the highest. On one another: as they stand.
    const many = rows.length > 8;
    const shown = many ? [...rows].sort((a, b) => b.values[at] - a.values[at]).slice(0, 8) : this.isStacked ? [...rows].reverse() : rows;
    const row = (look, name, value) => {
      const line = make('div');
      if (look) line.append(make('i', `sw ${look}`));
      line.append(make('span', '', name || 'all'), make('b', '', amount(value, this.unit)));
      this.tip.append(line);
    };
    for (const one of shown) row(one.look, one.name, one.values[at]);
    if (many) this.tip.append(make('span', '', `and ${rows.length - shown.length} more`));
    if (this.isStacked && rows.length > 1) row('', 'total', rows.reduce((sum, one) => sum + one.values[at], 0));
    const near = Math.max(this.step, this.step * this.steps / 150);
    for (const mark of this.marks.filter(mark => Math.abs(mark.at - begins) < near).slice(0, 3)) this.tip.append(make('span', 'what', mark.name));
    this.beside();
  }

  // The tip stands beside the crosshair, on the side that has room.
  beside() {
    const box = this.plot.parentElement.getBoundingClientRect(), plot = this.plot.getBoundingClientRect();
    const x = plot.left - box.left + this.place(this.at) * plot.width / 100;
    const wide = this.tip.offsetWidth;
    this.tip.style.left = `${x + 14 + wide > box.width ? Math.max(0, x - 14 - wide) : x + 14}px`;
  }
}

// The moment that is pointed at, on every chart that has it.
function point(source) {
  const time = source.begins(source.at);
  for (const chart of charts) {
    const at = Math.floor((time - chart.start) / chart.step);
    const has = at >= 0 && at < chart.steps;
    chart.cross.classList.toggle('on', has);
    chart.tip.hidden = chart !== source;
    if (chart !== source) chart.isPinned = false;
    if (!has) continue;
    const line = chart.cross.firstElementChild;
    for (const end of ['x1', 'x2']) line.setAttribute(end, `${chart.place(at)}%`);
    if (chart === source) chart.tell(at);
  }
}

function clear() {
  for (const chart of charts) {
    chart.cross.classList.remove('on');
    chart.tip.hidden = true;
  }
}

attach();
