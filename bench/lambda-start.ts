import { existsSync } from 'node:fs';
import { mkdir, mkdtemp, readdir, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { gzipSync } from 'node:zlib';
import { build } from 'esbuild';
import { DEFAULT_BUNDLE } from '../cli/command.ts';
import { bundleFunctions, FUNCTION_BUILD } from '../infra/bundle-functions.ts';
import { FUNCTION_NAMES, type FunctionName } from '../infra/function-code.ts';
import { type Measured, measure, peer } from './process.ts';
import { type BenchRow, row } from './row.ts';

const ROOT = path.join(import.meta.dirname, '..');
const PROBE = path.join(import.meta.dirname, 'lambda-start-probe.mjs');
const MIB = 2 ** 20;

/** An empty handler with only the S3 client: what no function of ours can start faster than. */
const EMPTY = `
  import { S3Client } from '@aws-sdk/client-s3';
  let client;
  export const handler = async () => { client ??= new S3Client({}); };
`;

interface Start {
  /** CPU time of import and first call: the wall's, without what other processes take. */
  readonly cpuMs: number;
}

/** Import and init of every function against the empty one, in turn; and the size of its zip. */
export async function lambdaStartRows(n = 31): Promise<BenchRow[]> {
  const folder = await mkdtemp(path.join(tmpdir(), 'sammix-start-'));
  try {
    await bundleFunctions(folder, FUNCTION_NAMES);
    await bundleEmpty(folder);
    const rows: BenchRow[] = [];
    for (const name of FUNCTION_NAMES) rows.push(...(await functionRows(folder, name, n)));
    rows.push(await splitMemoryRow(folder));
    return rows;
  } finally {
    await rm(folder, { recursive: true, force: true });
  }
}

/** What the split function does to a scan of 1 000 slices, bundled as it is deployed. */
async function splitMemoryRow(folder: string): Promise<BenchRow> {
  const volume = path.join(import.meta.dirname, 'work', 'ct-512x512x1000.nii.gz');
  await mkdir(path.dirname(volume), { recursive: true });
  if (!existsSync(volume)) await peer('make-volume', volume, '1000');
  await bundleFunctions(folder, [path.join(import.meta.dirname, 'split-memory-probe')]);
  const probe = path.join(folder, 'split-memory-probe', 'index.mjs');
  const { peakMiB } = await measure<Measured>(process.execPath, [probe, volume, DEFAULT_BUNDLE]);
  return row('split function 512x512x1000: peak MiB / 512', '512 MiB', [peakMiB / 512], {
    atMost: 1,
  });
}

async function functionRows(folder: string, name: FunctionName, n: number): Promise<BenchRow[]> {
  const ratios: number[] = [];
  for (let pair = 0; pair < n; pair++) {
    const empty = await start(folder, 'empty');
    ratios.push((await start(folder, name)).cpuMs / empty.cpuMs);
  }
  return [
    row(
      `start of the function ${name}: import and init / an empty handler's`,
      'a handler with only the S3 client',
      ratios,
      { atMost: 1.5 },
    ),
    row(
      `zip of the function ${name}: MiB / 2`,
      '2 MiB',
      [(await zippedBytes(path.join(folder, name))) / (2 * MIB)],
      { atMost: 1 },
    ),
  ];
}

const start = (folder: string, name: string): Promise<Start> =>
  measure<Start>(process.execPath, [PROBE, path.join(folder, name, 'index.mjs')]);

/** Each file deflated by itself, as in a zip. */
async function zippedBytes(folder: string): Promise<number> {
  const files = await readdir(folder);
  const contents = await Promise.all(files.map((file) => readFile(path.join(folder, file))));
  return contents.reduce((sum, content) => sum + gzipSync(content).length, 0);
}

async function bundleEmpty(folder: string): Promise<void> {
  const source = path.join(folder, 'empty.mjs');
  await writeFile(source, EMPTY);
  await build({
    entryPoints: { index: source },
    outdir: path.join(folder, 'empty'),
    nodePaths: [path.join(ROOT, 'node_modules')],
    ...FUNCTION_BUILD,
  });
}
