/**
 * Writes a drawn CT series, and what `sammix run` with the tests' bundle makes of it, for test_round_trip.py:
 * `tsx write-round-trip.ts FOLDER`.
 */
import { mkdir, writeFile } from 'node:fs/promises';
import path from 'node:path';
import { silentProgress } from '../../../cli/progress.ts';
import { runCommand } from '../../../cli/run.ts';
import { drawnSeries } from '../../support/dicom-series.ts';

const BUNDLE = path.join(import.meta.dirname, '../tiny-bundle');

const [folder] = process.argv.slice(2);
const series = path.join(folder!, 'series');
await mkdir(series, { recursive: true });
const names = { name: 'round-trip', patientName: 'Phantom^Drawn' };
const entries = await drawnSeries({ seed: 21, columns: 64, rows: 64, slices: 28 }, names);
for (const [n, { bytes }] of entries.entries())
  await writeFile(path.join(series, `${n}.dcm`), bytes);
await runCommand(
  [series],
  {
    out: path.join(folder!, 'of-dicom'),
    bundle: BUNDLE,
    threads: 1,
    slicesPerJob: 32,
    postprocess: true,
    force: false,
  },
  silentProgress,
);
