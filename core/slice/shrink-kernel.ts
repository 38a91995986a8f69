import {
  type Code,
  doWhile,
  f32,
  f32x4,
  i16x8,
  i32,
  i32x4,
  local,
  v128,
  WasmFunction,
} from '../wasm/assemble.ts';

/** How the voxels of a plane are stored. */
export interface PlaneKind {
  readonly voxels: 'int16' | 'float32';
  /** True where stored columns run against the canonical ones; of int16 planes only. */
  readonly columnsFlipped: boolean;
}

/** Voxels per turn of a loop. Rows need not be multiples of it: the memory has margins. */
export const VOXELS_PER_STEP = 8;
/** Outputs per turn of `across`, and taps per vector of weights. */
export const LANES = 4;

const advance = (pointer: number, bytes: number): Code =>
  local.set(pointer, i32.add(local.get(pointer), i32.const(bytes)));

/** The last of eight 16-bit lanes first. */
const reversed = (lanes: Code): Code =>
  v128.shuffle(lanes, lanes, [14, 15, 12, 13, 10, 11, 8, 9, 6, 7, 4, 5, 2, 3, 0, 1]);

/**
 * `down(target, end, shift, gain, source 1, weight 1, ...)`: the weighted sum of `taps` rows, each
 * voxel windowed to [0, 1] as `(voxel + shift) * gain`, NaN as 0, to float32 from `target` to `end`.
 * A source is the address of the row's first eight canonical voxels.
 */
export function downFunction({ voxels, columnsFlipped }: PlaneKind, taps: number): WasmFunction {
  const fn = new WasmFunction();
  const [target, end] = [fn.parameter('i32'), fn.parameter('i32')];
  const [shift, gain] = [fn.parameter('f32'), fn.parameter('f32')];
  const rows = Array.from({ length: taps }, () => ({
    source: fn.parameter('i32'),
    weight: fn.parameter('f32'),
  }));
  const [shifts, gains] = [fn.local('v128'), fn.local('v128')];
  const weights = rows.map(() => fn.local('v128'));
  const [lanes, low, high] = [fn.local('v128'), fn.local('v128'), fn.local('v128')];

  const windowed = (voxel: Code): Code => {
    const unit = f32x4.mul(f32x4.add(voxel, local.get(shifts)), local.get(gains));
    return f32x4.pmin(f32x4.splat(f32.const(1)), f32x4.pmax(v128.zero(), unit));
  };
  const add = (sum: number, voxel: Code, tap: number): Code => {
    const product = f32x4.mul(windowed(voxel), local.get(weights[tap]!));
    return local.set(sum, tap === 0 ? product : f32x4.add(local.get(sum), product));
  };
  const addRow = (source: number, tap: number): Code[] => {
    if (voxels === 'float32') {
      return [
        add(low, v128.load(local.get(source)), tap),
        add(high, v128.load(local.get(source), 16), tap),
      ];
    }
    return [
      local.set(lanes, v128.load(local.get(source))),
      ...(columnsFlipped ? [local.set(lanes, reversed(local.get(lanes)))] : []),
      add(low, f32x4.convertS(i32x4.extendLowS(local.get(lanes))), tap),
      add(high, f32x4.convertS(i32x4.extendHighS(local.get(lanes))), tap),
    ];
  };

  const stepBytes = VOXELS_PER_STEP * (voxels === 'int16' ? 2 : 4);
  fn.body = [
    local.set(shifts, f32x4.splat(local.get(shift))),
    local.set(gains, f32x4.splat(local.get(gain))),
    ...rows.map(({ weight }, tap) => local.set(weights[tap]!, f32x4.splat(local.get(weight)))),
    doWhile(
      [
        ...rows.flatMap(({ source }, tap) => addRow(source, tap)),
        v128.store(local.get(target), local.get(low)),
        v128.store(local.get(target), local.get(high), 16),
        ...rows.map(({ source }) => advance(source, columnsFlipped ? -stepBytes : stepBytes)),
        advance(target, 4 * VOXELS_PER_STEP),
      ],
      i32.ltU(local.get(target), local.get(end)),
    ),
  ];
  return fn;
}

