// From many dimensions to two, and to clusters: numbers only. Vectors lie one after another in one array.

const KEPT = 50; // dimensions; the rest is mostly noise, and costs time
const NEAREST = 15; // neighbours of a text
const ROUNDS = 300;
const AWAY = 5; // texts a text is pushed from, for each that it is drawn to
const [A, B] = [1.577, 0.895]; // the curve of UMAP for neighbours at least .1 apart

/** Return a generator of numbers from 0 to 1, the same at every call. */
function numbers(seed = 1) {
  return () => {
    seed = (seed + 0x6d2b79f5) | 0;
    let t = Math.imul(seed ^ (seed >>> 15), 1 | seed);
    t = (t + Math.imul(t ^ (t >>> 7), 61 | t)) ^ t;
    return ((t ^ (t >>> 14)) >>> 0) / 4294967296;
  };
}

/** Return vectors along their directions of largest spread, the largest first: (count, at most KEPT). */
export function reduced(vectors, count, wide) {
  const kept = Math.min(KEPT, wide), middle = new Float64Array(wide);
  for (let i = 0; i < count; i++) for (let d = 0; d < wide; d++) middle[d] += vectors[i * wide + d] / count;
  const spread = new Float64Array(wide * wide), row = new Float64Array(wide);
  for (let i = 0; i < count; i++) {
    for (let d = 0; d < wide; d++) row[d] = vectors[i * wide + d] - middle[d];
    for (let d = 0; d < wide; d++) for (let e = d; e < wide; e++) spread[d * wide + e] += row[d] * row[e];
  }
  for (let d = 0; d < wide; d++) for (let e = 0; e < d; e++) spread[d * wide + e] = spread[e * wide + d];
  const directions = largest(spread, wide, kept);
  const points = new Float32Array(count * kept);
  for (let i = 0; i < count; i++) {
    for (let k = 0; k < kept; k++) {
      let along = 0;
      for (let d = 0; d < wide; d++) along += (vectors[i * wide + d] - middle[d]) * directions[k][d];
      points[i * kept + k] = along;
    }
  }
  return points;
}

/** Return the directions in which a symmetric matrix is largest, by turning a few of them again and again. */
function largest(matrix, wide, kept) {
  const random = numbers();
  let directions = Array.from({ length: kept }, () => Float64Array.from({ length: wide }, () => random() - 0.5));
  for (let round = 0; round < 20; round++) {
    directions = directions.map((direction) => {
      const turned = new Float64Array(wide);
      for (let d = 0; d < wide; d++) {
        let sum = 0;
        for (let e = 0; e < wide; e++) sum += matrix[d * wide + e] * direction[e];
        turned[d] = sum;
      }
      return turned;
    });
    directions.forEach((direction, k) => {
      for (const other of directions.slice(0, k)) {
        let dot = 0;
        for (let d = 0; d < wide; d++) dot += direction[d] * other[d];
        for (let d = 0; d < wide; d++) direction[d] -= dot * other[d];
      }
      const length = Math.hypot(...direction);
      for (let d = 0; d < wide; d++) direction[d] = length > 1e-12 ? direction[d] / length : 0;
    });
  }
  return directions;
}

/** Return {ids, distances, each}: the nearest of each point, the nearest first; `each` to a point. */
export function neighboursOf(points, count, tell = () => {}) {
  const wide = points.length / count, each = Math.min(NEAREST, count - 1);
  const ids = new Int32Array(count * each), distances = new Float32Array(count * each).fill(Infinity);
  const put = (i, j, distance) => {
    let place = (i + 1) * each - 1;
    if (!(distance < distances[place])) return;
    for (; place > i * each && distances[place - 1] > distance; place--) {
      distances[place] = distances[place - 1];
      ids[place] = ids[place - 1];
    }
    distances[place] = distance;
    ids[place] = j;
  };
  for (let i = 0; i < count && each; i++) {
    for (let j = 0; j < i; j++) {
      let sum = 0;
      for (let d = 0; d < wide; d++) {
        const apart = points[i * wide + d] - points[j * wide + d];
        sum += apart * apart;
      }
      put(i, j, sum);
      put(j, i, sum);
    }
    if (i % 500 === 0) tell("Looking for neighbours", (i / count) ** 2);
  }
  return { ids, distances: distances.map(Math.sqrt), each };
}

