import { DirStore } from '../../adapters/dir-store.ts';
import { getJson } from '../../adapters/json-object.ts';
import type { S3Store } from '../../adapters/s3-store.ts';
import { assertSegment } from '../../core/contract/keys.ts';
import { parseLatest } from '../../site/contract/keys.ts';
import { LatestPointer } from '../../site/contract/runs.ts';
import type { Progress } from '../progress.ts';

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
  for await (const { key } of store.list(`cases/${options.dataset}/${wanted}`)) {
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
