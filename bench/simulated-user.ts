import { traceContours } from '../core/draw/contour.ts';
import { fillHole, type Plane, type Spot, stroke } from '../core/labelling/paint.ts';

/**
 * A user who knows the truth and whose hand does not shake: with the page's own strokes, round and of whole radii, the
 * largest error is painted or erased along its middle, with the brush size that gains most.
 */
export interface Truth extends Plane {
  readonly columnMm: number;
  readonly rowMm: number;
}

/** What was done to one slice. */
export interface Work {
  boxes: number;
  strokes: number;
  fills: number;
  /** Of all drags with the button down. */
  dragMm: number;
}

export const nothingDone = (): Work => ({ boxes: 0, strokes: 0, fills: 0, dragMm: 0 });

/** Sizes of the page's brush. */
const RADII = Array.from({ length: 30 }, (_, n) => n + 1);
const OUTLINE_RADIUS = 2;
/** An error that no stroke makes smaller is left; so many of the next largest are tried instead. */
const TRIED_ERRORS = 5;
const MOST_STROKES = 40;

export function dice(a: Uint8Array, b: Uint8Array): number {
  let [both, sum] = [0, 0];
  for (let at = 0; at < a.length; at++) {
    both += a[at]! & b[at]!;
    sum += a[at]! + b[at]!;
  }
  return sum === 0 ? 1 : (2 * both) / sum;
}

/** Strokes until the goal, until none helps or there were forty. */
export function correct(mask: Uint8Array, truth: Truth, goal: number, work: Work): void {
  while (dice(mask, truth.mask) < goal && work.strokes < MOST_STROKES) {
    const best = bestStroke(mask, truth);
    if (!best) return;
    mask.set(best.mask);
    work.strokes += 1;
    work.dragMm += lengthMm(best.path, truth);
  }
}

/** Around each part of the target, and a click into it. */
export function outline(mask: Uint8Array, truth: Truth, work: Work): void {
  const { columns, rows } = truth;
  const plane = { columns, rows, mask };
  const depth = depthOf(truth.mask, truth);
  const inner = Uint8Array.from(depth, (by) => (by > OUTLINE_RADIUS ? 1 : 0));
  for (const part of partsOf(inner, truth)) {
    const only = new Uint8Array(inner.length);
    for (const at of part) only[at] = 1;
    const outer = traceContours(only, columns, rows)[0]!;
    const path: Spot[] = [];
    for (let n = 0; n < outer.length; n += 2)
      path.push({ x: outer[n]! - 0.5, y: outer[n + 1]! - 0.5 });
    path.push(path[0]!);
    draw(plane, path, OUTLINE_RADIUS, 1);
    work.strokes += 1;
    work.dragMm += lengthMm(path, truth);
    const deepest = part.reduce((a, b) => (depth[b]! > depth[a]! ? b : a));
    const spot = { x: deepest % columns, y: Math.floor(deepest / columns) };
    if (fillHole(plane, spot)) work.fills += 1;
  }
}

interface Stroke {
  readonly mask: Uint8Array;
  readonly path: readonly Spot[];
}

function bestStroke(mask: Uint8Array, truth: Truth): Stroke | undefined {
  const now = dice(mask, truth.mask);
  const errors = ([1, 0] as const).flatMap((value) => {
    const wrong = mask.map((one, at) =>
      one !== truth.mask[at] && truth.mask[at] === value ? 1 : 0,
    );
    return partsOf(wrong, truth).map((part) => ({ part, value }));
  });
  errors.sort((a, b) => b.part.length - a.part.length);
  for (const { part, value } of errors.slice(0, TRIED_ERRORS)) {
    // What may be painted over: all of the target by the brush, all else by the eraser.
    const room = depthOf(
      truth.mask.map((one) => (one === value ? 1 : 0)),
      truth,
    );
    const middle = middleLine(part, truth);
    let best: (Stroke & { readonly after: number }) | undefined;
    for (const radius of RADII) {
      const path = longestWithin(middle, (at) => room[at]! >= radius).map((at) => ({
        x: at % truth.columns,
        y: Math.floor(at / truth.columns),
      }));
      if (path.length === 0) break;
      const drawn = mask.slice();
      draw({ ...truth, mask: drawn }, path, radius, value);
      const after = dice(drawn, truth.mask);
      if (after > (best?.after ?? now)) best = { mask: drawn, path, after };
    }
    if (best) return best;
  }
  return undefined;
}

