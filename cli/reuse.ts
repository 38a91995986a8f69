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
  const own = takenOver(keys);
  for (const [at, key] of takenOver(earlier).entries())
    if (await from.stat(key)) await run.store.put(own[at]!, from.read(key));
}

/** The report last: a case that has one is done. */
const takenOver = (keys: RunKeys): string[] => [
  ...outputKeys(keys),
  keys.probability,
  keys.dicomSeg,
  keys.report,
];

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
