import { existsSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { gunzipSync } from 'node:zlib';
import { describe, expect, it } from 'vitest';
import { METRIC_DEFINITIONS, type MetricName, metricValue } from '../../../core/contract/panel.ts';
import { connectedComponents, fillHoles } from '../../../core/mask/clean.ts';
import { comparisonPanel } from '../../../core/metrics/panel.ts';
import type { MaskVolume } from '../../../core/volume/grid.ts';
import golden from '../../golden/metrics/real-masks.json' with { type: 'json' };
import { applyStep, type Step } from './rule-masks.ts';
import { expectClose } from './tolerance.ts';

interface GoldenCase {
  readonly path: string;
  readonly rule: readonly Step[];
  readonly expected: Readonly<Record<string, number>>;
  readonly components: number;
  readonly filledVoxels: number;
}

const DATA = process.env.SAMMIX_DATA ?? join(import.meta.dirname, '../../../../shared/data');
const cases = golden.cases as unknown as readonly GoldenCase[];
const present = existsSync(join(DATA, cases[0]!.path));
const title = present
  ? 'real liver contours'
  : `real liver contours: SKIPPED, no CT folder at ${DATA} (set SAMMIX_DATA)`;

describe.skipIf(!present)(title, () => {
  it.each(cases)('$path after $rule: numbers of MONAI and surface-distance', (c) => {
    const label = storedMask(join(DATA, c.path));
    const prediction = c.rule.reduce(applyStep, label);
    const panel = comparisonPanel(prediction, label);
    for (const name of Object.keys(METRIC_DEFINITIONS) as MetricName[]) {
      if (name in c.expected) expectClose(metricValue(panel, name), c.expected[name]!, name);
    }
    expect(connectedComponents(prediction).count).toBe(c.components);
    expect(fillHoles(prediction)).toBe(c.filledVoxels);
  });
});

/** A single-byte or int16/int32 little-endian NIfTI-1 label in its stored voxel order. */
function storedMask(path: string): MaskVolume {
  const bytes = gunzipSync(readFileSync(path));
  const [columns, rows, slices] = [42, 44, 46].map((at) => bytes.readInt16LE(at)) as [
    number,
    number,
    number,
  ];
  const [column, row, slice] = [80, 84, 88].map((at) => bytes.readFloatLE(at)) as [
    number,
    number,
    number,
  ];
  const width = bytes.readInt16LE(72) / 8;
  const start = bytes.readFloatLE(108);
  const data = new Uint8Array(columns * rows * slices);
  for (let n = 0; n < data.length; n++) {
    for (let byte = 0; byte < width; byte++) {
      if (bytes[start + n * width + byte] !== 0) data[n] = 1;
    }
  }
  return { grid: { columns, rows, slices, spacingMm: { column, row, slice } }, data };
}
