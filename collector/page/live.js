// The live stream (server-sent events). It comes back by itself: after an error with growing
// pauses, and when a page that was hidden is looked at again. While the collector has no room for
// another reader the page asks every few seconds instead.
//
// on.events({events, skipped}), on.status(status), on.state('live' | 'polling' | 'lost' | 'paused',
// milliseconds until the next try), on.missed(): there may be events that were not seen.
import { getJson } from './api.js';

const RETRY_MS_MIN = 1000;
const RETRY_MS_MAX = 15_000;
const POLL_MS = 5000;

export class Live {
  #on;
  #query = '';
  #source = null;
  #timer = null;
  #retry = RETRY_MS_MIN;
  #paused = false;
  #wasLost = false;

  constructor(on) {
    this.#on = on;
    document.addEventListener('visibilitychange', () => {
      if (document.hidden) {
        this.#close();
        this.#wasLost = true;
      } else if (!this.#paused) {
        this.#connect();
      }
    });
    addEventListener('pagehide', () => this.#close());
  }

  // Streams what a query (URLSearchParams) asks for.
  show(query) {
    this.#query = `${query}`;
    if (!this.#paused) this.#connect();
  }

  get paused() { return this.#paused; }

  pause() {
    this.#paused = true;
    this.#wasLost = true;
    this.#close();
    this.#on.state('paused');
  }

  resume() {
    this.#paused = false;
    this.#connect();
  }

  #close() {
    clearTimeout(this.#timer);
    this.#source?.close();
    this.#source = null;
  }

  #connect() {
    this.#close();
    if (document.hidden) return;
    const source = new EventSource(`/api/live?${this.#query}`);
    this.#source = source;
    source.onopen = () => this.#opened();
    source.addEventListener('events', (message) => this.#on.events(JSON.parse(message.data)));
    source.addEventListener('status', (message) => this.#on.status(JSON.parse(message.data)));
    source.onerror = () => this.#failed(source);
  }

  #opened() {
    this.#retry = RETRY_MS_MIN;
    this.#on.state('live');
    if (this.#wasLost) this.#on.missed();
    this.#wasLost = false;
  }

  // The browser would try again by itself, but not after an error status, and at no growing pace.
  #failed(source) {
    if (source !== this.#source) return;
    this.#close();
    this.#wasLost = true;
    getJson('/api/status').then(
      (status) => {
        if (this.#source !== null || this.#paused || document.hidden) return;
        this.#on.status(status);
        this.#on.state('polling');
        this.#on.missed();
        this.#timer = setTimeout(() => this.#connect(), POLL_MS);
      },
      () => {
        if (this.#source !== null || this.#paused || document.hidden) return;
        this.#on.state('lost', this.#retry);
        this.#timer = setTimeout(() => this.#connect(), this.#retry);
        this.#retry = Math.min(2 * this.#retry, RETRY_MS_MAX);
      },
    );
  }
}
