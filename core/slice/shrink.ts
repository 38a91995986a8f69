import type { Letterbox } from '../contract/manifest.ts';
import { instantiate, Layout, type WasmInstance } from '../wasm/instance.ts';
import { type FilterBank, triangleFilter } from './letterbox.ts';
import {
  acrossFunction,
  downFunction,
  extremesFunction,
  LANES,
  type PlaneKind,
  VOXELS_PER_STEP,
} from './shrink-kernel.ts';

export interface ShrinkOptions extends PlaneKind {
  readonly columns: number;
  readonly rows: number;
  readonly rowsFlipped: boolean;
  readonly letterbox: Letterbox;
  /** In the plane's own units: the lower end of the window, and 1 over its width (may be negative). */
  readonly lowVoxel: number;
  readonly unitPerVoxel: number;
}

/** No access of the kernel goes further beyond its data. */
const MARGIN_BYTES = 64;

/**
 * Windows, shrinks (triangle filter) and letterboxes one plane after the other. The loops over voxels
 * are WebAssembly with SIMD instructions, which takes a fifth of JavaScript's time; the rows are
 * shrunk before the columns, in float32.
 */
export class SliceShrinker {
  /** Where the caller puts the stored voxels, rows x columns. */
  readonly plane: Int16Array<ArrayBuffer> | Float32Array<ArrayBuffer>;
  /** What `shrink` makes of them: sizePx x sizePx, full scale 65535, 0 outside the letterbox. */
  readonly square: Uint16Array<ArrayBuffer>;
  private readonly options: ShrinkOptions;
  private readonly wasm: WasmInstance<'down' | 'across' | 'extremes'>;
  private readonly down: FilterBank;
  private readonly across: FilterBank;
  private readonly rowAt: number;
  private readonly startsAt: number;
  private readonly weightsAt: number;
  private readonly extremesAt: number;

  constructor(options: ShrinkOptions) {
    const { columns, rows, letterbox, voxels } = options;
    this.options = options;
    this.down = triangleFilter(rows, letterbox.height);
    this.across = inLanes(triangleFilter(columns, letterbox.width));
    const layout = new Layout(MARGIN_BYTES);
    const planeAt = layout.take(rows * columns * (voxels === 'int16' ? 2 : 4));
    const squareAt = layout.take(letterbox.sizePx ** 2 * 2);
    this.rowAt = layout.take((columns + this.across.taps) * 4);
    this.startsAt = layout.take(this.across.outputs * 4);
    this.weightsAt = layout.take(this.across.weights.byteLength);
    this.extremesAt = layout.take(32);
    this.wasm = instantiate(
      {
        down: downFunction(options, this.down.taps),
        across: acrossFunction(this.across.taps / LANES),
        extremes: extremesFunction(),
      },
      layout.bytes,
    );
    const { memory } = this.wasm;
    this.plane =
      voxels === 'int16'
        ? new Int16Array(memory, planeAt, rows * columns)
        : new Float32Array(memory, planeAt, rows * columns);
    this.square = new Uint16Array(memory, squareAt, letterbox.sizePx ** 2);
    new Float32Array(memory, this.weightsAt).set(this.across.weights);
    new Int32Array(memory, this.startsAt).set(this.across.first.map((column) => column * 4));
  }

  /** Makes `square` out of `plane`; the next call makes it anew. */
  shrink(): void {
    const { letterbox, lowVoxel, unitPerVoxel, columns } = this.options;
    const { down, across, wasm, square } = this;
    const rowEnd = this.rowAt + columns * 4;
    const startsEnd = this.startsAt + across.outputs * 4;
    const sources = new Array<number>(2 * down.taps);
    square.fill(0);
    for (let out = 0; out < down.outputs; out++) {
      for (let tap = 0; tap < down.taps; tap++) {
        sources[2 * tap] = this.rowAddress(down.first[out]! + tap);
        sources[2 * tap + 1] = down.weights[out * down.taps + tap]!;
      }
      wasm.run.down(this.rowAt, rowEnd, -lowVoxel, unitPerVoxel, ...sources);
      const pixel = (letterbox.y0 + out) * letterbox.sizePx + letterbox.x0;
      const target = square.byteOffset + pixel * 2;
      wasm.run.across(this.rowAt, this.startsAt, startsEnd, this.weightsAt, target);
    }
  }

  /** Least and greatest voxel of an int16 plane. */
  extremes(): readonly [least: number, greatest: number] {
    const { plane, extremesAt } = this;
    // The last step may read past the end: what it finds there is a voxel, too.
    new Int16Array(this.wasm.memory, plane.byteOffset + plane.byteLength).fill(
      plane[0]!,
      0,
      VOXELS_PER_STEP,
    );
    this.wasm.run.extremes(plane.byteOffset, plane.byteOffset + plane.byteLength, extremesAt);
    const found = new Int16Array(this.wasm.memory, extremesAt, 2 * VOXELS_PER_STEP);
    return [
      Math.min(...found.subarray(0, VOXELS_PER_STEP)),
      Math.max(...found.subarray(VOXELS_PER_STEP)),
    ];
  }

  /** Of the first eight canonical voxels of canonical row `row`. */
  private rowAddress(row: number): number {
    const { rows, columns, rowsFlipped, columnsFlipped } = this.options;
    const stored = rowsFlipped ? rows - 1 - row : row;
    const voxel = stored * columns + (columnsFlipped ? columns - VOXELS_PER_STEP : 0);
    return this.plane.byteOffset + voxel * this.plane.BYTES_PER_ELEMENT;
  }
}

/** The same filter with taps and outputs filled up with zeros to whole vectors. */
function inLanes(bank: FilterBank): FilterBank {
  const whole = (count: number): number => Math.ceil(count / LANES) * LANES;
  const [taps, outputs] = [whole(bank.taps), whole(bank.outputs)];
  const first = new Int32Array(outputs);
  first.set(bank.first);
  const weights = new Float32Array(outputs * taps);
  for (let out = 0; out < bank.outputs; out++) {
    const row = bank.weights.subarray(out * bank.taps, (out + 1) * bank.taps);
    weights.set(row, out * taps);
  }
  return { outputs, taps, first, weights };
}
