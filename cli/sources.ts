import path from 'node:path';
import type { DirStore } from '../adapters/dir-store.ts';
import type { RunKeys } from '../core/contract/keys.ts';
import type { CaseSources } from '../core/contract/view.ts';
import { toJsonBytes } from '../core/json.ts';
import type { CaseInput } from './inputs.ts';

/** Writes where the case's files are, for `sammix view`. */
export async function recordSources(
  store: DirStore,
  keys: RunKeys,
  input: CaseInput,
  label: string | undefined,
): Promise<void> {
  const sources: CaseSources = {
    schemaVersion: 1,
    image: path.resolve(input.image),
    pairedImage: input.pairedImage === undefined ? null : path.resolve(input.pairedImage),
    label: label === undefined ? null : path.resolve(label),
    ...(input.dicom && { series: { uid: input.dicom.seriesUid, part: input.dicom.part ?? null } }),
  };
  await store.put(keys.sources, toJsonBytes(sources));
}
