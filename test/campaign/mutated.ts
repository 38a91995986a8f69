import type { Random } from '../../core/random.ts';

export const uint = (random: Random, below: number): number => Math.floor(random.next() * below);
export const pick = <T>(random: Random, from: readonly T[]): T => from[uint(random, from.length)]!;

/** Numbers that headers and records are damaged with. */
export const HOSTILE = [
  0,
  1,
  -1,
  127,
  255,
  32767,
  -32768,
  2 ** 31 - 1,
  -(2 ** 31),
  1e20,
  -1e-20,
  1e36,
  Number.NaN,
  Number.POSITIVE_INFINITY,
];

/** Changes up to four numbers or bytes, most of them in the header, and now and then the length. */
export function mutated(random: Random, bytes: Uint8Array): Uint8Array {
  let copy = new Uint8Array(bytes);
  const view = new DataView(copy.buffer);
  for (let n = 1 + uint(random, 4); n > 0 && copy.length > 8; n--) {
    const within = random.next() < 0.8 ? Math.min(560, copy.length) : copy.length;
    const at = uint(random, within - 8);
    const value = pick(random, HOSTILE);
    const kind = uint(random, 6);
    if (kind === 0) copy[at] = uint(random, 256);
    else if (kind === 1) copy[at]! ^= 1 << uint(random, 8);
    else if (kind === 2) view.setInt16(at & ~1, value, random.next() < 0.8);
    else if (kind === 3) view.setFloat32(at & ~3, value, random.next() < 0.8);
    else if (kind === 4) view.setFloat64(at & ~7, value, true);
    else view.setInt32(at & ~3, value, random.next() < 0.8);
  }
  if (random.next() < 0.1) copy = copy.slice(0, uint(random, copy.length));
  return copy;
}