/** Return {x, y}: places in which neighbours are together and others apart, as UMAP has it, from the first two directions. */
export function spread(points, count, neighbours, tell = () => {}) {
  const wide = points.length / count, { from, to, weights } = edges(neighbours, count), random = numbers(2);
  const first = [0, 1].map((k) => Float64Array.from({ length: count }, (_, i) => k < wide ? points[i * wide + k] : 0));
  const most = Math.max(1e-9, first.reduce((a, axis) => Math.max(a, axis.reduce((b, value) => Math.max(b, Math.abs(value)), 0)), 0));
  const [x, y] = first.map((axis) => axis.map((value) => (value / most) * 10 + (random() - 0.5) * 1e-3));
  const every = weights.map((weight) => 1 / weight), next = every.slice();
  const cut = (value) => Math.min(Math.max(value, -4), 4);
  for (let round = 1; round <= ROUNDS; round++) {
    const step = 1 - round / ROUNDS;
    for (let e = 0; e < from.length; e++) {
      if (next[e] > round) continue;
      next[e] += every[e];
      const i = from[e], j = to[e];
      let dx = x[i] - x[j], dy = y[i] - y[j], squared = dx * dx + dy * dy;
      if (squared > 0) {
        const pull = (-2 * A * B * squared ** (B - 1)) / (1 + A * squared ** B);
        const [mx, my] = [cut(pull * dx) * step, cut(pull * dy) * step];
        x[i] += mx; y[i] += my; x[j] -= mx; y[j] -= my;
      }
      for (let n = 0; n < AWAY; n++) {
        const other = Math.floor(random() * count);
        if (other === i) continue;
        dx = x[i] - x[other]; dy = y[i] - y[other]; squared = dx * dx + dy * dy;
        const push = (2 * B) / ((0.001 + squared) * (1 + A * squared ** B));
        x[i] += (squared > 0 ? cut(push * dx) : 4 * (random() - 0.5)) * step;
        y[i] += (squared > 0 ? cut(push * dy) : 4 * (random() - 0.5)) * step;
      }
    }
    if (round % 10 === 0) tell("Placing the texts", round / ROUNDS);
  }
  return { x: Float32Array.from(x), y: Float32Array.from(y) };
}

/** Return pairs of neighbours, each once, and how much they belong together: 1 for each point's nearest. */
function edges({ ids, distances, each }, count) {
  const found = new Map();
  for (let i = 0; i < count; i++) {
    const own = distances.subarray(i * each, (i + 1) * each), nearest = own.find((distance) => distance > 0) ?? 0;
    const belongs = (width) => own.reduce((sum, distance) => sum + Math.exp(-Math.max(distance - nearest, 0) / width), 0);
    let low = 0, high = Math.max(1e-6, ...own) * 10;
    for (let step = 0; step < 32; step++) {
      const middle = (low + high) / 2;
      if (belongs(middle) > Math.log2(each + 1)) high = middle;
      else low = middle;
    }
    for (let n = 0; n < each; n++) {
      const j = ids[i * each + n], weight = Math.exp(-Math.max(own[n] - nearest, 0) / (high || 1e-9));
      const key = Math.min(i, j) * count + Math.max(i, j), other = found.get(key) ?? 0;
      found.set(key, weight + other - weight * other);
    }
  }
  const kept = [...found].filter(([, weight]) => weight > 1 / ROUNDS);
  return { from: kept.map(([key]) => Math.floor(key / count)), to: kept.map(([key]) => key % count), weights: kept.map(([, weight]) => weight) };
}

/** Return the cluster of each point, by k-means from places far apart; the largest cluster is 0. */
export function clustered(points, count, clusters) {
  const wide = points.length / count, few = Math.min(clusters, count), random = numbers(3);
  const apart = (i, centre) => {
    let sum = 0;
    for (let d = 0; d < wide; d++) sum += (points[i * wide + d] - centre[d]) ** 2;
    return sum;
  };
  const at = (i) => Float64Array.from(points.subarray(i * wide, (i + 1) * wide));
  const centres = [at(Math.floor(random() * count))];
  const least = Float64Array.from({ length: count }, (_, i) => apart(i, centres[0]));
  while (centres.length < few) {
    let left = random() * least.reduce((sum, value) => sum + value, 0), chosen = 0;
    while (chosen < count - 1 && (left -= least[chosen]) > 0) chosen++;
    centres.push(at(chosen));
    for (let i = 0; i < count; i++) least[i] = Math.min(least[i], apart(i, centres.at(-1)));
  }
  const own = new Int32Array(count).fill(-1), sizes = new Int32Array(few);
  for (let round = 0, moved = true; moved && round < 50; round++) {
    moved = false;
    for (let i = 0; i < count; i++) {
      let best = 0;
      for (let k = 1, near = apart(i, centres[0]); k < few; k++) {
        const distance = apart(i, centres[k]);
        if (distance < near) [best, near] = [k, distance];
      }
      if (own[i] !== best) { own[i] = best; moved = true; }
    }
    sizes.fill(0);
    const sums = centres.map(() => new Float64Array(wide));
    for (let i = 0; i < count; i++) {
      sizes[own[i]]++;
      for (let d = 0; d < wide; d++) sums[own[i]][d] += points[i * wide + d];
    }
    sums.forEach((sum, k) => { if (sizes[k]) centres[k] = sum.map((value) => value / sizes[k]); });
  }
  const order = [...sizes.keys()].sort((a, b) => sizes[b] - sizes[a]), numbersOf = order.map((_, k) => order.indexOf(k));
  return own.map((k) => numbersOf[k]);
}
