/**
 * A small seeded generator for everything that must come out the same on every machine: phantoms,
 * bootstrap draws, test data. Not for secrets.
 *
 * The algorithm is Chris Doty-Humphrey's sfc32 (PractRand): 96 bits of chaotic state and a 32-bit
 * counter, so every seed has a period of at least 2^32 draws.
 */
export interface Random {
  /** An integer in [0, 2^32). */
  uint32(): number;
  /** A number in [0, 1) with 32 random bits. */
  next(): number;
  /** A number in [min, max). */
  uniform(min: number, max: number): number;
  /** An integer in [min, max], both included. */
  integer(min: number, max: number): number;
  /** One of the items; they must not be empty. */
  pick<T>(items: readonly [T, ...T[]]): T;
  /** An independent generator, so that one consumer's draws do not shift another's. */
  fork(): Random;
}

/** Draws thrown away after seeding, as PractRand does, so that similar seeds part company. */
const WARM_UP_DRAWS = 12;
const TWO_POW_32 = 4294967296;

/** The raw sfc32 stream: seed words (a, b, c) and a counter that starts at 1. */
function sfc32(seedA: number, seedB: number, seedC: number): () => number {
  let a = seedA | 0;
  let b = seedB | 0;
  let c = seedC | 0;
  let counter = 1;
  const draw = (): number => {
    const out = (a + b + counter) | 0;
    counter = (counter + 1) | 0;
    a = b ^ (b >>> 9);
    b = (c + (c << 3)) | 0;
    c = (((c << 21) | (c >>> 11)) + out) | 0;
    return out >>> 0;
  };
  for (let i = 0; i < WARM_UP_DRAWS; i += 1) draw();
  return draw;
}

function wrap(draw: () => number): Random {
  const next = (): number => draw() / TWO_POW_32;
  return {
    uint32: draw,
    next,
    uniform: (min, max) => min + (max - min) * next(),
    integer: (min, max) => min + Math.floor(next() * (max - min + 1)),
    pick: (items) => items[Math.floor(next() * items.length)]!,
    fork: () => wrap(sfc32(draw(), draw(), draw())),
  };
}

/** @param seed a safe non-negative integer; its low and high 32 bits are seed words b and c. */
export function createRandom(seed: number): Random {
  if (!Number.isSafeInteger(seed) || seed < 0) {
    throw new RangeError(`seed must be a non-negative safe integer, got ${seed}`);
  }
  return wrap(sfc32(0, seed % TWO_POW_32, Math.floor(seed / TWO_POW_32)));
}
