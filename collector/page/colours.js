// Which colour an origin has: the same one in every chart; and one on the map.
import { cssColour } from './dom.js';

const COLOURS = 8; // --series-0 to --series-7 in style.css

// A function that gives each (namespace, sender, origin) its look for as long as the page is open:
// {colour: '--series-3', dash: pattern of a line or undefined}. Beyond eight, dashes tell them
// apart.
function looks() {
  const given = new Map();
  const dashes = [undefined, [8, 4], [3, 3], [10, 3, 2, 3]];
  return (named) => {
    const name = JSON.stringify([named.namespace, named.sender, named.origin]);
    if (!given.has(name)) given.set(name, given.size);
    const n = given.get(name);
    return { colour: `--series-${n % COLOURS}`, dash: dashes[Math.floor(n / COLOURS) % 4] };
  };
}

export const lookOfLine = looks();
export const lookOfMarker = looks();

// The colours of now, read once for each drawing.
export function palette() {
  const names = [...Array(COLOURS).keys()].map((n) => `--series-${n}`);
  names.push('--text', '--muted', '--line', '--surface', '--sea', '--land', '--border', '--accent');
  return Object.fromEntries(names.map((name) => [name, cssColour(name)]));
}

// A colour as style.css writes them, #rrggbb, let through in part.
export function withAlpha(colour, alpha) {
  return `${colour}${Math.round(alpha * 255).toString(16).padStart(2, '0')}`;
}
