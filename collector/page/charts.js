// A chart for each type that has numbers, kept up to date.
import { h, put } from './dom.js';
import { getJson } from './api.js';
import { ChartCard } from './chart.js';
import { lookOfLine } from './colours.js';
import { apiQuery, interval, matches } from './view.js';
import { formatCount } from './format.js';

const SHOWN_MAX = 12;
const REFRESH_MS_MIN = 1000;
const AT_ONCE = 2; // the collector may be a small board
const REST = 10; // a chart that took t to get is asked for again after this many times t

export class Charts {
  #view;
  #cards = new Map(); // type -> {card, dirty, loadedAt, tookMs, isBoolean, abort}
  #all = false;
  #asking = 0;

  constructor(root, on) {
    this.root = root;
    this.on = on;
    this.more = h('button', { type: 'button', class: 'link', hidden: true, onclick: () => {
      this.#all = true;
      this.show(this.#view, this.series);
    } });
    setInterval(() => this.#refresh(), REFRESH_MS_MIN / 2);
  }

  get empty() { return this.#cards.size === 0; }

  // Draws what a view has; `series` is what the collector knows of.
  show(view, series) {
    this.#view = view;
    this.series = series;
    const types = this.#types();
    for (const one of [...series].sort((a, b) => a.origin.localeCompare(b.origin))) {
      if (hasNumbers(one) && matches(view, one)) lookOfLine(one); // colours in order of names
    }
    const shown = this.#all ? types : types.slice(0, SHOWN_MAX);
    for (const [type, { card, abort }] of this.#cards) {
      if (shown.some((one) => one.type === type)) continue;
      abort?.abort();
      card.remove();
      this.#cards.delete(type);
    }
    for (const { type, isBoolean } of shown) {
      if (!this.#cards.has(type)) {
        this.#cards.set(type, { card: new ChartCard(type, this.on), loadedAt: 0, tookMs: 0 });
      }
      Object.assign(this.#cards.get(type), { isBoolean, dirty: true, loadedAt: 0 });
    }
    // Without moving what is there: that would take the focus away.
    shown.forEach(({ type }, i) => {
      const { root } = this.#cards.get(type).card;
      if (this.root.children[i] !== root) this.root.insertBefore(root, this.root.children[i]);
    });
    this.root.after(this.more);
    this.more.hidden = shown.length === types.length;
    put(this.more, `Show ${formatCount(types.length - shown.length)} more types`);
    this.#refresh();
  }

  // Which types a view has numbers of, by name.
  #types() {
    const { from, to } = interval(this.#view, Date.now());
    const types = new Map();
    for (const one of this.series) {
      if (!hasNumbers(one) || !matches(this.#view, one)) continue;
      if (Date.parse(one.last) < from || Date.parse(one.first) >= to) continue;
      types.set(one.type, typeof one.last_value === 'boolean');
    }
    return [...types].map(([type, isBoolean]) => ({ type, isBoolean }))
      .sort((a, b) => a.type.localeCompare(b.type, undefined, { numeric: true }));
  }

  // New events of these types came.
  changed(types) {
    for (const type of types) {
      const one = this.#cards.get(type);
      if (one) one.dirty = true;
    }
  }

  allChanged() { this.changed(this.#cards.keys()); }

  redraw() { for (const { card } of this.#cards.values()) card.redraw(); }

  #refresh() {
    if (document.hidden) return;
    const now = performance.now();
    for (const [type, one] of this.#cards) {
      if (this.#asking >= AT_ONCE) return;
      const due = one.loadedAt + Math.max(REFRESH_MS_MIN, REST * one.tookMs);
      if (one.dirty && (one.loadedAt === 0 || now >= due)) this.#load(type, one);
    }
  }

  async #load(type, one) {
    one.abort?.abort();
    one.abort = new AbortController();
    one.dirty = false;
    const started = performance.now();
    one.loadedAt = started;
    const now = Date.now();
    const query = apiQuery({ ...this.#view, type: [type] }, now, { buckets: one.card.buckets });
    query.set('to', new Date(interval(this.#view, now).to).toISOString());
    this.#asking += 1;
    try {
      one.card.show(await getJson('/api/chart', query, one.abort.signal), one.isBoolean);
    } catch (error) {
      if (error.name !== 'AbortError') one.card.fail(error);
    } finally {
      this.#asking -= 1;
    }
    one.tookMs = performance.now() - started;
    this.#refresh(); // the next one
  }
}

const hasNumbers = ({ last_value: value }) => ['number', 'boolean'].includes(typeof value);
