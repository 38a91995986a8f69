import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { inBlocks } from '../../adapters/ranged-blocks.ts';
import type { RangedFile } from '../../core/ports.ts';

const MIB = 2 ** 20;
/** No two blocks alike. */
const bytes = new Uint8Array(40 * MIB + 17).map(
  (_, at) => (at * 31 + Math.floor(at / MIB) * 7) & 255,
);

function counted(): { readonly file: RangedFile; readonly reads: [number, number][] } {
  const reads: [number, number][] = [];
  const read = async (from: number, to: number) => {
    reads.push([from, to]);
    return bytes.subarray(from, to);
  };
  return { file: { name: 'archive', bytes: bytes.length, read }, reads };
}

describe('a file in blocks', () => {
  test('has the same bytes, wherever they are asked for', async () => {
    const file = inBlocks(counted().file);
    await fc.assert(
      fc.asyncProperty(fc.nat(bytes.length + 10), fc.nat(3 * MIB), async (from, length) => {
        const found = await file.read(from, from + length);
        expect(Buffer.compare(found, bytes.subarray(from, from + length))).toBe(0);
      }),
      { numRuns: 200 },
    );
  });

  test('is read once where it is read onwards, and no more than 32 blocks of it are kept', async () => {
    const { file, reads } = counted();
    const blocks = inBlocks(file);
    for (let at = 0; at < bytes.length; at += 100_000) await blocks.read(at, at + 100_000);
    expect(reads).toHaveLength(41);
    expect(reads.every(([from, to]) => to - from <= MIB)).toBe(true);
    // The last 32 are there still, the first is not.
    await blocks.read(20 * MIB, 30 * MIB);
    expect(reads).toHaveLength(41);
    await blocks.read(0, 1);
    expect(reads).toHaveLength(42);
  });

  test('asks again after a failure', async () => {
    let failures = 1;
    const file = inBlocks({
      name: 'archive',
      bytes: 10,
      read: async () => {
        if (failures-- > 0) throw new Error('reset');
        return bytes.subarray(0, 10);
      },
    });
    await expect(file.read(0, 4)).rejects.toThrow('reset');
    expect(await file.read(0, 4)).toHaveLength(4);
  });
});