function draw(plane: Plane, path: readonly Spot[], radius: number, value: 0 | 1): void {
  for (const [n, to] of path.entries()) stroke(plane, path[n - 1] ?? to, to, radius, value);
}

function lengthMm(path: readonly Spot[], { columnMm, rowMm }: Truth): number {
  let sum = 0;
  for (const [n, { x, y }] of path.entries()) {
    const from = path[n - 1] ?? { x, y };
    sum += Math.hypot((x - from.x) * columnMm, (y - from.y) * rowMm);
  }
  return sum;
}

function longestWithin(line: readonly number[], fits: (at: number) => boolean): number[] {
  let [longest, run]: [number[], number[]] = [[], []];
  for (const at of line) {
    if (fits(at)) run.push(at);
    else run = [];
    if (run.length > longest.length) longest = [...run];
  }
  return longest;
}

/** The way through a part between its two ends, as far from its rim as may be. */
function middleLine(part: readonly number[], plane: Plane): number[] {
  const inside = new Uint8Array(plane.mask.length);
  for (const at of part) inside[at] = 1;
  const depth = depthOf(inside, plane);
  const [start] = cheapestWay(part[0]!, inside, plane, () => 1).slice(-1);
  const rim = (at: number): number => 1 + Math.round(16 / depth[at]! ** 2);
  const [end] = cheapestWay(start!, inside, plane, () => 1).slice(-1);
  return cheapestWay(start!, inside, plane, rim, end!);
}

/** From a voxel to another, or to the one that costs most to reach; costs are whole numbers. */
function cheapestWay(
  from: number,
  inside: Uint8Array,
  plane: Plane,
  cost: (at: number) => number,
  to?: number,
): number[] {
  const cameFrom = new Map<number, number>([[from, from]]);
  const settled = new Set<number>();
  const buckets: [number, number][][] = [[[from, from]]];
  let last = from;
  for (let total = 0; total < buckets.length && !(to !== undefined && settled.has(to)); total++)
    for (const [at, before] of buckets[total] ?? []) {
      if (settled.has(at)) continue;
      settled.add(at);
      cameFrom.set(at, before);
      last = at;
      for (const next of around(at, plane)) {
        if (!inside[next] || settled.has(next)) continue;
        const there = total + cost(next);
        buckets[there] ??= [];
        buckets[there].push([next, at]);
      }
    }
  const way = [to ?? last];
  while (way[0] !== from) way.unshift(cameFrom.get(way[0]!)!);
  return way;
}

function* around(at: number, { columns, rows }: Plane): Generator<number> {
  const [x, y] = [at % columns, Math.floor(at / columns)];
  for (let v = Math.max(0, y - 1); v <= Math.min(rows - 1, y + 1); v++)
    for (let u = Math.max(0, x - 1); u <= Math.min(columns - 1, x + 1); u++)
      if (u !== x || v !== y) yield v * columns + u;
}

/** Voxels of each connected part. */
function partsOf(mask: Uint8Array, plane: Plane): number[][] {
  const seen = new Uint8Array(mask.length);
  const parts: number[][] = [];
  for (let first = 0; first < mask.length; first++) {
    if (!mask[first] || seen[first]) continue;
    const part = [first];
    seen[first] = 1;
    for (const at of part)
      for (const next of around(at, plane))
        if (mask[next] && !seen[next]) {
          seen[next] = 1;
          part.push(next);
        }
    parts.push(part);
  }
  return parts;
}

/** Of each voxel of the mask, voxels to the nearest one that is not in it; the slice ends at its border. */
export function depthOf(mask: Uint8Array, { columns, rows }: Plane): Float64Array {
  const up = new Float64Array(mask.length);
  for (let x = 0; x < columns; x++) {
    for (let y = 0, run = 0; y < rows; y++) {
      run = mask[y * columns + x] ? run + 1 : 0;
      up[y * columns + x] = run;
    }
    for (let y = rows - 1, run = 0; y >= 0; y--) {
      run = mask[y * columns + x] ? run + 1 : 0;
      up[y * columns + x] = Math.min(run, up[y * columns + x]!);
    }
  }
  return Float64Array.from(mask, (inside, at) => {
    if (!inside) return 0;
    const [x, row] = [at % columns, at - (at % columns)];
    let least = Math.min(up[at]!, x + 1, columns - x);
    for (let by = 1; by < least; by++)
      for (const u of [x - by, x + by]) least = Math.min(least, Math.hypot(by, up[row + u]!));
    return least;
  });
}
