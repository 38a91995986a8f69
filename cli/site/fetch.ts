import type { Command } from 'commander';
import { DirStore } from '../../adapters/dir-store.ts';
import type { S3Store } from '../../adapters/s3-store.ts';
import { runKeys, targetFolder } from '../../core/contract/keys.ts';
import type { TargetOfCase } from '../../core/contract/targets.ts';
import { StorageError } from '../../core/errors.ts';
import { readReport } from '../../core/stage/finished-report.ts';
import { joinTargets } from '../../core/stage/join-targets.ts';
import type { LatestPointer } from '../../site/contract/runs.ts';
import { newestOfCases } from '../../site/latest.ts';
import { ok, report } from '../command.ts';
import type { Progress } from '../progress.ts';
import { openSite, type SiteOptions, withSite } from './open-site.ts';

/** `sammix site fetch` */
export function define(command: Command): void {
  withSite(command)
    .argument('<site>', 'name of the site')
    .requiredOption('-o, --out <dir>', 'folder for them, one folder a case')
    .option('--dataset <name>', "a dataset of the site's file", 'liver')
    .option('--case <id>', 'only this case')
    .action(async (name: string, options: SiteOptions & FetchOptions) => {
      await report(command, async (progress) =>
        ok(await fetchCases(await openSite(name, options), options, progress)),
      );
    });
}

export interface FetchOptions {
  readonly dataset: string;
  readonly out: string;
  /** Only this case. */
  readonly case?: string;
}

export interface Fetched {
  readonly caseId: string;
  /** Where the case has several; its files are in a folder of its name. */
  readonly target?: string;
  readonly runId: string;
  readonly status: LatestPointer['status'];
  readonly files: readonly string[];
}

/**
 * Downloads the newest results of a dataset's cases, one folder each, as `sammix run` lays them out: of
 * several targets each has its own folder in it, beside the report of them all.
 */
export async function fetchCases(
  store: S3Store,
  options: FetchOptions,
  progress: Progress,
): Promise<Fetched[]> {
  const out = new DirStore(options.out);
  const fetched: Fetched[] = [];
  for await (const found of newestOfCases(store, options.dataset, options.case)) {
    const { caseId, ended, pending } = found;
    const targets: TargetOfCase[] = [];
    for (const { of, runId, prefix, status } of ended) {
      const folder = of && targetFolder(of.target);
      const into = folder === undefined ? caseId : `${caseId}/${folder}`;
      const files = await download(store, prefix, { out, into }, progress);
      fetched.push({ caseId, ...(of && { target: of.target }), runId, status, files });
      progress.line(`fetched ${caseId}${of ? `, ${of.target}` : ''}: ${status}`);
      const report = of && (await readReport(out, runKeys(into)));
      if (report) targets.push({ target: of.target, folder: folder!, report });
    }
    if (targets.length > 0) await joinTargets(caseId, { targets, pending }, out);
  }
  return fetched;
}

async function download(
  store: S3Store,
  prefix: string,
  { out, into }: { readonly out: DirStore; readonly into: string },
  progress: Progress,
): Promise<string[]> {
  const files: string[] = [];
  for await (const { key } of store.list(`${prefix}/`)) {
    const file = `${into}/${key.slice(prefix.length + 1)}`;
    try {
      await out.put(file, store.read(key));
      files.push(file);
    } catch (error) {
      if (key !== runKeys(prefix).dicomSeg || !isDenied(error)) throw error;
      progress.line(`not fetched: ${file}, which names the patient and may not be read`);
    }
  }
  return files;
}

const isDenied = (error: unknown): boolean =>
  error instanceof StorageError && error.code === 'no-permission';
