import type { Grid } from '../volume/grid.ts';
import type { LatticePoints } from './surface-points.ts';

/** One position of the envelope costs about as much as this many steps of a search (measured). */
const STEPS_PER_ENVELOPE_POSITION = 8;

/**
 * Nearest point within one slice, for every position of the slice: separable, first along the rows
 * axis by two sweeps, then along the columns axis by the lower envelope of parabolas (Felzenszwalb
 * and Huttenlocher, "Distance Transforms of Sampled Functions", 2012). What is kept is the offset
 * to the nearest point in whole lattice steps, so that distances are computed from exact integers.
 */
class PlanarTransform {
  readonly #points: LatticePoints;
  readonly #columnMm2: Float64Array;
  readonly #rowMm2: Float64Array;
  /** Steps along the rows axis to the nearest point in the same column; `rows` where none. */
  readonly #rowSteps: Uint16Array;
  /** Offset to the nearest point of the slice: row steps << 16 | column steps. */
  readonly #nearest: Uint32Array;
  readonly #site: Int32Array;
  readonly #height: Float64Array;
  readonly #from: Float64Array;
  readonly #columnMm: number;
  #hasEnvelope = false;

  constructor(points: LatticePoints, spacingMm: Grid['spacingMm']) {
    const area = points.columns * points.rows;
    this.#points = points;
    this.#columnMm = spacingMm.column;
    this.#columnMm2 = squaredSteps(points.columns, spacingMm.column);
    this.#rowMm2 = squaredSteps(points.rows, spacingMm.row);
    this.#rowSteps = new Uint16Array(area);
    this.#nearest = new Uint32Array(area);
    this.#site = new Int32Array(points.columns + 1);
    this.#height = new Float64Array(points.columns + 1);
    this.#from = new Float64Array(points.columns + 1);
  }

  /**
   * Prepares slice k, which must have at least one point, for `improve`. `searchSteps` estimates
   * how many lattice positions a search at every query would look at: where that is less work than
   * the envelope of the whole slice, only the sweeps are done and `improve` searches.
   */
  compute(k: number, searchSteps: number): void {
    const { columns, rows } = this.#points;
    this.#sweepRows(k);
    this.#hasEnvelope = searchSteps > STEPS_PER_ENVELOPE_POSITION * columns * rows;
    if (!this.#hasEnvelope) return;
    for (let j = 0; j < rows; j++) this.#envelope(j * columns);
  }

  /**
   * Lowers `best[n]` (squared mm) to the distance through this slice where that is nearer, for
   * points `start .. end - 1` that lie `offsetMm2` (squared mm) away from it along the slices axis.
   */
  improve(
    position: Int32Array,
    best: Float64Array,
    start: number,
    end: number,
    offsetMm2: number,
  ): void {
    if (this.#hasEnvelope) this.#lookUp(position, best, start, end, offsetMm2);
    else this.#search(position, best, start, end, offsetMm2);
  }

  #lookUp(
    position: Int32Array,
    best: Float64Array,
    start: number,
    end: number,
    offsetMm2: number,
  ): void {
    const nearest = this.#nearest;
    const columnMm2 = this.#columnMm2;
    const rowMm2 = this.#rowMm2;
    for (let n = start; n < end; n++) {
      const now = best[n]!;
      if (offsetMm2 >= now) continue;
      const offset = nearest[position[n]!]!;
      const found = offsetMm2 + rowMm2[offset >>> 16]! + columnMm2[offset & 0xffff]!;
      if (found < now) best[n] = found;
    }
  }

  /** Looks left and right along the row of each query, no farther than its distance so far. */
  #search(
    position: Int32Array,
    best: Float64Array,
    start: number,
    end: number,
    offsetMm2: number,
  ): void {
    const columns = this.#points.columns;
    const steps = this.#rowSteps;
    const columnMm2 = this.#columnMm2;
    const rowMm2 = this.#rowMm2;
    for (let n = start; n < end; n++) {
      let now = best[n]!;
      if (offsetMm2 >= now) continue;
      const at = position[n]!;
      now = Math.min(now, offsetMm2 + rowMm2[steps[at]!]!);
      const left = at % columns;
      const right = columns - 1 - left;
      for (let d = 1; offsetMm2 + columnMm2[d]! < now; d++) {
        if (d <= left) now = Math.min(now, offsetMm2 + rowMm2[steps[at - d]!]! + columnMm2[d]!);
        if (d <= right) now = Math.min(now, offsetMm2 + rowMm2[steps[at + d]!]! + columnMm2[d]!);
      }
      best[n] = now;
    }
  }

