// The page: what is shown follows from the address (view.js) and from what the collector tells.
import { $, h, icon, put } from './dom.js';
import { getJson } from './api.js';
import { Charts } from './charts.js';
import { Events } from './events.js';
import { FilterBar } from './filters.js';
import { Live } from './live.js';
import { MapCard } from './map.js';
import { StatusStrip } from './status.js';
import {
  RANGES, describe, filterQuery, interval, isFiltered, matches, parseView, seriesKey, viewSearch,
} from './view.js';

const SERIES_REFRESH_MS = 2000; // at the earliest, after a series came that was not known
const SERIES_MAX = 2000;
const NO_FILTERS = { namespace: [], sender: [], origin: [], type: [] };

let view = parseView(location.search);
let series = new Map(); // key -> as /api/series tells
let truncated = false;
let coap = null;
let seriesTimer = null;
let seriesLoaded = null; // a promise

const on = { zoom, filter };
const status = new StatusStrip($('#status'));
const filters = new FilterBar($('#filters'), go, () => (live.paused ? live.resume()
  : live.pause()));
const charts = new Charts($('#charts'), on);
const map = new MapCard($('#map'), on);
const events = new Events($('#events'), { filter, async loaded(some) {
  await seriesLoaded;
  if (!some) showEmpty();
} });
const live = new Live({
  status(now) {
    status.show(now);
    if (now.coap && now.coap !== coap) {
      coap = now.coap;
      if (!events.empty.hidden) showEmpty(); // it tells where to send
    }
  },
  events(message) {
    takeLive(message.events);
    if (message.skipped > 0) charts.allChanged();
  },
  state(state, retryMs) {
    filters.showLive(state);
    if (state === 'lost') status.lost(Date.now(), retryMs);
  },
  missed: refresh,
});

// Shows another view; the back button returns to this one.
function go(next) {
  const search = viewSearch(next);
  if (search !== viewSearch(view)) history.pushState(null, '', search || location.pathname);
  view = next;
  show();
}

function zoom(from, to) {
  go({ ...view, range: null, from: Math.round(from), to: Math.round(Math.max(to, from + 100)) });
}

function filter(name, text) {
  const only = view[name].length === 1 && view[name][0] === text;
  if (!only) go({ ...view, [name]: [text] });
}

addEventListener('popstate', () => {
  view = parseView(location.search);
  show();
});

function show() {
  filters.show(view);
  live.show(filterQuery(view));
  seriesLoaded = loadSeries();
  events.show(view);
  map.show(view);
}

// There may be events that the live stream did not tell of.
function refresh() {
  seriesLoaded = loadSeries();
  events.refresh();
  map.refresh();
}

async function loadSeries() {
  clearTimeout(seriesTimer);
  seriesTimer = null;
  try {
    const known = await getSeries(new URLSearchParams());
    truncated = known.truncated;
    if (truncated && isFiltered(view)) {
      known.series.push(...(await getSeries(filterQuery(view))).series);
    }
    series = new Map(known.series.map((one) => [seriesKey(one), one]));
    $('#problem').hidden = true;
  } catch (error) {
    $('#problem').textContent = error.message;
    $('#problem').hidden = false;
  }
  filters.offer([...series.values()], truncated);
  charts.show(view, [...series.values()]);
}

function getSeries(query) {
  query.set('limit', SERIES_MAX);
  return getJson('/api/series', query);
}

function takeLive(came) {
  filters.beat();
  const { from, to } = interval(view, Date.now());
  let unknown = false;
  const types = new Set();
  for (const event of came) {
    const known = series.get(seriesKey(event));
    const at = Date.parse(event.timestamp);
    unknown ||= known === undefined || Date.parse(known.last) < from;
    if (known && at > Date.parse(known.last)) known.last = event.timestamp;
    if (at >= from && (view.range !== null || at < to)) types.add(event.type);
  }
  charts.changed(types);
  map.add(came);
  events.add(came);
  if (unknown) seriesTimer ??= setTimeout(loadSeries, SERIES_REFRESH_MS);
}

// What to do when there is nothing to see.
function showEmpty() {
  const none = events.empty;
  if (series.size === 0) {
    const [host, port] = whereTo();
    put(none, h('h3', {}, 'No events yet'), h('p', {}, 'Send one:'),
      h('pre', { tabindex: '0' }, `client -H ${host}${port} send temperature 21.5`),
      h('p', {}, 'It appears here as soon as it is stored.'));
    return;
  }
  const filtered = isFiltered(view);
  const ranges = wider();
  put(none, h('h3', {}, `No events in ${describe(view)}${filtered ? ' with these filters' : ''}`),
    h('p', {}, 'The collector has others. ', ranges === null ? null : ['Show ', ranges],
      ranges !== null && filtered ? ', or ' : null,
      filtered ? button('clear the filters', NO_FILTERS) : null, '.'));
}

const button = (text, change) => h('button', { type: 'button', class: 'link',
  onclick: () => go({ ...view, ...change }) }, text);

// A range in which the newest event is that the filters let through; null when it is in this one.
function wider() {
  const newest = Math.max(...[...series.values()].filter((one) => matches(view, one))
    .map(({ last }) => Date.parse(last)));
  const { from, to } = interval(view, Date.now());
  if (newest === -Infinity || (newest >= from && newest < to)) return null;
  const [range, { words }] = [...RANGES].find(([, { length }]) => Date.now() - newest < length) ??
    [...RANGES].at(-1);
  return button(words, { range });
}

// Where a client sends to: the host that this page came from.
function whereTo() {
  const port = coap?.match(/:(\d+)/)?.[1];
  return [location.hostname, port && port !== '5683' ? ` -P ${port}` : ''];
}

const THEMES = { auto: 'as the system has it', light: 'light', dark: 'dark' };

function showTheme() {
  const names = Object.keys(THEMES);
  const theme = document.documentElement.dataset.choice;
  const next = names[(names.indexOf(theme) + 1) % names.length];
  const button = $('#theme');
  put(button, icon(theme));
  button.title = `Colours: ${THEMES[theme]}. Change to ${THEMES[next]}`;
  button.setAttribute('aria-label', button.title);
  button.onclick = () => {
    window.applyTheme(next);
    try {
      localStorage.setItem('theme', next);
    } catch {
      // Kept for as long as the page is open.
    }
  };
  charts.redraw();
  map.redraw();
}

addEventListener('theme', showTheme);
showTheme();
filters.showLive('lost');
show();