/**
 * `across(row, starts, starts' end, weights, target)`: shrinks the columns of a float32 row in
 * [0, 1] to uint16 from `target` on, full scale 65535. `starts` are the byte offsets int32 of each
 * output's first tap; `weights` hold `tapGroups` vectors of four taps for each output.
 */
export function acrossFunction(tapGroups: number): WasmFunction {
  const fn = new WasmFunction();
  const [row, starts, end] = [fn.parameter('i32'), fn.parameter('i32'), fn.parameter('i32')];
  const [weights, target] = [fn.parameter('i32'), fn.parameter('i32')];
  const sums = Array.from({ length: LANES }, () => fn.local('v128'));
  const from = fn.local('i32');

  const group = (output: number, at: number): Code =>
    f32x4.mul(
      v128.load(local.get(from), at * 16),
      v128.load(local.get(weights), (output * tapGroups + at) * 16),
    );
  const products = (sum: number, output: number): Code[] => [
    local.set(from, i32.add(local.get(row), i32.load(local.get(starts), output * 4))),
    local.set(sum, group(output, 0)),
    ...Array.from({ length: tapGroups - 1 }, (_, at) =>
      local.set(sum, f32x4.add(local.get(sum), group(output, at + 1))),
    ),
  ];
  const [a, b, c, d] = sums as [number, number, number, number];
  const scaled = f32x4.mul(halves(a, c), f32x4.splat(f32.const(65535)));
  fn.body = [
    doWhile(
      [
        ...sums.flatMap(products),
        // The four sums of four: a transposition halfway, twice.
        local.set(a, pairs(a, b)),
        local.set(c, pairs(c, d)),
        v128.storeLow(
          local.get(target),
          i16x8.narrowU(i32x4.truncSatS(f32x4.nearest(scaled)), v128.zero()),
        ),
        advance(starts, LANES * 4),
        advance(weights, LANES * tapGroups * 16),
        advance(target, LANES * 2),
      ],
      i32.ltU(local.get(starts), local.get(end)),
    ),
  ];
  return fn;
}

/** Of vectors x and y: x0 + x2, y0 + y2, x1 + x3, y1 + y3. */
const pairs = (x: number, y: number): Code =>
  f32x4.add(picked(x, y, [0, 4, 1, 5]), picked(x, y, [2, 6, 3, 7]));

/** Of two such vectors: the sum over each of the four vectors that they came from. */
const halves = (x: number, y: number): Code =>
  f32x4.add(picked(x, y, [0, 1, 4, 5]), picked(x, y, [2, 3, 6, 7]));

/** Float lanes 0 to 3 of local x and 4 to 7 of local y. */
const picked = (x: number, y: number, lanes: readonly number[]): Code =>
  v128.shuffle(
    local.get(x),
    local.get(y),
    lanes.flatMap((lane) => [0, 1, 2, 3].map((byte) => 4 * lane + byte)),
  );

/**
 * `extremes(source, end, target)`: the least and the greatest of the int16 from `source` to `end`,
 * in the eight lanes at `target` and in the eight that follow.
 */
export function extremesFunction(): WasmFunction {
  const fn = new WasmFunction();
  const [source, end, target] = [fn.parameter('i32'), fn.parameter('i32'), fn.parameter('i32')];
  const [lanes, least, greatest] = [fn.local('v128'), fn.local('v128'), fn.local('v128')];
  fn.body = [
    local.set(least, v128.load(local.get(source))),
    local.set(greatest, local.get(least)),
    doWhile(
      [
        local.set(lanes, v128.load(local.get(source))),
        local.set(least, i16x8.minS(local.get(least), local.get(lanes))),
        local.set(greatest, i16x8.maxS(local.get(greatest), local.get(lanes))),
        advance(source, 16),
      ],
      i32.ltU(local.get(source), local.get(end)),
    ),
    v128.store(local.get(target), local.get(least)),
    v128.store(local.get(target), local.get(greatest), 16),
  ];
  return fn;
}
