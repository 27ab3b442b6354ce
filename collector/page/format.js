// Numbers, times and values as text, in the reader's own locale and time zone.
import { positionOf } from './geo.js';

const number = new Intl.NumberFormat(undefined, { maximumSignificantDigits: 6 });
const short = new Intl.NumberFormat(undefined, { notation: 'compact', maximumFractionDigits: 1 });
const whole = new Intl.NumberFormat(undefined, { maximumFractionDigits: 0 });

const clock = (options) => new Intl.DateTimeFormat(undefined, { hourCycle: 'h23', ...options });
const TIMES = {
  day: clock({ day: 'numeric', month: 'short' }),
  year: clock({ month: 'short', year: 'numeric' }),
  minute: clock({ hour: '2-digit', minute: '2-digit' }),
  second: clock({ hour: '2-digit', minute: '2-digit', second: '2-digit' }),
  full: clock({ dateStyle: 'medium', timeStyle: 'medium' }),
  dayAndSecond: clock({ day: 'numeric', month: 'short', hour: '2-digit', minute: '2-digit',
    second: '2-digit' }),
};

export const SECOND = 1000;
export const MINUTE = 60 * SECOND;
export const HOUR = 60 * MINUTE;
export const DAY = 24 * HOUR;

// A mean has more digits than it means.
export function formatMean(value) {
  const size = Math.abs(value);
  if (size === 0 || size >= 1e7) return number.format(value);
  if (size < 1) return number.format(Number(value.toPrecision(3)));
  return number.format(Number(value.toFixed(size >= 100_000 ? 0 : size >= 100 ? 1 : 2)));
}

export const formatNumber = (value) => number.format(value);
export const formatCount = (count) => (count < 100_000 ? whole : short).format(count);
export const formatTime = (ms, how) => TIMES[how].format(ms);

export function formatRate(perSecond) {
  return perSecond > 0 && perSecond < 10 ? perSecond.toFixed(1) : formatCount(perSecond);
}

export function formatBytes(bytes) {
  const units = ['B', 'KiB', 'MiB', 'GiB', 'TiB'];
  let unit = 0;
  while (bytes >= 1024 && unit + 1 < units.length) {
    bytes /= 1024;
    unit += 1;
  }
  return `${bytes < 10 && unit > 0 ? bytes.toFixed(1) : Math.round(bytes)} ${units[unit]}`;
}

// The largest two units: "3 d 4 h", "12 min".
export function formatDuration(ms) {
  const parts = [];
  for (const [name, length] of [['d', DAY], ['h', HOUR], ['min', MINUTE], ['s', SECOND]]) {
    if (ms >= length && parts.length < 2) parts.push(`${Math.floor(ms / length)} ${name}`);
    else if (parts.length > 0) break;
    ms %= length;
  }
  return parts.join(' ') || `${Math.round(ms)} ms`;
}

export function formatAge(ms) {
  return ms < SECOND ? 'now' : `${formatDuration(ms).split(' ').slice(0, 2).join(' ')} ago`;
}

// A payload's value in one line, with its unit where it has one.
export function formatValue(value, unit) {
  const position = positionOf(value);
  if (position) return `${position.latitude.toFixed(5)}, ${position.longitude.toFixed(5)}`;
  const text = typeof value === 'number' ? formatNumber(value)
    : typeof value === 'string' ? value : JSON.stringify(value);
  return unit ? `${text} ${UNITS[unit] ?? unit}` : text;
}

// SenML's names of units (RFC 8428 section 12.1) that people write otherwise.
const UNITS = { Cel: '°C', '%RH': '%', deg: '°', lat: '°', lon: '°' };
