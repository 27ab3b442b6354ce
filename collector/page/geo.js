// Positions, the projection, and the outlines of countries.

// {latitude, longitude} of an event's value, in any of the forms the collector takes for one, or
// null.
export function positionOf(value) {
  if (value === null || typeof value !== 'object') return null;
  let latitude = value.latitude ?? value.lat;
  let longitude = value.longitude ?? value.lon ?? value.lng;
  const pair = value.type === 'Point' ? value.coordinates : value;
  if (Array.isArray(pair) && (pair !== value || pair.length === 2)) [longitude, latitude] = pair;
  if (!(Math.abs(latitude) <= 90 && Math.abs(longitude) <= 180)) return null;
  return { latitude, longitude };
}

const LATITUDE_MAX = 85.0511; // where Mercator's map is square

// The web's Mercator: the world is 0 to 1, from the west and from the north.
export function project(longitude, latitude) {
  const bounded = Math.max(-LATITUDE_MAX, Math.min(LATITUDE_MAX, latitude));
  const sine = Math.sin(bounded * Math.PI / 180);
  return [longitude / 360 + 0.5, 0.5 - Math.log((1 + sine) / (1 - sine)) / (4 * Math.PI)];
}

export function unproject(x, y) {
  const latitude = Math.atan(Math.sinh(Math.PI * (1 - 2 * y))) * 180 / Math.PI;
  return { longitude: (x - 0.5) * 360, latitude };
}

const EARTH_METRES = 40_075_017;

// How wide the world is in metres at this height of the map.
export function metresAcross(y) {
  return EARTH_METRES * Math.cos(unproject(0, y).latitude * Math.PI / 180);
}

// Countries of a TopoJSON file, each as {name, path, box, label}, projected.
export function countries(topology) {
  const { scale, translate } = topology.transform;
  const arcs = topology.arcs.map((arc) => {
    let x = 0;
    let y = 0;
    return arc.map(([dx, dy]) => {
      x += dx;
      y += dy;
      return project(x * scale[0] + translate[0], y * scale[1] + translate[1]);
    });
  });
  // An arc of another direction is written as the complement of its number.
  const ringOf = (numbers) => numbers.flatMap((n, i) => {
    const points = n < 0 ? arcs[~n].toReversed() : arcs[n];
    return i === 0 ? points : points.slice(1);
  });
  return topology.objects.countries.geometries
    .filter(({ type }) => type === 'Polygon' || type === 'MultiPolygon')
    .map((geometry) => {
      const polygons = geometry.type === 'Polygon' ? [geometry.arcs] : geometry.arcs;
      return country(geometry.properties.name, polygons.map((rings) => rings.map(ringOf)));
    });
}

function country(name, polygons) {
  const path = new Path2D();
  for (const ring of polygons.flat()) {
    ring.forEach(([x, y], i) => (i === 0 ? path.moveTo(x, y) : path.lineTo(x, y)));
    path.closePath();
  }
  const boxes = polygons.map(([outer]) => boxOf(outer));
  const area = ([left, top, right, bottom]) => (right - left) * (bottom - top);
  const label = boxes.reduce((most, box) => area(box) > area(most) ? box : most);
  return { name, path, box: boxOf(boxes.flatMap(([left, top, right, bottom]) =>
    [[left, top], [right, bottom]])), label };
}

// [left, top, right, bottom] of points.
export function boxOf(points) {
  const box = [Infinity, Infinity, -Infinity, -Infinity];
  for (const [x, y] of points) {
    box[0] = Math.min(box[0], x);
    box[1] = Math.min(box[1], y);
    box[2] = Math.max(box[2], x);
    box[3] = Math.max(box[3], y);
  }
  return box;
}
