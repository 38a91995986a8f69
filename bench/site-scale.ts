// `npx tsx bench/site-scale.ts [cases...]`: memory and time of what a site does over all of its cases: the
// nightly summary, `sammix site status`, and the aggregation of an evaluation from its rows. The bucket is
// answered from the cases' numbers, so what is measured is our side of it. Each part is a process of its own,
// limited to the heap that its function has.

import { spawnSync } from 'node:child_process';
import { readFile } from 'node:fs/promises';
import path from 'node:path';
import { peakMemoryMiB } from '../adapters/provenance.ts';
import type { S3Store } from '../adapters/s3-store.ts';
import { siteStatus } from '../cli/site/status.ts';
import { BundleManifest, bundleDisplay } from '../core/contract/bundle.ts';
import {
  type EvaluatedCase,
  EvaluatedCase as EvaluatedCaseSchema,
} from '../core/contract/evaluated-case.ts';
import { METRIC_DEFINITIONS } from '../core/contract/panel.ts';
import { casesCsv } from '../core/evaluation/csv.ts';
import { evaluationJson, extendHistory } from '../core/evaluation/history.ts';
import { reportBesidePage } from '../core/evaluation/page/cases.ts';
import { renderEvaluation } from '../core/evaluation/page/render.ts';
import { isSampled, keepsScores } from '../core/evaluation/scored-sample.ts';
import { summarise } from '../core/evaluation/summarise.ts';
import { toJsonBytes } from '../core/json.ts';
import { casesBelow, cloudKeys, PREFIX } from '../site/contract/keys.ts';
import { LatestPointer, RunRecord } from '../site/contract/runs.ts';
import { summariseDataset } from '../site/summary.ts';

const BUNDLE = path.join(import.meta.dirname, '..', 'bundle');
const SLICES = 280;
const HEX = 'a'.repeat(64);
const RUN = '0123456789abcdef';
const nameOf = (n: number): string => `case-${String(n).padStart(7, '0')}`;

/** A store of the shape that the parts ask for: listings and small objects, made as they are read. */
function storeOf(
  keys: (prefix: string) => Iterable<string>,
  objectAt: (key: string) => unknown,
): S3Store {
  const body = (key: string): Uint8Array => toJsonBytes(objectAt(key));
  return {
    async *list(prefix: string) {
      for (const key of keys(prefix)) yield { key, bytes: 1, version: 'v' };
    },
    get: async (key: string) => body(key),
    getTagged: async (key: string) => ({ body: body(key), etag: 'e' }),
    put: async () => {},
  } as unknown as S3Store;
}

function* numbered(cases: number, of: (n: number) => string): Generator<string> {
  for (let n = 0; n < cases; n++) yield of(n);
}

/** As the report of a case of 280 slices makes it. */
const summaryRow = (n: number) => ({
  caseId: nameOf(n),
  status: 'segmented' as const,
  resumed: false,
  volumeMl: 1500 + (n % 300) + 0.123,
  flags: n % 3 === 0 ? ['touches-border'] : [],
  surfaceAreaMm2: 91_234.5 + (n % 100),
  longestAxialDiameterMm: 201.25,
  meanHu: 101.5,
  sdHu: 21.25,
  medianHu: 103,
  erodedMeanHu: 105.75,
  below40HuShare: 0.012,
  dice: 0.9 + (n % 97) / 1000,
  hd95Mm: 5.25,
  seconds: 41.5 + (n % 7),
  reason: null,
});

async function summary(cases: number): Promise<void> {
  const pointer = (key: string) => {
    const n = Number(/case-(\d+)/.exec(key)?.[1]);
    return {
      schemaVersion: 1,
      runId: RUN,
      prefix: `cases/liver/${nameOf(n)}/${RUN}`,
      status: 'segmented',
      uploadedAt: '2026-01-01T00:00:00.000Z',
      row: summaryRow(n),
      bundleDigest: HEX,
    };
  };
  LatestPointer.parse(pointer(cloudKeys.latest('liver', nameOf(0))));
  // Beside each pointer lie eight files of the case's runs, which the listing shows too.
  const keys = function* () {
    for (let n = 0; n < cases; n++) {
      yield cloudKeys.latest('liver', nameOf(n));
      for (let file = 0; file < 8; file++)
        yield `${casesBelow('liver')}${nameOf(n)}/${RUN}/${file}`;
    }
  };
  const counted = await summariseDataset('liver', storeOf(keys, pointer));
  if (counted !== cases) throw new Error(`${counted} of ${cases} cases`);
}

