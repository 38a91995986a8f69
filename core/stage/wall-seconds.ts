import type { CaseManifest, SlabRecords } from '../contract/manifest.ts';

/**
 * Wall-clock seconds that segmentation took beyond the split: slabs that ran at the same time count once, and
 * what ran while the scan was still being read is the split's. Slabs of before their end was written down
 * count one after the other.
 *
 * @param slabs `seconds.total` ends at `seconds.endMs`, Unix milliseconds
 */
export function segmentWallSeconds(
  slabs: readonly { readonly seconds: Pick<SlabRecords['seconds'], 'total' | 'endMs'> }[],
  { splitSeconds, splitEndMs }: Pick<CaseManifest, 'splitSeconds' | 'splitEndMs'>,
): number {
  const timed = slabs.flatMap(({ seconds: { total, endMs } }) =>
    endMs === undefined ? [] : [spanOf(total, endMs)],
  );
  const untimed = slabs.reduce(
    (sum, { seconds }) => sum + (seconds.endMs === undefined ? seconds.total : 0),
    0,
  );
  const split = splitEndMs === undefined ? [] : [spanOf(splitSeconds, splitEndMs)];
  return untimed + coveredSeconds([...timed, ...split]) - coveredSeconds(split);
}

type Span = readonly [startMs: number, endMs: number];

const spanOf = (seconds: number, endMs: number): Span => [endMs - seconds * 1000, endMs];

/** Length of the union. */
function coveredSeconds(spans: readonly Span[]): number {
  let [covered, reached] = [0, Number.NEGATIVE_INFINITY];
  for (const [startMs, endMs] of spans.toSorted(([a], [b]) => a - b)) {
    covered += Math.max(0, endMs - Math.max(startMs, reached));
    reached = Math.max(reached, endMs);
  }
  return covered / 1000;
}
