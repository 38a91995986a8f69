/**
 * The few WebAssembly instructions that the inner loops of the split stage need, as functions that
 * return their encoding (WebAssembly Core 2.0 with fixed-width SIMD, which every supported Node has).
 * Operands are themselves encodings, so that `f32x4.add(a, b)` reads as it computes.
 */
export type Code = readonly number[];

export type ValueType = 'i32' | 'f32' | 'v128';

const VALUE_TYPES: Readonly<Record<ValueType, number>> = { i32: 0x7f, f32: 0x7d, v128: 0x7b };

/** LEB128, unsigned. */
function unsigned(value: number): number[] {
  const bytes: number[] = [];
  let rest = value;
  do {
    const more = rest > 0x7f;
    bytes.push((rest & 0x7f) | (more ? 0x80 : 0));
    rest >>>= 7;
  } while (rest > 0);
  return bytes;
}

/** LEB128, signed. */
function signed(value: number): number[] {
  const bytes: number[] = [];
  let rest = value;
  for (;;) {
    const low = rest & 0x7f;
    rest >>= 7;
    const done = (rest === 0 && (low & 0x40) === 0) || (rest === -1 && (low & 0x40) !== 0);
    bytes.push(done ? low : low | 0x80);
    if (done) return bytes;
  }
}

const simd = (opcode: number): number[] => [0xfd, ...unsigned(opcode)];
const unary =
  (opcode: readonly number[]) =>
  (a: Code): Code => [...a, ...opcode];
const binary =
  (opcode: readonly number[]) =>
  (a: Code, b: Code): Code => [...a, ...b, ...opcode];

/** An access of any alignment, `offset` bytes beyond the address on the stack. */
const at = (offset: number): number[] => [0, ...unsigned(offset)];

export const local = {
  get: (index: number): Code => [0x20, ...unsigned(index)],
  set: (index: number, value: Code): Code => [...value, 0x21, ...unsigned(index)],
};

export const i32 = {
  const: (value: number): Code => [0x41, ...signed(value)],
  load: (address: Code, offset = 0): Code => [...address, 0x28, ...at(offset)],
  add: binary([0x6a]),
  /** Unsigned less-than: 0 or 1. */
  ltU: binary([0x49]),
};

export const f32 = {
  const: (value: number): Code => [0x43, ...new Uint8Array(new Float32Array([value]).buffer)],
};

export const v128 = {
  load: (address: Code, offset = 0): Code => [...address, ...simd(0x00), ...at(offset)],
  store: (address: Code, value: Code, offset = 0): Code => [
    ...address,
    ...value,
    ...simd(0x0b),
    ...at(offset),
  ],
  /** Stores the low eight bytes. */
  storeLow: (address: Code, value: Code): Code => [
    ...address,
    ...value,
    ...simd(0x5b),
    ...at(0),
    0,
  ],
  zero: (): Code => [...simd(0x0c), ...new Array<number>(16).fill(0)],
  /** Bytes of `a` (0 to 15) and `b` (16 to 31) in the order of `lanes`. */
  shuffle: (a: Code, b: Code, lanes: readonly number[]): Code => [
    ...a,
    ...b,
    ...simd(0x0d),
    ...lanes,
  ],
};

export const i16x8 = {
  minS: binary(simd(0x96)),
  maxS: binary(simd(0x98)),
  /** Eight 32-bit lanes to eight 16-bit ones, clamped to unsigned. */
  narrowU: binary(simd(0x86)),
};

export const i32x4 = {
  extendLowS: unary(simd(0xa7)),
  extendHighS: unary(simd(0xa8)),
  truncSatS: unary(simd(0xf8)),
};

export const f32x4 = {
  splat: unary(simd(0x13)),
  convertS: unary(simd(0xfa)),
  nearest: unary(simd(0x6a)),
  add: binary(simd(0xe4)),
  mul: binary(simd(0xe6)),
  /** `b < a ? b : a`, so that NaN in `b` gives `a`. */
  pmin: binary(simd(0xea)),
  /** `a < b ? b : a`, so that NaN in `b` gives `a`. */
  pmax: binary(simd(0xeb)),
};

/** Runs `body` once and again as long as `condition` holds. */
export const doWhile = (body: readonly Code[], condition: Code): Code => [
  0x03,
  0x40,
  ...body.flat(),
  ...condition,
  0x0d,
  0,
  0x0b,
];

/** One function: `parameter` and `local` hand out its variables, parameters first. */
export class WasmFunction {
  readonly parameters: ValueType[] = [];
  readonly locals: ValueType[] = [];
  body: readonly Code[] = [];

  parameter(type: ValueType): number {
    return this.parameters.push(type) - 1;
  }

  local(type: ValueType): number {
    return this.parameters.length + this.locals.push(type) - 1;
  }
}

const vector = (items: readonly Code[]): Code => [...unsigned(items.length), ...items.flat()];
const section = (id: number, items: readonly Code[]): Code => {
  const content = vector(items);
  return [id, ...unsigned(content.length), ...content];
};
const text = (name: string): Code => {
  const bytes = [...Buffer.from(name, 'utf8')];
  return [...unsigned(bytes.length), ...bytes];
};

function codeOf({ locals, body }: WasmFunction): Code {
  const declared = vector(locals.map((type) => [1, VALUE_TYPES[type]]));
  const content = [...declared, ...body.flat(), 0x0b];
  return [...unsigned(content.length), ...content];
}

/** A module of functions without results over one imported memory, `host.memory`. */
export function assemble(
  functions: Readonly<Record<string, WasmFunction>>,
): Uint8Array<ArrayBuffer> {
  const entries = Object.entries(functions);
  const types = entries.map(([, { parameters }]) => [
    0x60,
    ...vector(parameters.map((type) => [VALUE_TYPES[type]])),
    0,
  ]);
  return Uint8Array.from([
    ...[0x00, 0x61, 0x73, 0x6d, 1, 0, 0, 0],
    ...section(1, types),
    ...section(2, [[...text('host'), ...text('memory'), 0x02, 0x00, ...unsigned(1)]]),
    ...section(
      3,
      entries.map((_, index) => unsigned(index)),
    ),
    ...section(
      7,
      entries.map(([name], index) => [...text(name), 0x00, ...unsigned(index)]),
    ),
    ...section(
      10,
      entries.map(([, fn]) => codeOf(fn)),
    ),
  ]);
}
