// What is looked at: filters and a time range. It is the page's address, so that it can be shared,
// survives a reload, and the back button works. Values and pure functions; `now` is an argument.
import { DAY, HOUR, MINUTE } from './format.js';

export const FILTERS = ['namespace', 'sender', 'origin', 'type'];

export const RANGES = new Map([
  ['15m', { label: '15 min', words: 'the last 15 minutes', length: 15 * MINUTE }],
  ['1h', { label: 'Hour', words: 'the last hour', length: HOUR }],
  ['24h', { label: 'Day', words: 'the last 24 hours', length: DAY }],
  ['7d', { label: 'Week', words: 'the last 7 days', length: 7 * DAY }],
  ['1y', { label: 'Year', words: 'the last year', length: 365 * DAY }],
]);
const DEFAULT_RANGE = '1h';

// {namespace: [...], sender: [...], origin: [...], type: [...], range: '1h'} or, instead of a
// range, {from, to} in milliseconds. What an address has that cannot be is left out.
export function parseView(search) {
  const given = new URLSearchParams(search);
  const view = { range: DEFAULT_RANGE, from: null, to: null };
  for (const name of FILTERS) {
    view[name] = [...new Set(given.getAll(name).filter((text) => text !== ''))];
  }
  if (RANGES.has(given.get('range'))) view.range = given.get('range');
  const from = Date.parse(given.get('from') ?? '');
  const to = Date.parse(given.get('to') ?? '');
  if (from < to) Object.assign(view, { range: null, from, to });
  return view;
}

export function viewSearch(view) {
  const query = filterQuery(view);
  if (view.range === null) {
    query.set('from', new Date(view.from).toISOString());
    query.set('to', new Date(view.to).toISOString());
  } else if (view.range !== DEFAULT_RANGE) {
    query.set('range', view.range);
  }
  const text = query.toString();
  return text === '' ? '' : `?${text}`;
}

export function interval(view, now) {
  if (view.range === null) return { from: view.from, to: view.to };
  return { from: now - RANGES.get(view.range).length, to: now };
}

export function filterQuery(view) {
  const query = new URLSearchParams();
  for (const name of FILTERS) for (const text of view[name]) query.append(name, text);
  return query;
}

// Filters and times as the collector's interface takes them. The end of a range that moves is left
// open: a device's clock may be ahead of ours.
export function apiQuery(view, now, more = {}) {
  const query = filterQuery(view);
  const { from, to } = interval(view, now);
  query.set('from', new Date(from).toISOString());
  if (view.range === null) query.set('to', new Date(to).toISOString());
  for (const [name, value] of Object.entries(more)) query.set(name, value);
  return query;
}

export const isFiltered = (view) => FILTERS.some((name) => view[name].length > 0);

export function describe(view) {
  if (view.range !== null) return RANGES.get(view.range).words;
  return 'the chosen time';
}

// Whether an event, or a series, has what the view asks for.
export function matches(view, named) {
  return FILTERS.every((name) => view[name].length === 0 || view[name].includes(named[name]));
}

export const seriesKey = (named) =>
  JSON.stringify(FILTERS.map((name) => named[name]));
