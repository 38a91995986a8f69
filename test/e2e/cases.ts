import { execFile } from 'node:child_process';
import { existsSync } from 'node:fs';
import { mkdtemp, readdir, readFile, writeFile } from 'node:fs/promises';
import path from 'node:path';
import { promisify } from 'node:util';
import { gzipSync } from 'node:zlib';
import type { S3Store } from '../../adapters/s3-store.ts';
import { CaseReport, type SegmentedReport } from '../../core/contract/report.ts';
import { encodePhantom, phantomCase } from '../../phantom/phantom.ts';
import type { LatestPointer } from '../../site/contract/runs.ts';
import { readLatest } from '../../site/runs.ts';
import { TINY_BUNDLE } from '../support/case.ts';
import { ROOT } from './emulator.ts';

const run = promisify(execFile);

export interface Segmented {
  readonly report: SegmentedReport;
  readonly prefix: string;
}

export async function segmented(site: S3Store, caseId: string): Promise<Segmented> {
  const { prefix } = await latest(site, caseId, 'segmented');
  const report = await caseReport(site, prefix);
  if (report.status !== 'segmented') throw new Error(`${caseId} failed: ${report.fault.code}`);
  return { report, prefix };
}

export const caseReport = async (site: S3Store, prefix: string): Promise<CaseReport> =>
  CaseReport.parse(await json(site, `${prefix}/report.json`));

export const maskOf = async (site: S3Store, prefix: string): Promise<Buffer> =>
  Buffer.from(await site.get(`${prefix}/mask.nii.gz`));

export const json = async (site: S3Store, key: string): Promise<unknown> =>
  JSON.parse(Buffer.from(await site.get(key)).toString('utf8'));

export const latest = (
  site: S3Store,
  caseId: string,
  status: LatestPointer['status'],
): Promise<LatestPointer> =>
  until(`${caseId} ${status}`, async () => {
    const pointer = await readLatest(site, 'liver', caseId);
    if (pointer && pointer.status !== status)
      throw new Error(
        `${caseId} is ${pointer.status}: ${JSON.stringify(await json(site, `${pointer.prefix}/report.json`))}`,
      );
    return pointer;
  });

/** Waits for something that other processes do. */
export async function until<T>(
  what: string,
  look: () => Promise<T | undefined | false>,
): Promise<T> {
  for (const end = Date.now() + 800_000; Date.now() < end; ) {
    const found = await look();
    if (found !== undefined && found !== false) return found;
    await new Promise((resolve) => setTimeout(resolve, 300));
  }
  throw new Error(`waited in vain for ${what}`);
}

export async function phantom(
  work: string,
  name: string,
  seed: number,
): Promise<{ image: string; label: string }> {
  const { ct, label } = encodePhantom(phantomCase({ seed }));
  const files = {
    image: path.join(work, `${name}.nii.gz`),
    label: path.join(work, `${name}_label.nii.gz`),
  };
  await writeFile(files.image, gzipSync(ct));
  await writeFile(files.label, gzipSync(label));
  return files;
}

/** The same image on the laptop, by the command that users run. */
export async function localRun(
  work: string,
  image: string,
  label?: string,
): Promise<{ mask: Buffer; report: SegmentedReport; folder: string }> {
  const out = await mkdtemp(path.join(work, 'local-'));
  const words = ['run', image, '--out', out, '--bundle', TINY_BUNDLE, '--threads', '1', '--quiet'];
  const given = label === undefined ? [] : ['--label', label];
  await run('node', [path.join(ROOT, 'cli', 'bin.mjs'), ...words, ...given]);
  const [caseId] = (await readdir(out, { withFileTypes: true }))
    .filter((entry) => entry.isDirectory())
    .map((entry) => entry.name);
  const folder = path.join(out, caseId ?? '');
  const report = CaseReport.parse(
    JSON.parse(await readFile(path.join(folder, 'report.json'), 'utf8')),
  );
  if (report.status !== 'segmented') throw new Error(`locally it failed: ${report.fault.code}`);
  return { mask: await readFile(path.join(folder, 'mask.nii.gz')), report, folder };
}

/** What must not depend on where a case was processed. */
export function measured(report: SegmentedReport): unknown {
  const { slices, volumeMl, rawVolumeMl, components, flags, geometry, hu, inputSha256 } = report;
  const { measures, comparison } = report;
  const panel = comparison?.panel;
  return {
    slices,
    volumeMl,
    rawVolumeMl,
    components,
    measures,
    flags,
    geometry,
    hu,
    inputSha256,
    panel,
  };
}

export async function readAll(folder: string): Promise<string> {
  const entries = await readdir(folder, { recursive: true, withFileTypes: true });
  const files = entries.filter((entry) => entry.isFile());
  const texts = files.map((file) => readFile(path.join(file.parentPath, file.name), 'utf8'));
  return (await Promise.all(texts)).join('\n');
}

/** A real volume where the data are; the test is shown as skipped elsewhere. */
export function realCt(): string | undefined {
  const data = process.env.SAMMIX_DATA ?? path.join(ROOT, '..', 'shared', 'data');
  const file = path.join(data, 'volumes', 'totalseg_3mm_ct.nii.gz');
  return existsSync(file) ? file : undefined;
}
