// The strip at the top: does the collector take events, how many, how fast; and what to do if not.
import { $, h, put, svg } from './dom.js';
import {
  SECOND, formatBytes, formatCount, formatDuration, formatRate, formatTime,
} from './format.js';

const STATES = {
  serving: ['Serving', 'Takes events and stores them.'],
  starting: ['Starting', 'Not taking events yet.'],
  failing: ['Failing', 'Events are not stored now; devices are told to try again.'],
  draining: ['Stopping', 'Finishing what was accepted; devices are told to try again.'],
  lost: ['No connection', 'The collector does not answer.'],
};

// What to do about it; `reason` is the store's own word, or null.
const ADVICE = {
  failing: (reason) => `Events are not stored now${reason ? `: ${reason}` : ''}. Nothing that ` +
    'was acknowledged is lost, and devices are told to send again later (5.03). Look at the end ' +
    'of the collector\'s log, and whether its disk is full (df -h) or cannot be written.',
  draining: () => 'The collector was told to stop. It commits what it has accepted, answers, ' +
    'and ends.',
};

const RATES_MAX = 120; // seconds of history

export class StatusStrip {
  #rates = [];
  #lostAt = null;
  #tiles = {};

  constructor(root) {
    this.root = root;
    this.pill = h('span', { class: 'pill', role: 'status' }, 'Connecting');
    this.spark = svg('svg', { class: 'spark', viewBox: `0 0 ${RATES_MAX} 24`,
      preserveAspectRatio: 'none', role: 'img' });
    const tile = (name, label, title, ...more) => {
      this.#tiles[name] = h('dd', {}, '–');
      return h('div', { class: `tile ${name}`, title }, h('dt', {}, label), this.#tiles[name],
        ...more);
    };
    put(root, this.pill, h('dl', { class: 'tiles' },
      tile('rate', 'Events/s', 'Events stored each second', this.spark),
      tile('stored', 'Stored', 'Events in the database'),
      tile('pending', 'Pending', 'Events accepted whose commit is under way'),
      tile('commit', 'Commit', 'Time of a commit: half of them are faster, 99 % are faster'),
      tile('refused', 'Not taken', 'Events refused for good, and events told to come again'),
      tile('database', 'Database', 'Size of the database on disk'),
      tile('memory', 'Memory', 'Resident memory of the collector'),
      tile('uptime', 'Up', 'Time since the collector was started')));
  }

  show(status) {
    this.#lostAt = null;
    const tiles = this.#tiles;
    const p99 = status.commit_p99_ms;
    this.#state(status.state);
    tiles.rate.textContent = formatRate(status.events_per_second);
    tiles.stored.textContent = formatCount(status.events_stored ?? status.stored_total);
    tiles.stored.title = `${status.stored_total} stored and ${status.duplicate_total} known ` +
      'already since the start';
    tiles.pending.textContent = formatCount(status.pending);
    put(tiles.commit, milliseconds(status.commit_p50_ms), h('small', {},
      ` p99 ${milliseconds(p99)}`));
    const refused = status.refused_total + status.not_now_total;
    tiles.refused.textContent = formatCount(refused);
    tiles.refused.title = `${status.refused_total} refused for good, ${status.not_now_total} ` +
      'told to come again';
    tiles.refused.classList.toggle('some', refused > 0);
    tiles.database.textContent = formatBytes(status.database_bytes);
    tiles.memory.textContent = formatBytes(status.resident_bytes);
    tiles.uptime.textContent = formatDuration(status.uptime_seconds * SECOND);
    this.#rate(status.events_per_second);
    this.#advise(ADVICE[status.state]?.(status.reason), status.state);
  }

  lost(now, retryMs) {
    this.#lostAt ??= now;
    this.#state('lost');
    this.#advise(`No answer from the collector since ${formatTime(this.#lostAt, 'second')}. What ` +
      'is below is what was there then. Is it running (systemctl status coap-collector), and is ' +
      `this device connected? Next try in ${Math.ceil(retryMs / SECOND)} s.`, 'lost');
  }

  #state(state) {
    const [label, title] = STATES[state] ?? [state, ''];
    if (this.pill.textContent !== label) this.pill.textContent = label;
    this.pill.title = title;
    document.title = state === 'serving' ? 'coap-collector' : `${label} · coap-collector`;
    this.pill.dataset.state = state;
  }

  #advise(text, state) {
    const banner = $('#banner');
    banner.hidden = !text;
    banner.dataset.state = state;
    if (text && banner.textContent !== text) banner.textContent = text;
  }

  #rate(rate) {
    this.#rates.push(rate);
    if (this.#rates.length > RATES_MAX) this.#rates.shift();
    const most = Math.max(1, ...this.#rates);
    const x = (i) => RATES_MAX - this.#rates.length + i + 1;
    const points = this.#rates.map((value, i) =>
      `${x(i)},${(22 - 20 * value / most).toFixed(1)}`);
    put(this.spark,
      svg('polygon', { points: `${x(0)},24 ${points.join(' ')} ${RATES_MAX},24` }),
      svg('polyline', { points: points.join(' ') }));
    this.spark.setAttribute('aria-label', `Events a second in the last ${
      this.#rates.length} seconds: at most ${formatRate(Math.max(...this.#rates))}`);
  }
}

const milliseconds = (ms) => ms === null || ms === undefined ? '–'
  : ms < 10 ? `${ms.toFixed(1)} ms` : `${Math.round(ms)} ms`;
