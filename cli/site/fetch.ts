import type { Command } from 'commander';
import { DirStore } from '../../adapters/dir-store.ts';
import type { S3Store } from '../../adapters/s3-store.ts';
import { assertSegment } from '../../core/contract/keys.ts';
import { getJson } from '../../core/json.ts';
import { casesBelow, parseLatest } from '../../site/contract/keys.ts';
import { LatestPointer } from '../../site/contract/runs.ts';
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
  readonly runId: string;
  readonly status: LatestPointer['status'];
  readonly files: readonly string[];
}

/** Downloads the newest results of a dataset's cases, one folder each, as `sammix run` lays them out. */
export async function fetchCases(
  store: S3Store,
  options: FetchOptions,
  progress: Progress,
): Promise<Fetched[]> {
  const out = new DirStore(options.out);
  const fetched: Fetched[] = [];
  const wanted = options.case === undefined ? '' : `${assertSegment(options.case, 'the case')}/`;
  for await (const { key } of store.list(`${casesBelow(options.dataset)}${wanted}`)) {
    const at = parseLatest(key);
    if (!at) continue;
    const pointer = await getJson(store, key, LatestPointer);
    const files = await download(store, pointer.prefix, out, at.caseId);
    fetched.push({ caseId: at.caseId, runId: pointer.runId, status: pointer.status, files });
    progress.line(`fetched ${at.caseId}: ${pointer.status}`);
  }
  return fetched;
}

async function download(
  store: S3Store,
  prefix: string,
  out: DirStore,
  caseId: string,
): Promise<string[]> {
  const files: string[] = [];
  for await (const { key } of store.list(`${prefix}/`)) {
    const file = `${caseId}/${key.slice(prefix.length + 1)}`;
    await out.put(file, store.read(key));
    files.push(file);
  }
  return files;
}
