/**
 * Two resamplings, each separable and precomputed once per volume: the triangle filter that shrinks
 * a slice to the model's square, and the bilinear interpolation that takes logits back.
 */

/** Per output sample: the first input sample and `taps` weights, padded with zeros. */
export interface FilterBank {
  readonly outputs: number;
  readonly taps: number;
  readonly first: Int32Array;
  readonly weights: Float32Array;
}

/**
 * Triangle (linear) filter with the support scaled to the reduction, weights normalised inside the
 * image: Pillow's BILINEAR `resize`, and PyTorch's `interpolate(mode="bilinear", antialias=True)`.
 */
export function triangleFilter(inputs: number, outputs: number): FilterBank {
  const scale = inputs / outputs;
  const support = Math.max(1, scale);
  const rows = Array.from({ length: outputs }, (_, out) => {
    const centre = (out + 0.5) * scale;
    const from = Math.max(0, Math.floor(centre - support + 0.5));
    const to = Math.min(inputs, Math.floor(centre + support + 0.5));
    const weights = Array.from({ length: to - from }, (_, tap) =>
      Math.max(0, 1 - Math.abs((from + tap + 0.5 - centre) / support)),
    );
    const sum = weights.reduce((total, weight) => total + weight, 0);
    return { from, weights: weights.map((weight) => weight / sum) };
  });
  return filterBank(inputs, rows);
}

/** Bilinear interpolation with half-pixel centres and clamped edges; no low-pass when it shrinks. */
export function bilinearFilter(inputs: number, outputs: number): FilterBank {
  const scale = inputs / outputs;
  const rows = Array.from({ length: outputs }, (_, out) => {
    const at = Math.min(inputs - 1, Math.max(0, (out + 0.5) * scale - 0.5));
    const from = Math.min(Math.floor(at), Math.max(0, inputs - 2));
    return { from, weights: [1 - (at - from), at - from].slice(0, inputs) };
  });
  return filterBank(inputs, rows);
}

interface Weighted {
  /** The input sample of the first weight. */
  readonly from: number;
  readonly weights: readonly number[];
}

/** As few taps as the longest row needs; `first + taps` never passes the end of the input. */
function filterBank(inputs: number, rows: readonly Weighted[]): FilterBank {
  const lean = rows.map(({ from, weights }) => {
    const begin = weights.findIndex((weight) => weight !== 0);
    const end = weights.findLastIndex((weight) => weight !== 0) + 1;
    return { from: from + begin, weights: weights.slice(begin, end) };
  });
  const taps = Math.max(...lean.map(({ weights }) => weights.length));
  const first = new Int32Array(rows.length);
  const weights = new Float32Array(rows.length * taps);
  lean.forEach((row, out) => {
    const start = Math.min(row.from, inputs - taps);
    first[out] = start;
    weights.set(row.weights, out * taps + row.from - start);
  });
  return { outputs: rows.length, taps, first, weights };
}

/**
 * Filters the rows of `input` (rows x inputs, row-major) into `output` (rows x outputs).
 * `inputStride` and `outputStride` are the lengths of a row in memory.
 */
export function filterRows(
  bank: FilterBank,
  input: Float32Array,
  inputStride: number,
  rows: number,
  output: Float32Array,
  outputStride: number,
): void {
  const { outputs, taps, first, weights } = bank;
  for (let row = 0; row < rows; row++) {
    const source = row * inputStride;
    const target = row * outputStride;
    for (let out = 0; out < outputs; out++) {
      const from = source + first[out]!;
      let sum = 0;
      for (let tap = 0, at = out * taps; tap < taps; tap++, at++)
        sum += weights[at]! * input[from + tap]!;
      output[target + out] = sum;
    }
  }
}

/**
 * Filters the columns of `input` (inputs x columns, row-major, dense) into rows of `output`,
 * starting at `outputOffset`, one row every `outputStride`.
 */
export function filterColumns(
  bank: FilterBank,
  input: Float32Array,
  columns: number,
  output: Float32Array,
  outputOffset: number,
  outputStride: number,
): void {
  const { outputs, taps, first, weights } = bank;
  for (let out = 0; out < outputs; out++) {
    const target = outputOffset + out * outputStride;
    output.fill(0, target, target + columns);
    for (let tap = 0; tap < taps; tap++) {
      const weight = weights[out * taps + tap]!;
      if (weight === 0) continue;
      const source = (first[out]! + tap) * columns;
      for (let column = 0; column < columns; column++)
        output[target + column]! += weight * input[source + column]!;
    }
  }
}
