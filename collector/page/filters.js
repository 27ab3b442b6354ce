// The bar of time range, filters, live switch and downloads.
import { $, h, icon, put } from './dom.js';
import { FILTERS, RANGES, apiQuery, interval, isFiltered } from './view.js';
import { Picker } from './picker.js';

const LABELS = {
  namespace: { one: 'Namespace', many: 'namespaces' },
  sender: { one: 'Sender', many: 'senders' },
  origin: { one: 'Origin', many: 'origins' },
  type: { one: 'Type', many: 'types' },
};

export class FilterBar {
  #view;
  #onView;

  // onView(view): what the user asks for. onLive(): pause or resume.
  constructor(root, onView, onLive) {
    this.#onView = onView;
    this.pickers = FILTERS.map((name) => new Picker(name, LABELS[name], (which, names) =>
      onView({ ...this.#view, [which]: names })));
    document.addEventListener('pointerdown', (event) => {
      for (const picker of this.pickers) picker.closeUnless(event.target);
      if (!this.save.contains(event.target)) this.save.open = false;
    });
    this.clear = h('button', { type: 'button', class: 'quiet', onclick: () => onView({
      ...this.#view, namespace: [], sender: [], origin: [], type: [] }) }, icon('close'),
    'Clear filters');
    this.live = h('button', { type: 'button', class: 'live', onclick: onLive });
    put(root, this.#ranges(), this.custom, h('div', { class: 'pickers', role: 'group',
      'aria-label': 'Filters' }, this.pickers.map((picker) => picker.root), this.clear),
    h('div', { class: 'actions' }, this.live, this.#downloads()));
  }

  #ranges() {
    this.choices = [...RANGES].map(([range, { label }]) => h('button', { type: 'button',
      value: range, onclick: () => this.#onView({ ...this.#view, range }) }, label));
    const custom = h('button', { type: 'button', value: 'custom', 'aria-expanded': 'false',
      'aria-controls': 'custom', onclick: () => this.#openCustom() }, 'Custom');
    this.choices.push(custom);
    this.from = h('input', { type: 'datetime-local', step: '1', required: true });
    this.to = h('input', { type: 'datetime-local', step: '1', required: true });
    this.custom = h('form', { id: 'custom', hidden: true, onsubmit: (event) => {
      event.preventDefault();
      this.#submitCustom();
    } }, h('label', {}, 'From ', this.from), h('label', {}, 'To ', this.to),
    h('button', { type: 'submit' }, 'Show'), h('button', { type: 'button', class: 'quiet',
      onclick: () => this.#zoomOut() }, icon('out'), 'Zoom out'),
    h('output', { class: 'problem' }));
    return h('div', { class: 'segments', role: 'group', 'aria-label': 'Time range' }, this.choices);
  }

  #openCustom() {
    const { from, to } = interval(this.#view, Date.now());
    this.from.value = localTime(from);
    this.to.value = localTime(to);
    this.custom.hidden = !this.custom.hidden;
    this.choices.at(-1).setAttribute('aria-expanded', `${!this.custom.hidden}`);
    if (!this.custom.hidden) this.from.focus();
  }

  #submitCustom() {
    const from = new Date(this.from.value).getTime();
    const to = new Date(this.to.value).getTime();
    $('output', this.custom).value = from < to ? '' : 'The end must be after the beginning.';
    if (from < to) this.#onView({ ...this.#view, range: null, from, to });
  }

  // Twice the time around the same middle.
  #zoomOut() {
    const { from, to } = interval(this.#view, Date.now());
    this.#onView({ ...this.#view, range: null, from: Math.round(from - (to - from) / 2),
      to: Math.round(to + (to - from) / 2) });
  }

  #downloads() {
    this.links = ['csv', 'ndjson'].map((kind) => h('a', { download: true,
      onclick: () => { this.save.open = false; } }, kind.toUpperCase()));
    this.save = h('details', { class: 'save', onkeydown: (event) => {
      if (event.key !== 'Escape') return;
      this.save.open = false;
      $('summary', this.save).focus();
    } }, h('summary', {}, icon('download'), 'Download'),
    h('div', { class: 'panel right' }, h('p', {}, 'The events of this view, as'), this.links));
    // The times of a range that moves are those of the click.
    this.save.addEventListener('toggle', () => this.#link());
    return this.save;
  }

  #link() {
    const query = apiQuery(this.#view, Date.now());
    this.links[0].href = `/api/export.csv?${query}`;
    this.links[1].href = `/api/export.ndjson?${query}`;
  }

  show(view) {
    this.#view = view;
    for (const choice of this.choices) {
      choice.setAttribute('aria-pressed', `${(view.range ?? 'custom') === choice.value}`);
    }
    this.custom.hidden = view.range !== null;
    this.choices.at(-1).setAttribute('aria-expanded', `${!this.custom.hidden}`);
    if (view.range === null) {
      this.from.value = localTime(view.from);
      this.to.value = localTime(view.to);
    }
    for (const picker of this.pickers) picker.choose(view[picker.name]);
    this.clear.hidden = !isFiltered(view);
    this.showLive(this.live.dataset.state ?? 'lost');
    this.#link();
  }

  // What there is to choose from.
  offer(series, truncated) {
    for (const picker of this.pickers) {
      const counts = new Map();
      for (const one of series) {
        counts.set(one[picker.name], (counts.get(one[picker.name]) ?? 0) + one.count);
      }
      picker.offer(counts, truncated);
    }
  }

  // Events came.
  beat() {
    const dot = $('.dot', this.live);
    dot?.classList.remove('beat');
    requestAnimationFrame(() => dot?.classList.add('beat'));
  }

  showLive(state) {
    const over = this.#view?.range === null && this.#view.to < Date.now();
    const [text, label] = over ? ['Fixed time', 'Fixed time: it is over, so nothing new will ' +
      'appear. Choose another range to see events come'] : {
      live: ['Live', 'Live: new events appear as they come. Press to pause'],
      polling: ['Every 5 s', 'Every 5 s: there are too many live readers. Press to pause'],
      lost: ['Connecting', 'Connecting to the live stream. Press to pause'],
      paused: ['Paused', 'Paused. Press to go on live'],
    }[state];
    this.live.dataset.state = state;
    this.live.disabled = over;
    this.live.title = label;
    put(this.live, h('span', { class: 'dot', 'aria-hidden': 'true' }), text,
      icon(state === 'paused' ? 'play' : 'pause'));
    this.live.setAttribute('aria-label', label);
  }
}

// As a datetime-local field takes it: local time without a zone.
function localTime(ms) {
  const date = new Date(ms - new Date(ms).getTimezoneOffset() * 60_000);
  return date.toISOString().slice(0, 19);
}
