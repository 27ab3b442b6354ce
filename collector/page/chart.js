// The chart of one type: a mean line and a min/max band for each origin, drawn by uPlot, and the
// same as a table for whoever does not see a canvas.
/* global uPlot */
import { h, icon, put } from './dom.js';
import {
  DAY, MINUTE, formatCount, formatDuration, formatMean, formatNumber,
  formatTime,
} from './format.js';
import { lookOfLine as look, palette, withAlpha } from './colours.js';
import { seriesKey } from './view.js';

const HEIGHT_MIN = 190;
const FONT = '11px system-ui, sans-serif';
const GAP = 5; // a line is broken by a pause this many times as long as those around it
const TABLE_ROWS_MAX = 500;

export class ChartCard {
  #data = null; // as /api/chart answers
  #plot = null;
  #shape = ''; // which series the plot was made for
  #off = new Set();
  #colours = palette();
  #steps = false;

  // on.zoom(from, to), on.filter(name, text)
  constructor(type, on) {
    this.type = type;
    this.on = on;
    this.caption = h('p', { class: 'caption' });
    this.tableButton = h('button', { type: 'button', class: 'quiet', 'aria-pressed': 'false',
      title: 'Numbers instead of lines', 'aria-label': `Numbers of ${type}`,
      onclick: () => this.#toggleTable() }, icon('table'));
    this.box = h('div', { class: 'plot', tabindex: '0', role: 'group',
      'aria-label': `Chart of ${type}. Left and right arrow keys read its values, plus and minus ` +
        'zoom.', onkeydown: (event) => this.#key(event), onblur: () => this.#leave() });
    this.tip = h('div', { class: 'tip', role: 'status', hidden: true });
    this.frame = h('div', { class: 'frame' }, this.box, this.tip);
    this.numbers = h('div', { class: 'numbers', tabindex: '0', role: 'region', hidden: true,
      'aria-label': `Numbers of ${type}` });
    this.legend = h('table', { class: 'legend' });
    this.problem = h('p', { class: 'problem', role: 'alert', hidden: true });
    this.root = h('article', { class: 'card chart', 'aria-label': type },
      h('header', {}, h('h2', {}, type), this.caption, this.tableButton),
      this.problem, this.frame, this.numbers,
      h('div', { class: 'legend-box' }, this.legend));
    new ResizeObserver(() => this.#resize()).observe(this.box);
  }

  // How many buckets are worth asking for.
  get buckets() { return Math.max(100, Math.min(Math.round(this.box.clientWidth || 600), 1200)); }

  show(data, isBoolean) {
    data.series = data.series.filter(({ t }) => t.length > 0); // what has nothing in this time
    data.series.sort((a, b) => collate(a.origin, b.origin) || collate(a.sender, b.sender) ||
      collate(a.namespace, b.namespace));
    this.#data = data;
    this.#steps = isBoolean;
    this.problem.hidden = true;
    const { series, bucket_ms: bucket, truncated, behind } = data;
    this.caption.textContent = [
      series.length === 0 ? 'nothing in this time' : `mean and range per ${formatDuration(bucket)}`,
      truncated && `the latest ${series.length} series; filter to see others`,
      behind > 0 && `${formatCount(behind)} events not in it yet`].filter(Boolean).join(' · ');
    const shape = JSON.stringify(series.map(seriesKey)) + isBoolean;
    const columns = this.#columns();
    if (this.#plot === null || shape !== this.#shape) {
      this.#shape = shape;
      this.#draw(columns);
    } else {
      this.#plot.setData(columns);
    }
    this.#showLegend();
    this.#resize(); // the legend may have taken some of its room
    if (!this.numbers.hidden) this.#showNumbers();
  }

  fail(error) {
    this.problem.textContent = error.message;
    this.problem.hidden = false;
  }

  // After a change of the theme.
  redraw() {
    this.#colours = palette();
    if (this.#data) this.#draw(this.#columns());
  }

  remove() {
    this.#plot?.destroy();
    this.root.remove();
  }

  #size() {
    return { width: Math.max(this.box.clientWidth, 100),
      height: Math.max(this.box.clientHeight, HEIGHT_MIN) };
  }

  #resize() {
    const size = this.#size();
    const { width, height } = this.#plot ?? size;
    if (width !== size.width || height !== size.height) this.#plot.setSize(size);
  }

  // [times, low, mean, high of the first series, low, ...]. Where a series has no bucket of its own
  // its line goes on (undefined), unless much more than usual is missing (null).
  #columns() {
    const { series } = this.#data;
    const gaps = series.map((one) => gapsOf(one.t));
    const times = [...new Set(series.flatMap((one, i) => [...one.t,
      ...gaps[i].map(([from, to]) => (from + to) / 2)]))].sort((a, b) => a - b);
    const at = new Map(times.map((time, i) => [time, i]));
    const columns = [times];
    series.forEach((one, s) => {
      const empty = Array(times.length).fill(undefined);
      for (const [from, to] of gaps[s]) empty.fill(null, at.get(from) + 1, at.get(to));
      for (const values of [one.min, one.mean, one.max]) {
        const column = empty.slice();
        one.t.forEach((time, i) => { column[at.get(time)] = values[i]; });
        columns.push(column);
      }
    });
    return columns;
  }

  #draw(columns) {
    this.#plot?.destroy();
    this.#plot = new uPlot(this.#options(), columns, this.box);
  }

  #options() {
    const { series } = this.#data;
    const bands = series.map((one, i) => ({ series: [3 * i + 3, 3 * i + 1],
      fill: withAlpha(this.#colours[look(one).colour], 0.16) }));
    return {
      ...this.#size(), ms: 1, bands, legend: { show: false }, padding: [8, 18, 0, 0],
      scales: { x: { time: true, range: () => [this.#data.from_ms, this.#data.to_ms] },
        y: { range: this.#steps ? [-0.1, 1.1] : undefined } },
      series: [{}, ...series.flatMap((one) => this.#lines(one))],
      axes: [this.#axis({ values: timeLabels, space: 70, size: 34 }),
        this.#axis({ values: (plot, ticks) => ticks.map((tick) => tick === null ? ''
          : formatNumber(tick)), size: widthOfLabels, space: 28 })],
      cursor: { sync: { key: 'charts', setSeries: false }, points: { size: 7 },
        drag: { x: true, y: false, setScale: false },
        bind: { dblclick: () => () => { this.#zoom(2); return null; } } },
      hooks: { setCursor: [() => this.#tip()], setSelect: [(plot) => this.#selected(plot)] },
    };
  }

  #axis(more) {
    const line = { stroke: this.#colours['--line'], width: 1 };
    return { stroke: this.#colours['--muted'], font: FONT, grid: line,
      ticks: { ...line, size: 4 }, gap: 4, ...more };
  }

  #lines(one) {
    const { colour, dash } = look(one);
    const shared = { show: !this.#off.has(seriesKey(one)),
      paths: this.#steps ? uPlot.paths.stepped({ align: 1 }) : uPlot.paths.linear() };
    const edge = { ...shared, stroke: 'transparent', width: 0, points: { show: false } };
    const mean = { ...shared, stroke: this.#colours[colour], dash, width: 1.6,
      points: { size: 4, fill: this.#colours[colour], filter: lonely } };
    return [edge, mean, edge];
  }

  #showLegend() {
    const rows = this.#data.series.map((one, i) => {
      const { colour, dash } = look(one);
      const key = seriesKey(one);
      const shown = !this.#off.has(key);
      const total = one.count.reduce((sum, n) => sum + n, 0);
      const mean = one.mean.reduce((sum, m, k) => sum + m * one.count[k], 0) / total;
      const name = h('button', { type: 'button', class: 'series', 'aria-pressed': `${shown}`,
        title: `${one.namespace} · ${one.sender} · ${one.origin}: ${shown ? 'hide' : 'show'}`,
        onclick: () => this.#switch(i, key) },
      h('span', { class: `swatch${dash ? ' dashed' : ''}`,
        style: { color: `var(${colour})` } }), this.nameOf(one));
      const cells = [one.mean.at(-1), Math.min(...one.min), mean, Math.max(...one.max)];
      return h('tr', { class: shown ? '' : 'off' }, h('th', { scope: 'row' }, name),
        cells.map((value) => h('td', {}, formatMean(value))),
        h('td', {}, formatCount(total)));
    });
    const focused = [...this.legend.querySelectorAll('button')].indexOf(document.activeElement);
    put(this.legend, h('caption', { class: 'unseen' }, `${this.type} in the time shown`),
      h('thead', {}, h('tr', {}, ['Origin', 'Last', 'Min', 'Mean', 'Max', 'Events']
        .map((text) => h('th', { scope: 'col' }, text)))), h('tbody', {}, rows));
    if (focused >= 0) this.legend.querySelectorAll('button')[focused]?.focus();
  }

  // The origin, and what else it takes to tell two series apart.
  nameOf(one) {
    const alike = this.#data.series.filter((other) => other.origin === one.origin);
    if (alike.length === 1) return one.origin;
    const sender = alike.some((other) => other.sender !== one.sender);
    const namespace = alike.some((other) => other.namespace !== one.namespace);
    return `${one.origin} (${[namespace && one.namespace, sender && one.sender]
      .filter(Boolean).join(', ')})`;
  }

  #switch(i, key) {
    if (!this.#off.delete(key)) this.#off.add(key);
    for (let k = 1; k <= 3; k += 1) this.#plot.setSeries(3 * i + k, { show: !this.#off.has(key) });
    this.#showLegend();
  }

  #toggleTable() {
    const numbers = this.numbers.hidden;
    this.numbers.hidden = !numbers;
    this.frame.hidden = numbers;
    this.tableButton.setAttribute('aria-pressed', `${numbers}`);
    if (numbers && this.#data) this.#showNumbers();
  }

  #showNumbers() {
    const rows = this.#data.series.flatMap((one) => one.t.map((time, i) => ({ one, time, i })));
    rows.sort((a, b) => b.time - a.time);
    const more = rows.length - TABLE_ROWS_MAX;
    put(this.numbers, h('table', {}, h('thead', {}, h('tr', {},
      ['From', 'Origin', 'Min', 'Mean', 'Max', 'Events'].map((text) =>
        h('th', { scope: 'col' }, text)))),
    h('tbody', {}, rows.slice(0, TABLE_ROWS_MAX).map(({ one, time, i }) => h('tr', {},
      h('td', {}, formatTime(time, 'dayAndSecond')), h('td', {}, this.nameOf(one)),
      [one.min[i], one.mean[i], one.max[i]].map((value) => h('td', {},
        formatMean(value))), h('td', {}, formatCount(one.count[i])))))),
    more > 0 ? h('p', {}, `${formatCount(more)} more: zoom in, or download them.`) : null);
  }

  #selected(plot) {
    const { left, width } = plot.select;
    if (width < 4) return;
    plot.setSelect({ left: 0, width: 0, top: 0, height: 0 }, false);
    this.on.zoom(plot.posToVal(left, 'x'), plot.posToVal(left + width, 'x'));
  }

  // Around the middle, or the cursor; factor 2 shows twice as much.
  #zoom(factor) {
    const { from_ms: from, to_ms: to } = this.#data;
    const { left } = this.#plot.cursor;
    const middle = factor < 1 && left > 0 ? this.#plot.posToVal(left, 'x') : (from + to) / 2;
    const half = (to - from) * factor / 2;
    this.on.zoom(middle - half, middle + half);
  }

  #key(event) {
    if (this.#plot === null || event.ctrlKey || event.metaKey || event.altKey) return;
    const [times] = this.#plot.data;
    const at = this.#plot.cursor.idx;
    const to = {
      ArrowLeft: Math.max(0, (at ?? times.length) - 1),
      ArrowRight: Math.min(times.length - 1, (at ?? -1) + 1),
      Home: 0, End: times.length - 1,
    }[event.key];
    if (to !== undefined) {
      this.#plot.setCursor({ left: this.#plot.valToPos(times[to], 'x'), top: 10 });
    } else if (event.key === '+') this.#zoom(0.5);
    else if (event.key === '-') this.#zoom(2);
    else if (event.key === 'Escape') this.#leave();
    else return;
    event.preventDefault();
  }

  #leave() {
    this.#plot?.setCursor({ left: -10, top: -10 });
    this.tip.hidden = true;
  }

  // The values under the cursor, highest first; only where the reader is.
  #tip() {
    const plot = this.#plot;
    const here = plot && (this.box.matches(':focus') || plot.over.matches(':hover'));
    const { idx, left } = plot?.cursor ?? {};
    if (!here || idx === null || idx === undefined || left < 0) {
      this.tip.hidden = true;
      return;
    }
    const time = plot.data[0][idx];
    const rows = this.#data.series
      .map((one) => ({ one, i: nearest(one.t, time, this.#data.bucket_ms) }))
      .filter(({ one, i }) => i >= 0 && !this.#off.has(seriesKey(one)))
      .sort((a, b) => b.one.mean[b.i] - a.one.mean[a.i]);
    put(this.tip, h('b', {}, formatTime(time, 'dayAndSecond')),
      h('table', {}, rows.slice(0, 12).map(({ one, i }) => h('tr', {},
        h('th', { scope: 'row' }, h('span', { class: 'swatch',
          style: { color: `var(${look(one).colour})` } }), this.nameOf(one)),
        h('td', {}, formatMean(one.mean[i])),
        h('td', { class: 'range' }, one.count[i] === 1 ? '' : `${formatMean(one.min[i])
        } to ${formatMean(one.max[i])}`)))),
      rows.length > 12 ? h('small', {}, `and ${rows.length - 12} more`) : null);
    this.tip.hidden = false;
    const at = left + plot.bbox.left / devicePixelRatio;
    const width = this.tip.offsetWidth;
    const beside = at + 14 + width < this.frame.clientWidth ? at + 14 : at - 14 - width;
    this.tip.style.transform = `translate(${Math.max(0, beside)}px, 6px)`;
  }
}

const { compare: collate } = new Intl.Collator(undefined, { numeric: true });

// Pauses much longer than those around them, as [last time before, first time after].
function gapsOf(times) {
  const steps = times.slice(1).map((time, i) => time - times[i]);
  return steps.flatMap((step, i) => {
    const around = steps.slice(Math.max(0, i - 4), i + 5).toSorted((a, b) => a - b);
    const usual = around[Math.floor((around.length - 1) / 2)];
    return step > GAP * usual ? [[times[i], times[i + 1]]] : [];
  });
}

// Points where a line alone would show nothing: beside gaps on both sides, or few in all.
function lonely(plot, seriesIndex, show) {
  const values = plot.data[seriesIndex];
  const present = [];
  let count = 0;
  values.forEach((value) => { count += value !== undefined && value !== null; });
  if (show || count * 12 < plot.bbox.width / devicePixelRatio) {
    values.forEach((value, i) => { if (value !== undefined && value !== null) present.push(i); });
    return present;
  }
  let before = null; // the last thing that is not undefined
  let candidate = null;
  values.forEach((value, i) => {
    if (value === undefined) return;
    if (value === null) {
      if (candidate !== null) present.push(candidate);
      candidate = null;
    } else {
      candidate = before === null ? i : null;
    }
    before = value;
  });
  if (candidate !== null) present.push(candidate);
  return present;
}

// The bucket nearest to a time, not further away than a few of them.
function nearest(times, time, bucketMs) {
  let best = -1;
  for (let i = 0; i < times.length; i += 1) {
    if (best < 0 || Math.abs(times[i] - time) < Math.abs(times[best] - time)) best = i;
  }
  const far = GAP * Math.max(bucketMs, times.length > 1 ? times[1] - times[0] : 0);
  return best >= 0 && Math.abs(times[best] - time) <= far ? best : -1;
}

// As exact as the ticks are apart, with the day below where it changes.
function timeLabels(plot, ticks, axis, space, step) {
  let shown = '';
  return ticks.map((tick) => {
    if (step >= 28 * DAY) return formatTime(tick, 'year');
    const day = formatTime(tick, 'day');
    if (step >= DAY) return day;
    const text = formatTime(tick, step < MINUTE ? 'second' : 'minute');
    const changed = day !== shown;
    shown = day;
    return changed ? `${text}\n${day}` : text;
  });
}

function widthOfLabels(plot, labels) {
  const longest = Math.max(0, ...(labels ?? []).map((label) => label.length));
  return Math.max(34, 14 + longest * 6.5);
}
