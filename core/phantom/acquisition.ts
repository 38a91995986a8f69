import type { Random } from '../random.ts';
import type { Grid } from '../volume/grid.ts';

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
