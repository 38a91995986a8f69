// `npm run bench [-- PART ...]`: measures, prints, and keeps the rows in bench/results.json. All parts
// start the file anew; single parts change their own rows only.
import { readFile, writeFile } from 'node:fs/promises';
import path from 'node:path';
import { lambdaStartRows } from './lambda-start.ts';
import { rows as metricRows } from './metrics.ts';
import {
  dicomCodecRows,
  dicomRows,
  inferenceRows,
  memoryRows,
  splitRows,
  wholeRunRows,
} from './pipeline.ts';
import type { BenchRow } from './row.ts';

const PARTS: Readonly<Record<string, () => Promise<BenchRow[]>>> = {
  split: splitRows,
  inference: inferenceRows,
  run: wholeRunRows,
  dicom: dicomRows,
  'dicom-codec': dicomCodecRows,
  memory: memoryRows,
  metrics: metricRows,
  'lambda-start': lambdaStartRows,
};
const RESULTS = path.join(import.meta.dirname, 'results.json');

const asked = process.argv.slice(2);
const unknown = asked.find((part) => !(part in PARTS));
if (unknown) throw new Error(`a part of ${Object.keys(PARTS).join(', ')}, not ${unknown}`);

const kept = new Map<string, BenchRow>();
if (asked.length > 0)
  for (const row of JSON.parse(await readFile(RESULTS, 'utf8').catch(() => '[]')) as BenchRow[])
    kept.set(row.name, row);
for (const part of asked.length > 0 ? asked : Object.keys(PARTS))
  for (const row of await PARTS[part]!()) {
    console.log(
      `${row.met ? 'met   ' : 'MISSED'} ${row.ratio} (${row.min} to ${row.max}, goal ${row.goal}, n = ${row.n})  ${row.name}`,
    );
    kept.set(row.name, row);
    await writeFile(RESULTS, `${JSON.stringify([...kept.values()], null, 2)}\n`);
  }