async function status(cases: number): Promise<void> {
  const record = {
    schemaVersion: 1,
    runId: RUN,
    state: 'reported',
    dataset: 'liver',
    caseId: nameOf(0),
    imageKey: `incoming/liver/images/${nameOf(0)}.nii.gz`,
    input: { name: `${nameOf(0)}.nii.gz`, bytes: 90_000_000, version: `s3:${HEX}` },
    uploadedAt: '2026-01-01T00:00:00.000Z',
    bundlePrefix: `models/sammix-small/${HEX.slice(0, 16)}`,
    bundleDigest: HEX,
    parameters: { largestComponent3d: true, fillHoles: true },
    slicesPerJob: 512,
    slicesPerSlab: 32,
    traceId: '1-6b0b7b4e-44d9b5970abf4e79863eb6fb',
    claimedAt: '2026-01-01T00:00:00.000Z',
    job: { id: '1d1f45db-d5f3-4fde-b826-965a1f4b2ab3', children: 1 },
    reportedAt: '2026-01-01T00:10:00.000Z',
    cost: { gpuSeconds: 46, usdPerGpuHour: 0.658, estimatedUsd: 0.0084 },
  };
  RunRecord.parse(record);
  const run = (n: number) => cloudKeys.run(n.toString(16).padStart(16, '0'));
  const keys = (prefix: string) => (prefix === PREFIX.runs ? numbered(cases, run) : []);
  const found = await siteStatus(storeOf(keys, () => record));
  if (found.counts.reported !== cases) throw new Error(`${found.counts.reported} of ${cases} runs`);
}

const METRICS = Object.fromEntries(
  Object.keys(METRIC_DEFINITIONS).map((name, at) => [name, 0.9 + at / 100]),
);

/** A row as its report gives it: of cases whose slices are not kept, without them. */
function evaluatedRow(n: number, cases: number): EvaluatedCase {
  const kept = keepsScores(nameOf(n), cases);
  const dice = 0.9 + (n % 97) / 1000;
  return {
    caseId: nameOf(n),
    patientId: nameOf(n),
    runId: RUN,
    status: 'compared',
    fault: null,
    labelVersion: `s3:${HEX.slice(0, 32)}`,
    labelMeaning: 'label 1 of 0-1',
    metrics: { ...METRICS, dice } as EvaluatedCase['metrics'],
    paper: { slices: 60, dice, hausdorffPx: 4.5 },
    predictionVolumeMl: 1500 + (n % 300),
    labelVolumeMl: 1490 + (n % 310),
    liverSliceRecall: 0.98,
    liverFreeSliceSpecificity: 0.99,
    scan: {
      orientation: n % 2 === 0 ? 'LPS' : 'RAS',
      spacingMm: { column: 0.7, row: 0.7, slice: 1 + (n % 5) },
      description: `protocol ${n % 4}`,
      hu: { p01: -1000, p50: -60, p99: 300 + (n % 50), min: -1024, max: 3071 },
    } as EvaluatedCase['scan'],
    scores: kept
      ? Array.from({ length: SLICES }, (_, k) => ({
          score: ((n * 31 + k * 17) % 1000) / 1000,
          positive: k > 80 && k < 200,
        }))
      : [],
    flags: n % 3 === 0 ? ['touches-border'] : [],
    seconds: 41.5,
  };
}

async function evaluation(cases: number): Promise<void> {
  const rows = Array.from({ length: cases }, (_, n) => evaluatedRow(n, cases));
  EvaluatedCaseSchema.parse(rows[0]);
  const scored = rows.filter(({ scores }) => scores.length > 0).length;
  const made = summarise(rows, {
    evaluationId: `20260104T030000Z-${HEX.slice(0, 8)}`,
    dataset: 'liver',
    createdAt: '2026-01-04T03:00:00Z',
    sammixVersion: '0.0.0',
    bundle: bundleDisplay(await manifest(), HEX),
    scoredCases: isSampled(cases) ? scored : undefined,
  });
  const history = extendHistory(undefined, made);
  const texts = [
    casesCsv(made.cases),
    renderEvaluation(made, history, [], reportBesidePage),
    evaluationJson(made),
  ];
  process.stderr.write(
    `  csv, page, json: ${texts.map((text) => `${(text.length / 1e6).toFixed(1)} MB`).join(', ')}\n`,
  );
}

const manifest = async (): Promise<BundleManifest> =>
  BundleManifest.parse(JSON.parse(await readFile(path.join(BUNDLE, 'bundle.json'), 'utf8')));

/** With the heap of the function that does it: Lambda's memory less what Node needs besides. */
const PARTS = {
  summary: { run: summary, heapMiB: 800 },
  status: { run: status, heapMiB: 800 },
  evaluation: { run: evaluation, heapMiB: 2600 },
} as const;
type Part = keyof typeof PARTS;

const [first = '', ...others] = process.argv.slice(2);
if (first in PARTS) {
  const startedMs = performance.now();
  const cases = Number(others[0]);
  await PARTS[first as Part].run(cases);
  const seconds = Math.round((performance.now() - startedMs) / 100) / 10;
  const cpu = process.cpuUsage();
  const cpuSeconds = Math.round((cpu.user + cpu.system) / 1e5) / 10;
  console.log(
    JSON.stringify({
      part: first,
      cases,
      peakMiB: Math.round(peakMemoryMiB()),
      seconds,
      cpuSeconds,
    }),
  );
} else {
  const sizes = [first, ...others].filter((word) => word !== '').map(Number);
  for (const cases of sizes.length > 0 ? sizes : [10_000, 100_000])
    for (const [part, { heapMiB }] of Object.entries(PARTS)) {
      const words = [`--max-old-space-size=${heapMiB}`, '--import', 'tsx', import.meta.filename];
      const ended = spawnSync(process.execPath, [...words, part, String(cases)], {
        stdio: 'inherit',
      });
      if (ended.status !== 0) console.log(JSON.stringify({ part, cases, failed: ended.status }));
    }
}
