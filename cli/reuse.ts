import { stat } from 'node:fs/promises';
import { DirStore } from '../adapters/dir-store.ts';
import { outputKeys, type RunKeys, runKeys } from '../core/contract/keys.ts';
import { ConfigError } from '../core/errors.ts';
import { segmentedBefore } from '../core/stage/finished-report.ts';
import { folderOfTarget } from '../core/stage/join-targets.ts';
import type { CaseInput } from './inputs.ts';
import { identify, type RunToBe } from './local.ts';

/**
 * Takes over what an earlier `sammix run` has made of a case, where it made it of the same image with the same
 * bundle and settings, and no person has changed it; else nothing, and the case is segmented. Of a run
 * of several targets it takes the bundle's own.
 */
export async function reuseCase(from: DirStore, run: RunToBe, input: CaseInput): Promise<void> {
  const keys = runKeys(input.caseId);
  if (input.fault || (await run.store.stat(keys.report))) return;
  const folder = await folderOfTarget(from, input.caseId, run.bundle.manifest.target.name);
  if (folder === undefined) return;
  const earlier = runKeys(folder);
  const { runId } = await identify(run, input);
  const done = await segmentedBefore(from, earlier, runId, 'bytes');
  if (!done || done.maskEdited) return;
  const take = async (of: (keys: RunKeys) => string): Promise<void> => {
    if (await from.stat(of(earlier))) await run.store.put(of(keys), from.read(of(earlier)));
  };
  for (const at of outputKeys(keys).keys()) await take((one) => outputKeys(one)[at]!);
  await take(({ probability }) => probability);
  await take(({ dicomSeg }) => dicomSeg);
  // Last: a case with a report is done.
  await take(({ report }) => report);
}

/** @throws ConfigError where the folder does not exist */
export async function openReused(folder: string): Promise<DirStore> {
  const info = await stat(folder).catch(() => undefined);
  if (info?.isDirectory()) return new DirStore(folder);
  throw new ConfigError({
    code: 'bad-reuse',
    subject: folder,
    expected: 'the folder that "sammix run" wrote into (--out)',
    found: 'no folder that can be read',
    remedy: 'Name it, or leave --reuse out.',
  });
}