  /** Both sweeps keep to the columns that have a point in slice k; the others stay `rows`. */
  #sweepRows(k: number): void {
    const { columns, rows, position, sliceOffset } = this.#points;
    const steps = this.#rowSteps.fill(rows);
    let first = columns;
    let last = 0;
    for (let n = sliceOffset[k]!; n < sliceOffset[k + 1]!; n++) {
      const at = position[n]!;
      steps[at] = 0;
      first = Math.min(first, at % columns);
      last = Math.max(last, at % columns);
    }
    for (let j = 1; j < rows; j++) {
      for (let at = j * columns + first; at <= j * columns + last; at++) {
        const next = steps[at - columns]! + 1;
        if (next < steps[at]!) steps[at] = next;
      }
    }
    for (let j = rows - 2; j >= 0; j--) {
      for (let at = j * columns + first; at <= j * columns + last; at++) {
        const next = steps[at + columns]! + 1;
        if (next < steps[at]!) steps[at] = next;
      }
    }
  }

  /** The lower envelope along one row of the lattice, which starts at `base`. */
  #envelope(base: number): void {
    const { columns, rows } = this.#points;
    const steps = this.#rowSteps;
    const site = this.#site;
    const height = this.#height;
    const from = this.#from;
    const scale = 1 / (2 * this.#columnMm * this.#columnMm);
    let last = -1;
    for (let i = 0; i < columns; i++) {
      const step = steps[base + i]!;
      if (step === rows) continue;
      const value = this.#rowMm2[step]! * scale + 0.5 * i * i;
      // Where the parabola of column i begins to lie below the last one of the envelope.
      let crossing = Number.NEGATIVE_INFINITY;
      while (last >= 0) {
        crossing = (value - height[last]!) / (i - site[last]!);
        if (crossing > from[last]!) break;
        last--;
      }
      last++;
      site[last] = i;
      height[last] = value;
      from[last] = last === 0 ? Number.NEGATIVE_INFINITY : crossing;
    }
    from[last + 1] = Number.POSITIVE_INFINITY;
    const nearest = this.#nearest;
    let at = 0;
    for (let i = 0; i < columns; i++) {
      while (from[at + 1]! < i) at++;
      const source = site[at]!;
      nearest[base + i] = (steps[base + source]! << 16) | Math.abs(i - source);
    }
  }
}

/** (n * stepMm)^2 for n = 0 .. count - 1, and infinity for n = count: beyond the lattice. */
const squaredSteps = (count: number, stepMm: number): Float64Array =>
  Float64Array.from({ length: count + 1 }, (_, n) =>
    n === count ? Number.POSITIVE_INFINITY : n * stepMm * (n * stepMm),
  );

/**
 * Exact Euclidean distance in mm from each point of `from` to the nearest point of `to`, in the
 * order of `from`; infinite where `to` has none. Both lie on the same lattice.
 *
 * The same numbers as a distance transform of the whole lattice read at `from` (summed slice, row,
 * column, as scipy does), without the transform: only one slice of it is held at a time. Slices of
 * `to` are visited coarsely first (every 16th, then every 8th, …); the distances found early bound
 * the search, and a slice farther away than that is never looked at.
 */
export function nearestDistancesMm(
  from: LatticePoints,
  to: LatticePoints,
  spacingMm: Grid['spacingMm'],
): Float64Array {
  const best = new Float64Array(from.position.length).fill(Number.POSITIVE_INFINITY);
  const bounds = Array.from({ length: from.slices }, (_, k) => sliceBound(from, best, k));
  const plane = new PlanarTransform(to, spacingMm);
  for (const target of coarseToFine(to.slices)) {
    if (to.sliceOffset[target] === to.sliceOffset[target + 1]) continue;
    const offsetMm2 = (k: number): number => {
      const offsetMm = (k - target) * spacingMm.slice;
      return offsetMm * offsetMm;
    };
    const near = bounds.filter(({ slice, worstMm2 }) => offsetMm2(slice) < worstMm2);
    if (near.length === 0) continue;
    const searchMm = near.reduce((sum, { totalMm }) => sum + totalMm, 0);
    plane.compute(target, (2 * searchMm) / spacingMm.column);
    for (const { slice } of near) {
      const [start, end] = [from.sliceOffset[slice]!, from.sliceOffset[slice + 1]!];
      plane.improve(from.position, best, start, end, offsetMm2(slice));
      bounds[slice] = sliceBound(from, best, slice);
    }
  }
  for (let i = 0; i < best.length; i++) best[i] = Math.sqrt(best[i]!);
  return best;
}

/** How far the points of one slice still have to look. */
interface SliceBound {
  readonly slice: number;
  /** Largest squared distance so far; -1 where the slice has no points. */
  readonly worstMm2: number;
  /** Sum of the distances so far. */
  readonly totalMm: number;
}

function sliceBound(from: LatticePoints, best: Float64Array, slice: number): SliceBound {
  let worstMm2 = -1;
  let totalMm = 0;
  for (let n = from.sliceOffset[slice]!; n < from.sliceOffset[slice + 1]!; n++) {
    const now = best[n]!;
    if (now > worstMm2) worstMm2 = now;
    totalMm += Math.sqrt(now);
  }
  return { slice, worstMm2, totalMm };
}

/** 0 .. count - 1, each once: multiples of 16, then the remaining ones of 8, 4, 2 and 1. */
function* coarseToFine(count: number): Generator<number> {
  for (let k = 0; k < count; k += 16) yield k;
  for (let stride = 8; stride >= 1; stride /= 2) {
    for (let k = stride; k < count; k += 2 * stride) yield k;
  }
}
