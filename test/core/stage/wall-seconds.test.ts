import { expect, it } from 'vitest';
import { segmentWallSeconds } from '../../../core/stage/wall-seconds.ts';

const slab = (fromSecond: number, toSecond: number) => ({
  seconds: { total: toSecond - fromSecond, endMs: 1000 * toSecond },
});
const split = (fromSecond: number, toSecond: number) => ({
  splitSeconds: toSecond - fromSecond,
  splitEndMs: 1000 * toSecond,
});

it.each([
  ['two at a time, while the scan is read', [slab(1, 5), slab(2, 8), slab(5, 9)], split(0, 3), 6],
  ['one within another', [slab(4, 9), slab(5, 6)], split(0, 3), 5],
  ['after a break', [slab(4, 5), slab(100, 102)], split(0, 3), 3],
  ['before a split that was done again', [slab(4, 6)], split(50, 53), 2],
  ['all while the scan is read', [slab(1, 2)], split(0, 3), 0],
])('counts by the clock slabs that ran %s', (_, slabs, manifest, seconds) => {
  expect(segmentWallSeconds(slabs, manifest)).toBeCloseTo(seconds, 9);
});

it('adds up slabs that do not say when they ended', () => {
  const before = [{ seconds: { total: 2 } }, { seconds: { total: 3 } }, slab(4, 8)];
  expect(segmentWallSeconds(before, { splitSeconds: 1 })).toBeCloseTo(9, 9);
});
