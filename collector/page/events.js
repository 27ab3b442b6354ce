// The table of events, newest first, in pages; on the first one new events appear as they come.
import { h, icon, put } from './dom.js';
import { getJson } from './api.js';
import { formatAge, formatCount, formatDuration, formatTime, formatValue } from './format.js';
import { apiQuery, interval, matches } from './view.js';

const PAGE = 25;
const COLUMNS = ['Time', 'Type', 'Value', 'Origin', 'Sender', 'Namespace'];

export class Events {
  #view;
  #events = [];
  #cursors = [null]; // where each page up to this one begins
  #next = null;
  #shifted = false; // rows went off the page's end since it was asked for
  #waiting = []; // events that came while the reader was busy with the table
  #open = new Set(); // ids
  #abort = null;

  // on.filter(name, text); on.loaded(whether there are any)
  constructor(root, on) {
    this.on = on;
    this.body = h('tbody', {});
    const heads = COLUMNS.map((text) => h('th', { scope: 'col' }, text));
    this.table = h('table', { class: 'events' },
      h('caption', { class: 'unseen' }, 'Events, newest first'),
      h('thead', {}, h('tr', {}, heads, h('th', { scope: 'col' },
        h('span', { class: 'unseen' }, 'Details')))), this.body);
    this.fresh = h('button', { type: 'button', class: 'fresh', hidden: true,
      onclick: () => this.#showWaiting() });
    this.older = h('button', { type: 'button', onclick: () => this.#older() }, 'Older',
      icon('right'));
    this.newer = h('button', { type: 'button', onclick: () => this.#newer() }, icon('left'),
      'Newer');
    this.place = h('span', { class: 'caption', 'aria-live': 'polite' });
    this.problem = h('p', { class: 'problem', role: 'alert', hidden: true });
    this.empty = h('div', { class: 'none', hidden: true });
    put(root, h('header', {}, h('h2', {}, 'Events'), this.place, h('div', { class: 'pages' },
      this.newer, this.older)), this.problem, this.fresh, this.empty, this.table);
    this.table.addEventListener('pointerleave', () => setTimeout(() => this.#showWaiting(), 0));
    this.table.addEventListener('focusout', () => setTimeout(() => this.#showWaiting(), 0));
  }

  show(view) {
    this.#view = view;
    this.#cursors = [null];
    this.#open.clear();
    return this.#load();
  }

  // Some may have come that were not told. What the reader looks at stays.
  async refresh() {
    const query = apiQuery(this.#view, Date.now(), { limit: PAGE });
    try {
      this.add((await getJson('/api/events', query)).events);
    } catch {
      // The next ones that come, or the next page, will tell.
    }
  }

  async #load() {
    this.#abort?.abort();
    this.#abort = new AbortController();
    const cursor = this.#cursors.at(-1);
    const query = apiQuery(this.#view, Date.now(), { limit: PAGE });
    if (cursor !== null) query.set('before', cursor);
    try {
      const { events, next } = await getJson('/api/events', query, this.#abort.signal);
      this.#events = events;
      this.#next = next;
      this.#shifted = false;
      this.#waiting = [];
      this.problem.hidden = true;
      this.#draw(new Set());
      this.on.loaded(events.length > 0 || this.#cursors.length > 1);
    } catch (error) {
      if (error.name === 'AbortError') return;
      this.problem.textContent = error.message;
      this.problem.hidden = false;
    }
  }

  async #older() {
    if (this.#shifted) await this.#load(); // the next page begins where this one ends now
    if (this.#next === null) return;
    this.#cursors.push(this.#next);
    this.#load();
  }

  #newer() {
    this.#cursors.pop();
    this.#load();
  }

  // Events that came, newest first.
  add(events) {
    const { from, to } = interval(this.#view, Date.now());
    const mine = events.filter((event) => {
      const at = Date.parse(event.timestamp);
      return matches(this.#view, event) && at >= from && (this.#view.range !== null || at < to);
    });
    if (mine.length === 0 || this.#cursors.length > 1) return;
    this.#waiting.push(...mine);
    if (this.#busy()) this.#tellWaiting();
    else this.#showWaiting(true);
  }

  // Rows must not move under a pointer or the focus, nor while one is open.
  #busy() {
    return this.body.matches(':hover') || this.body.contains(document.activeElement) ||
      this.#open.size > 0;
  }

  #tellWaiting() {
    this.fresh.hidden = this.#waiting.length === 0;
    const count = this.#waiting.length;
    put(this.fresh, count === 1 ? 'Show one new event' : `Show ${formatCount(count)} new events`);
  }

  #showWaiting(evenThen = false) {
    if (this.#waiting.length === 0 || (!evenThen && this.#busy() &&
        document.activeElement !== this.fresh)) return;
    const known = new Set(this.#events.map(({ id }) => id));
    const fresh = this.#waiting.filter(({ id }) => !known.has(id) && known.add(id));
    this.#waiting = [];
    const all = [...fresh, ...this.#events]
      .sort((a, b) => Date.parse(b.timestamp) - Date.parse(a.timestamp));
    this.#shifted ||= all.length > PAGE;
    this.#events = all.slice(0, PAGE);
    this.#draw(new Set(fresh.map(({ id }) => id)));
    this.on.loaded(true);
  }

  #draw(fresh) {
    const none = this.#events.length === 0;
    this.table.hidden = none;
    this.empty.hidden = !none;
    put(this.body, this.#events.flatMap((event) => this.#row(event, fresh.has(event.id))));
    this.#tellWaiting();
    const page = this.#cursors.length;
    this.newer.disabled = page === 1;
    this.older.disabled = this.#next === null && !this.#shifted;
    this.place.textContent = none ? '' : `page ${page}${page === 1 ? ', the newest' : ''}`;
  }

  #row(event, fresh) {
    const at = Date.parse(event.timestamp);
    const cell = (name, ...content) => h('td', { 'data-label': name }, content);
    const filter = (name) => cell(name, h('button', { type: 'button', class: 'link',
      title: `Only ${name} ${event[name]}`,
      onclick: () => this.on.filter(name, event[name]) }, event[name]));
    const value = formatValue(event.value, event.payload?.unit);
    const detail = h('tr', { class: 'detail', hidden: !this.#open.has(event.id) },
      h('td', { colspan: COLUMNS.length + 1 }));
    const button = h('button', { type: 'button', class: 'quiet', 'aria-label': 'Details',
      'aria-expanded': `${this.#open.has(event.id)}`,
      onclick: () => this.#toggle(event, button, detail) }, icon('down'));
    if (this.#open.has(event.id)) this.#fillDetail(event, detail);
    return [h('tr', { class: fresh ? 'new' : '' },
      cell('time', h('time', { datetime: event.timestamp,
        title: `${formatTime(at, 'full')}, ${formatAge(Date.now() - at)}` },
      formatTime(at, 'dayAndSecond'))),
      filter('type'), h('td', { 'data-label': 'value', class: 'value', title: value }, value),
      filter('origin'), filter('sender'), filter('namespace'),
      h('td', { class: 'more' }, button)), detail];
  }

  #toggle(event, button, detail) {
    detail.hidden = !detail.hidden;
    button.setAttribute('aria-expanded', `${!detail.hidden}`);
    if (detail.hidden) this.#open.delete(event.id);
    else this.#open.add(event.id);
    if (!detail.hidden) this.#fillDetail(event, detail);
  }

  #fillDetail(event, detail) {
    const { id, namespace, sender, origin, timestamp, received, type, value } = event;
    const payload = event.payload ?? { type, value };
    const delay = Date.parse(received) - Date.parse(timestamp);
    put(detail.firstChild, h('pre', { tabindex: '0' }, JSON.stringify({ namespace, sender, origin,
      payload, timestamp }, null, 2)), h('p', {}, `id ${id}, received ${received}`,
      delay >= 0 ? `, ${formatDuration(delay)} after it was made` : ''));
  }
}
