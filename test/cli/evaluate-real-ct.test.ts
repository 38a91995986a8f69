import { existsSync } from 'node:fs';
import { copyFile, mkdir, readFile, writeFile } from 'node:fs/promises';
import path from 'node:path';
import { gunzipSync, gzipSync } from 'node:zlib';
import { describe, expect, it } from 'vitest';
import { evaluateCommand } from '../../cli/evaluate.ts';
import { silentProgress } from '../../cli/progress.ts';
import type { MetricName } from '../../core/contract/panel.ts';
import { expectClose } from '../core/metrics/tolerance.ts';
import golden from '../golden/metrics/real-masks.json' with { type: 'json' };
import { temporaryFolder } from '../support/case.ts';

const DATA = path.resolve(process.env.SAMMIX_DATA ?? '../shared/data');
const present = existsSync(DATA);
if (!present) console.warn(`SKIPPED: evaluating real CT; there is none at ${DATA} (SAMMIX_DATA)`);

/** The contours of a real liver, moved: numbers of MONAI and surface-distance are known for it. */
const moved = golden.cases.find(({ rule }) => rule.length === 1 && 'shift' in rule[0]!)!;

describe.skipIf(!present)('sammix evaluate on real CT', () => {
  it('gives the numbers of MONAI and surface-distance for a moved contour', async () => {
    const folder = await temporaryFolder();
    const [dataset, predictions] = [path.join(folder, 'data'), path.join(folder, 'masks')];
    await mkdir(dataset);
    await mkdir(predictions);
    const label = path.join(DATA, moved.path);
    await copyFile(label.replace('_liver', '_ct'), path.join(dataset, 'one_ct.nii.gz'));
    await copyFile(label, path.join(dataset, 'one_liver.nii.gz'));
    const [slices, rows, columns] = (moved.rule[0] as { shift: number[] }).shift as [
      number,
      number,
      number,
    ];
    const mask = shiftVoxels(gunzipSync(await readFile(label)), [columns, rows, slices]);
    await writeFile(path.join(predictions, 'one_mask.nii.gz'), gzipSync(mask, { level: 1 }));

    const { evaluation } = await evaluateCommand(
      dataset,
      { out: path.join(folder, 'out'), predictions, slicesPerJob: 32, force: false },
      silentProgress,
    );
    const { metrics, scan } = evaluation.cases[0]!;
    for (const name of Object.keys(metrics!) as MetricName[]) {
      const theirs = (moved.expected as Record<string, number>)[name];
      if (theirs !== undefined) expectClose(metrics![name] as number, theirs, name);
    }
    expect(scan!.hu.p50).toBeGreaterThan(-300);
    expect(scan!.hu.p99).toBeGreaterThan(100);
  });
});

/** Moves the voxels of a little-endian NIfTI-1 label by whole steps of its stored axes i, j, k. */
function shiftVoxels(bytes: Buffer, by: readonly [number, number, number]): Buffer {
  const [ni, nj, nk] = [42, 44, 46].map((at) => bytes.readInt16LE(at)) as [number, number, number];
  const width = bytes.readInt16LE(72) / 8;
  const start = bytes.readFloatLE(108);
  const out = Buffer.from(bytes);
  out.fill(0, start);
  for (let k = 0; k < nk; k++)
    for (let j = 0; j < nj; j++)
      for (let i = 0; i < ni; i++) {
        const [x, y, z] = [i + by[0], j + by[1], k + by[2]];
        if (x < 0 || y < 0 || z < 0 || x >= ni || y >= nj || z >= nk) continue;
        const from = start + ((k * nj + j) * ni + i) * width;
        bytes.copy(out, start + ((z * nj + y) * ni + x) * width, from, from + width);
      }
  return out;
}
