// The map: the last position of each origin and the way it came, on outlines of countries.
import { h, icon, put } from './dom.js';
import { getJson } from './api.js';
import { lookOfMarker as look, palette, withAlpha } from './colours.js';
import { boxOf, countries, metresAcross, positionOf, project, unproject } from './geo.js';
import { formatAge, formatNumber, formatTime } from './format.js';
import { apiQuery, filterQuery, interval, matches, seriesKey } from './view.js';

const ZOOM_MAX = 22; // pixels across the world: 2 to this power
const TRAIL_EVENTS = 1000; // asked for
const TRAIL_POINTS_MAX = 500; // of one origin
const LABELS_MAX = 60;
const TABLE_ROWS_MAX = 500;
const REACH = 14; // pixels from a marker's middle

export class MapCard {
  #view;
  #markers = new Map(); // series -> {named, x, y, latitude, longitude, at, trail: [[at, x, y]]}
  #outlines = null;
  #centre = [0.5, 0.4];
  #zoom = 9;
  #moved = false; // by the reader: then it is not fitted to what comes
  #pointers = new Map();
  #abort = null;
  #drawing = false;
  #over = null;

  constructor(root, on) {
    this.root = root;
    this.on = on;
    this.canvas = h('canvas', { tabindex: '0', role: 'img',
      onkeydown: (event) => this.#key(event),
      onpointerdown: (event) => this.#down(event), onpointermove: (event) => this.#move(event),
      onpointerup: (event) => this.#up(event), onpointercancel: (event) => this.#up(event),
      onpointerleave: () => this.#hover(null) });
    this.canvas.addEventListener('wheel', (event) => this.#wheel(event), { passive: false });
    this.tip = h('div', { class: 'tip', role: 'status', hidden: true });
    const button = (name, label, onclick) => h('button', { type: 'button', title: label,
      'aria-label': label, onclick }, icon(name));
    this.frame = h('div', { class: 'frame' }, this.canvas, h('div', { class: 'zoom' },
      button('plus', 'Zoom in', () => this.#zoomBy(1)),
      button('minus', 'Zoom out', () => this.#zoomBy(-1)),
      button('fit', 'Show all positions', () => { this.#moved = false; this.#fit(); })), this.tip);
    this.numbers = h('div', { class: 'numbers', tabindex: '0', role: 'region', hidden: true,
      'aria-label': 'Positions' });
    this.tableButton = h('button', { type: 'button', class: 'quiet', 'aria-pressed': 'false',
      title: 'Numbers instead of a map', 'aria-label': 'Numbers of the map',
      onclick: () => this.#toggleTable() }, icon('table'));
    this.caption = h('p', { class: 'caption' });
    this.problem = h('p', { class: 'problem', role: 'alert', hidden: true });
    root.hidden = true;
    put(root, h('header', {}, h('h2', {}, 'Map'), this.caption, this.tableButton), this.problem,
      this.frame, this.numbers);
    new ResizeObserver(() => this.redraw()).observe(this.canvas);
  }

  get empty() { return this.#markers.size === 0; }

  show(view) {
    this.#view = view;
    this.#moved = false;
    this.#markers.clear();
    this.#changed();
    return this.refresh();
  }

  async refresh() {
    const view = this.#view;
    this.#abort?.abort();
    this.#abort = new AbortController();
    const { signal } = this.#abort;
    try {
      const { positions } = await getJson('/api/positions', filterQuery(view), signal);
      const { from, to } = interval(view, Date.now());
      const types = [...new Set(positions.map(({ type }) => type))];
      for (const one of positions) {
        const at = Date.parse(one.timestamp);
        if (at >= from && (view.range !== null || at < to)) this.#put(one, one, at);
      }
      this.problem.hidden = true;
      this.#changed();
      if (types.length > 0) await this.#loadTrails(types, signal);
    } catch (error) {
      if (error.name === 'AbortError') return;
      this.problem.textContent = error.message;
      this.problem.hidden = false;
      this.root.hidden = false;
    }
  }

  async #loadTrails(types, signal) {
    const query = apiQuery({ ...this.#view, type: types }, Date.now(), { limit: TRAIL_EVENTS });
    const { events } = await getJson('/api/events', query, signal);
    this.add(events);
  }

  // Events that came.
  add(events) {
    let some = false;
    for (const event of events) {
      const position = positionOf(event.value);
      if (position === null || !matches(this.#view, event)) continue;
      this.#put(event, position, Date.parse(event.timestamp));
      some = true;
    }
    if (some) this.#changed();
  }

  #put(named, { latitude, longitude }, at) {
    const key = seriesKey(named);
    const [x, y] = project(longitude, latitude);
    const marker = this.#markers.get(key) ?? { named, at: -Infinity, trail: [] };
    if (at >= marker.at) Object.assign(marker, { x, y, latitude, longitude, at });
    if (!marker.trail.some((point) => point[0] === at)) {
      marker.trail.push([at, x, y]);
      marker.trail.sort((a, b) => a[0] - b[0]);
      if (marker.trail.length > TRAIL_POINTS_MAX) marker.trail.shift();
    }
    this.#markers.set(key, marker);
  }

  #changed() {
    this.root.hidden = this.empty;
    if (this.empty) return;
    this.#loadOutlines();
    const count = this.#markers.size;
    this.caption.textContent = `last position of ${count === 1 ? 'one origin'
      : `${formatNumber(count)} origins`}`;
    this.canvas.setAttribute('aria-label', `Map with the ${this.caption.textContent}. Arrow keys ` +
      'move it, plus and minus zoom, 0 shows all. The button before it shows numbers instead.');
    if (!this.numbers.hidden) this.#showNumbers();
    if (this.#moved) this.redraw();
    else this.#fit();
  }

  async #loadOutlines() {
    if (this.#outlines !== null) return;
    this.#outlines = [];
    try {
      this.#outlines = countries(await getJson('/assets/countries-50m.json'));
      this.redraw();
    } catch {
      this.#outlines = null; // positions are shown all the same; the next change asks again
    }
  }

  #fit() {
    const { clientWidth: width, clientHeight: height } = this.canvas;
    if (this.empty || width === 0) return;
    const [left, top, right, bottom] = boxOf([...this.#markers.values()].flatMap(({ trail }) =>
      trail.map(([, x, y]) => [x, y])));
    this.#centre = [(left + right) / 2, (top + bottom) / 2];
    const across = Math.max((right - left) / Math.max(width - 110, 50),
      (bottom - top) / Math.max(height - 70, 50), 2 ** -15);
    this.#zoom = Math.min(ZOOM_MAX, -Math.log2(across));
    this.redraw();
  }

  // At a point of the canvas, which stays where it is; without one, in the middle.
  #zoomBy(steps, at) {
    const { clientWidth: width, clientHeight: height } = this.canvas;
    const [px, py] = at ?? [width / 2, height / 2];
    const zoom = Math.max(8, Math.min(ZOOM_MAX, this.#zoom + steps));
    const change = 2 ** -this.#zoom - 2 ** -zoom;
    this.#centre[0] += (px - width / 2) * change;
    this.#centre[1] += (py - height / 2) * change;
    this.#zoom = zoom;
    this.#moved = true;
    this.redraw();
  }

  #pan(dx, dy) {
    this.#centre[0] = Math.max(0, Math.min(1, this.#centre[0] - dx / 2 ** this.#zoom));
    this.#centre[1] = Math.max(0, Math.min(1, this.#centre[1] - dy / 2 ** this.#zoom));
    this.#moved = true;
    this.redraw();
  }

  #key(event) {
    if (event.ctrlKey || event.metaKey || event.altKey) return;
    const step = { ArrowLeft: [60, 0], ArrowRight: [-60, 0], ArrowUp: [0, 60],
      ArrowDown: [0, -60] }[event.key];
    if (step) this.#pan(...step);
    else if (event.key === '+') this.#zoomBy(1);
    else if (event.key === '-') this.#zoomBy(-1);
    else if (event.key === '0') {
      this.#moved = false;
      this.#fit();
    } else return;
    event.preventDefault();
  }

  // The wheel scrolls the page, unless the reader has chosen the map.
  #wheel(event) {
    if (!event.ctrlKey && document.activeElement !== this.canvas) return;
    event.preventDefault();
    this.#zoomBy(-event.deltaY / (event.ctrlKey ? 100 : 300), [event.offsetX, event.offsetY]);
  }

  #down(event) {
    this.#pointers.set(event.pointerId, [event.offsetX, event.offsetY]);
    this.canvas.setPointerCapture(event.pointerId);
    this.pressed = [event.offsetX, event.offsetY];
  }

  #move(event) {
    const now = [event.offsetX, event.offsetY];
    const before = this.#pointers.get(event.pointerId);
    if (before === undefined) {
      this.#hover(this.#at(now));
      return;
    }
    const other = [...this.#pointers].find(([id]) => id !== event.pointerId)?.[1];
    this.#pointers.set(event.pointerId, now);
    if (other === undefined) this.#pan(now[0] - before[0], now[1] - before[1]);
    else this.#zoomBy(Math.log2(distance(now, other) / distance(before, other)), other);
  }

  #up(event) {
    if (!this.#pointers.delete(event.pointerId)) return;
    const at = [event.offsetX, event.offsetY];
    if (event.type !== 'pointerup' || distance(at, this.pressed) > 4) return;
    const marker = this.#at(at);
    if (marker === null) return;
    if (event.pointerType === 'mouse' || marker === this.#over) {
      this.on.filter('origin', marker.named.origin);
    } else {
      this.#hover(marker); // a finger's first tap tells what it is
    }
  }

  #at([px, py]) {
    let found = null;
    let least = REACH;
    for (const marker of this.#markers.values()) {
      const away = distance(this.#toCanvas(marker.x, marker.y), [px, py]);
      if (away < least) [found, least] = [marker, away];
    }
    return found;
  }

  #hover(marker) {
    this.#over = marker;
    this.canvas.classList.toggle('over', marker !== null);
    this.tip.hidden = marker === null;
    if (marker === null) return;
    const { named, latitude, longitude, at } = marker;
    put(this.tip, h('b', {}, named.origin), h('div', {}, `${named.sender} · ${named.namespace}`),
      h('div', {}, `${latitude.toFixed(5)}, ${longitude.toFixed(5)}`),
      h('div', {}, `${formatTime(at, 'dayAndSecond')} (${formatAge(Date.now() - at)})`));
    const [px, py] = this.#toCanvas(marker.x, marker.y);
    const { offsetWidth: width, offsetHeight: height } = this.tip;
    const beside = px + 12 + width < this.frame.clientWidth ? px + 12 : px - 12 - width;
    const above = Math.max(0, Math.min(py - height / 2, this.frame.clientHeight - height));
    this.tip.style.transform = `translate(${beside}px, ${above}px)`;
  }

  #toCanvas(x, y) {
    const size = 2 ** this.#zoom;
    return [(x - this.#centre[0]) * size + this.canvas.clientWidth / 2,
      (y - this.#centre[1]) * size + this.canvas.clientHeight / 2];
  }

  redraw() {
    if (this.#drawing) return;
    this.#drawing = true;
    requestAnimationFrame(() => {
      this.#drawing = false;
      this.#draw();
    });
  }

  #draw() {
    const { clientWidth: width, clientHeight: height } = this.canvas;
    if (width === 0) return;
    const ratio = devicePixelRatio;
    if (this.canvas.width !== Math.round(width * ratio) ||
        this.canvas.height !== Math.round(height * ratio)) {
      this.canvas.width = Math.round(width * ratio);
      this.canvas.height = Math.round(height * ratio);
      if (!this.#moved) this.#fit();
    }
    const context = this.canvas.getContext('2d');
    const colours = palette();
    context.setTransform(ratio, 0, 0, ratio, 0, 0);
    context.fillStyle = colours['--sea'];
    context.fillRect(0, 0, width, height);
    this.#drawLand(context, colours, ratio);
    context.setTransform(ratio, 0, 0, ratio, 0, 0);
    this.#drawGrid(context, colours);
    this.#drawNames(context, colours);
    this.#drawMarkers(context, colours);
    this.#drawScale(context, colours);
  }

  #drawLand(context, colours, ratio) {
    const size = 2 ** this.#zoom;
    const { clientWidth: width, clientHeight: height } = this.canvas;
    const [left, top] = this.#toCanvas(0, 0);
    context.setTransform(size * ratio, 0, 0, size * ratio, left * ratio, top * ratio);
    context.fillStyle = colours['--land'];
    context.strokeStyle = colours['--border'];
    context.lineWidth = 0.7 / size;
    context.lineJoin = 'round';
    for (const { path, box } of this.#outlines ?? []) {
      const [x0, y0] = this.#toCanvas(box[0], box[1]);
      const [x1, y1] = this.#toCanvas(box[2], box[3]);
      if (x1 < 0 || y1 < 0 || x0 > width || y0 > height) continue;
      context.fill(path);
      context.stroke(path);
    }
  }

  // Parallels and meridians: what there is to hold on to where no border is in sight.
  #drawGrid(context, colours) {
    const { clientWidth: width, clientHeight: height } = this.canvas;
    const [x0, y0] = [this.#centre[0] - width / 2 ** (this.#zoom + 1),
      this.#centre[1] - height / 2 ** (this.#zoom + 1)];
    const from = unproject(x0, y0);
    const to = unproject(x0 + width / 2 ** this.#zoom, y0 + height / 2 ** this.#zoom);
    const step = roundStep((to.longitude - from.longitude) / (width / 110));
    const digits = Math.max(0, -Math.floor(Math.log10(step)));
    context.strokeStyle = colours['--border'];
    context.fillStyle = colours['--muted'];
    context.globalAlpha = 0.55;
    context.lineWidth = 0.5;
    context.font = '10px system-ui, sans-serif';
    context.beginPath();
    const first = (value) => Math.ceil(value / step) * step;
    for (let lon = first(Math.max(from.longitude, -180)); lon <= Math.min(to.longitude, 180);
      lon += step) {
      const [px] = this.#toCanvas(...project(lon, 0));
      context.moveTo(px, 0);
      context.lineTo(px, height);
      context.fillText(`${Math.abs(lon).toFixed(digits)}°${lon < 0 ? 'W' : 'E'}`, px + 3, 11);
    }
    for (let lat = first(Math.max(to.latitude, -85)); lat <= Math.min(from.latitude, 85);
      lat += step) {
      const [, py] = this.#toCanvas(...project(0, lat));
      context.moveTo(0, py);
      context.lineTo(width, py);
      if (py > height - 36) continue; // there is the scale
      context.fillText(`${Math.abs(lat).toFixed(digits)}°${lat < 0 ? 'S' : 'N'}`, 4, py - 3);
    }
    context.stroke();
    context.globalAlpha = 1;
  }

  #drawNames(context, colours) {
    context.font = '11px system-ui, sans-serif';
    context.textAlign = 'center';
    context.fillStyle = colours['--muted'];
    context.globalAlpha = 0.8;
    for (const { name, label: [left, top, right, bottom] } of this.#outlines ?? []) {
      const across = (right - left) * 2 ** this.#zoom;
      if (across < 40 || across < context.measureText(name).width + 10) continue;
      context.fillText(name, ...this.#toCanvas((left + right) / 2, (top + bottom) / 2));
    }
    context.globalAlpha = 1;
    context.textAlign = 'left';
  }

  #drawMarkers(context, colours) {
    const { clientWidth: width, clientHeight: height } = this.canvas;
    const placed = [];
    context.font = '600 11px system-ui, sans-serif';
    for (const { named, trail } of this.#markers.values()) {
      if (trail.length < 2) continue;
      context.strokeStyle = withAlpha(colours[look(named).colour], 0.55);
      context.lineWidth = 1.6;
      context.beginPath();
      for (const [, x, y] of trail) context.lineTo(...this.#toCanvas(x, y));
      context.stroke();
    }
    for (const { named, x, y } of this.#markers.values()) {
      const [px, py] = this.#toCanvas(x, y);
      if (px < -9 || py < -9 || px > width + 9 || py > height + 9) continue;
      context.fillStyle = colours[look(named).colour];
      context.strokeStyle = colours['--surface'];
      context.lineWidth = 1.5;
      context.beginPath();
      context.arc(px, py, 5, 0, 2 * Math.PI);
      context.fill();
      context.stroke();
      const box = [px + 8, py - 7, px + 8 + context.measureText(named.origin).width, py + 7];
      if (placed.length >= LABELS_MAX || placed.some((other) => overlap(box, other))) continue;
      placed.push(box);
      context.strokeStyle = colours['--land'];
      context.lineWidth = 3;
      context.strokeText(named.origin, px + 8, py + 4);
      context.fillStyle = colours['--text'];
      context.fillText(named.origin, px + 8, py + 4);
    }
  }

  #drawScale(context, colours) {
    const { clientHeight: height } = this.canvas;
    const metres = metresAcross(this.#centre[1]) / 2 ** this.#zoom;
    const length = roundStep(metres * 60);
    const pixels = length / metres;
    context.fillStyle = colours['--text'];
    context.fillRect(10, height - 14, pixels, 2);
    context.font = '10px system-ui, sans-serif';
    context.fillText(length >= 1000 ? `${length / 1000} km` : `${length} m`, 10, height - 19);
  }

  #toggleTable() {
    const numbers = this.numbers.hidden;
    this.numbers.hidden = !numbers;
    this.frame.hidden = numbers;
    this.tableButton.setAttribute('aria-pressed', `${numbers}`);
    if (numbers) this.#showNumbers();
  }

  #showNumbers() {
    const markers = [...this.#markers.values()].sort((a, b) => b.at - a.at);
    put(this.numbers, h('table', {}, h('thead', {}, h('tr', {},
      ['Origin', 'Latitude', 'Longitude', 'At'].map((text) => h('th', { scope: 'col' }, text)))),
    h('tbody', {}, markers.slice(0, TABLE_ROWS_MAX).map((marker) => h('tr', {},
      h('td', {}, h('button', { type: 'button', class: 'link',
        onclick: () => this.on.filter('origin', marker.named.origin) }, marker.named.origin)),
      h('td', {}, marker.latitude.toFixed(5)), h('td', {}, marker.longitude.toFixed(5)),
      h('td', {}, formatTime(marker.at, 'dayAndSecond')))))));
  }
}

const distance = (a, b) => Math.hypot(a[0] - b[0], a[1] - b[1]);

const overlap = (a, b) => a[0] < b[2] && b[0] < a[2] && a[1] < b[3] && b[1] < a[3];

// 1, 2 or 5 times a power of ten, not below a number.
function roundStep(least) {
  const power = 10 ** Math.floor(Math.log10(least));
  return power * [1, 2, 5, 10].find((factor) => factor * power >= least * 0.999);
}
