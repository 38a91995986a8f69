import type { Random } from '../core/random.ts';
import type { Grid } from '../core/volume/grid.ts';

/** Sides of a normalised three-point kernel [side, 1 - 2 * side, side]. */
interface Blur {
  readonly inPlane: number;
  readonly acrossSlices: number;
}

function blurAxis(
  data: Float32Array,
  grid: Grid,
  along: 'column' | 'row' | 'slice',
  side: number,
): void {
  const { columns, rows, slices } = grid;
  const plane = columns * rows;
  const [step, length, outer, outerStep, inner, innerStep] =
    along === 'column'
      ? ([1, columns, slices, plane, rows, columns] as const)
      : along === 'row'
        ? ([columns, rows, slices, plane, columns, 1] as const)
        : ([plane, slices, rows, columns, columns, 1] as const);
  const centre = 1 - 2 * side;
  for (let o = 0; o < outer; o += 1) {
    for (let n = 0; n < inner; n += 1) {
      let index = o * outerStep + n * innerStep;
      let before = data[index]!;
      for (let s = 0; s < length; s += 1) {
        const here = data[index]!;
        const after = s + 1 < length ? data[index + step]! : here;
        data[index] = side * (before + after) + centre * here;
        before = here;
        index += step;
      }
    }
  }
}

function blur(data: Float32Array, grid: Grid, { inPlane, acrossSlices }: Blur): void {
  blurAxis(data, grid, 'column', inPlane);
  blurAxis(data, grid, 'row', inPlane);
  if (acrossSlices > 0) blurAxis(data, grid, 'slice', acrossSlices);
}

const NOISE_BLUR = 0.25;

/** Sum of the squared weights of [b, 1 - 2b, b]: the variance that one pass leaves of white noise. */
const keptVariance = (b: number): number => 2 * b * b + (1 - 2 * b) ** 2;

/**
 * Correlated noise with the given standard deviation in HU. Each sample is a sum of four uniforms,
 * which the blur brings closer still to a Gaussian; sums and products only, so that no
 * transcendental function's last bit can differ between machines.
 */
function scannerNoise(random: Random, grid: Grid, sdHu: number): Float32Array {
  const noise = new Float32Array(grid.columns * grid.rows * grid.slices);
  const sumSd = Math.sqrt(4 * ((65536 ** 2 - 1) / 12));
  const scale = sdHu / sumSd / keptVariance(NOISE_BLUR);
  for (let n = 0; n < noise.length; n += 1) {
    const first = random.uint32();
    const second = random.uint32();
    const sum = (first & 65535) + (first >>> 16) + (second & 65535) + (second >>> 16);
    noise[n] = (sum - 131070) * scale;
  }
  blur(noise, grid, { inPlane: NOISE_BLUR, acrossSlices: 0 });
  return noise;
}

/**
 * What the scanner makes of the truth: partial volume as a small blur, then noise, then whole HU
 * clipped to the 12-bit range [-1024, 3071].
 */
export function acquire(
  random: Random,
  grid: Grid,
  trueHu: Float32Array,
  noiseSdHu: number,
): Int16Array {
  blur(trueHu, grid, { inPlane: 0.2, acrossSlices: 0.12 });
  const noise = scannerNoise(random, grid, noiseSdHu);
  const hu = new Int16Array(trueHu.length);
  for (let n = 0; n < hu.length; n += 1) {
    hu[n] = Math.min(3071, Math.max(-1024, Math.round(trueHu[n]! + noise[n]!)));
  }
  return hu;
}

/** Cubic B-spline weights of the four lattice points around fraction t in [0, 1). */
function splineWeights(t: number): readonly [number, number, number, number] {
  const u = 1 - t;
  return [
    (u * u * u) / 6,
    (3 * t * t * t - 6 * t * t + 4) / 6,
    (3 * u * u * u - 6 * u * u + 4) / 6,
    (t * t * t) / 6,
  ];
}

interface Axis {
  readonly cell: Int32Array;
  readonly weights: Float64Array;
  readonly points: number;
}

function axis(count: number, spacingMm: number, cellMm: number): Axis {
  const cell = new Int32Array(count);
  const weights = new Float64Array(count * 4);
  for (let n = 0; n < count; n += 1) {
    const position = (n * spacingMm) / cellMm;
    cell[n] = Math.floor(position);
    weights.set(splineWeights(position - Math.floor(position)), n * 4);
  }
  return { cell, weights, points: Math.floor(((count - 1) * spacingMm) / cellMm) + 4 };
}

/**
 * Standard deviation of a lattice of uniform [-1, 1) values seen through a 3-D cubic B-spline:
 * sqrt(1/3) per point, times the mean of the squared weights, 151/315, once per axis.
 */
const RAW_SD = Math.sqrt((1 / 3) * (151 / 315) ** 3);

/**
 * Smooth noise on the grid, mean 0 and standard deviation about 1, without features smaller than
 * `cellMm`. Layout as the grid: `[(k * rows + j) * columns + i]`.
 */
export function smoothNoise(random: Random, grid: Grid, cellMm: number): Float32Array {
  const ax = axis(grid.columns, grid.spacingMm.column, cellMm);
  const ay = axis(grid.rows, grid.spacingMm.row, cellMm);
  const az = axis(grid.slices, grid.spacingMm.slice, cellMm);
  const lattice = Float64Array.from({ length: ax.points * ay.points * az.points }, () =>
    random.uniform(-1 / RAW_SD, 1 / RAW_SD),
  );
  const out = new Float32Array(grid.columns * grid.rows * grid.slices);
  const line = new Float64Array(ax.points);
  for (let k = 0; k < grid.slices; k += 1) {
    for (let j = 0; j < grid.rows; j += 1) {
      blendLines(line, lattice, ax.points, ay, az, j, k);
      const start = (k * grid.rows + j) * grid.columns;
      for (let i = 0; i < grid.columns; i += 1) {
        const c = ax.cell[i]!;
        const w = i * 4;
        out[start + i] =
          line[c]! * ax.weights[w]! +
          line[c + 1]! * ax.weights[w + 1]! +
          line[c + 2]! * ax.weights[w + 2]! +
          line[c + 3]! * ax.weights[w + 3]!;
      }
    }
  }
  return out;
}

/** The lattice interpolated in rows and slices, as one line of lattice columns. */
function blendLines(
  line: Float64Array,
  lattice: Float64Array,
  points: number,
  ay: Axis,
  az: Axis,
  j: number,
  k: number,
): void {
  line.fill(0);
  for (let c = 0; c < 4; c += 1) {
    for (let b = 0; b < 4; b += 1) {
      const weight = az.weights[k * 4 + c]! * ay.weights[j * 4 + b]!;
      const start = ((az.cell[k]! + c) * ay.points + ay.cell[j]! + b) * points;
      for (let a = 0; a < points; a += 1) line[a]! += weight * lattice[start + a]!;
    }
  }
}
