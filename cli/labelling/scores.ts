import { createHash } from 'node:crypto';
import { access, constants } from 'node:fs/promises';
import path from 'node:path';
import * as z from 'zod';
import { DirStore } from '../../adapters/dir-store.ts';
import type { BundleManifest } from '../../core/contract/bundle.ts';
import { putJson, usableJson } from '../../core/json.ts';
import { SliceScore, type SliceScorer } from '../../core/labelling/score-slice.ts';
import { SlicePreparation } from '../../core/slice/prepare.ts';
import { decodeImages } from '../../core/slice/slab-codec.ts';
import type { Grid } from '../../core/volume/grid.ts';
import { openVolume } from '../case-image.ts';
import { fileVersion } from '../files.ts';
import { cacheFolder } from '../training/environment.ts';
import type { LabelCase } from './label-set.ts';

/** What a bundle makes of the slices of one scan; kept, so that only new scans cost time. */
const CaseScores = z.strictObject({
  schemaVersion: z.literal(1),
  image: z.string(),
  /** Of the scan. */
  slices: z.int().positive(),
  /** Slices from one that was scored to the next. */
  step: z.int().positive(),
  scores: z.array(SliceScore),
});
export type CaseScores = z.infer<typeof CaseScores>;

/** Slices nearer to each other look alike: of thin ones every third or so is looked at. */
const APART_MM = 5;

const stepOf = ({ spacingMm }: Grid): number => Math.max(1, Math.round(APART_MM / spacingMm.slice));

/** The slices that would be scored: what a draw at random needs of a scan. */
export function unscored({ grid }: Pick<LabelCase, 'grid'>): {
  readonly slices: number;
  readonly step: number;
  readonly scores: readonly { readonly slice: number }[];
} {
  const step = stepOf(grid);
  const scores = Array.from({ length: Math.ceil(grid.slices / step) }, (_, n) => ({
    slice: n * step,
  }));
  return { slices: grid.slices, step, scores };
}

/**
 * Where scores are kept: in the data set's own folder `.sammix`, which nothing else looks into; in the user's cache
 * where that cannot be written.
 */
export async function scoreStore(
  root: string,
  digest: string,
  given: string | undefined,
): Promise<DirStore> {
  const bundle = digest.slice(0, 16);
  if (given !== undefined) return new DirStore(path.join(given, bundle));
  if (await isWritable(root)) return new DirStore(path.join(root, '.sammix', 'scores', bundle));
  const dataset = createHash('sha256').update(path.resolve(root)).digest('hex').slice(0, 16);
  return new DirStore(path.join(cacheFolder(), 'scores', dataset, bundle));
}

const isWritable = async (folder: string): Promise<boolean> =>
  access(folder, constants.W_OK).then(
    () => true,
    () => false,
  );

/**
 * The scores of a scan: those that lie there, or computed now.
 *
 * @throws InputError where the scan cannot be read
 */
export async function caseScores(
  { caseId, image }: Pick<LabelCase, 'caseId' | 'image'>,
  { preprocess }: Pick<BundleManifest, 'preprocess'>,
  scorer: () => Promise<SliceScorer>,
  store: DirStore,
): Promise<CaseScores> {
  const key = `${caseId}.json`;
  const version = image.dicom
    ? `${image.dicom.seriesUid}-${image.dicom.part ?? 0}-${image.dicom.slices.length}`
    : await fileVersion(image.pairedImage ?? image.image);
  const kept = await usableJson(store, key, CaseScores);
  if (kept?.image === version) return kept;
  const reader = await openVolume(image);
  const { grid } = reader.geometry;
  const step = stepOf(grid);
  const { windowHu, sliceSizePx: sizePx } = preprocess;
  const prepared = new SlicePreparation(reader, [{ windowHu, sizePx }]);
  const scores: SliceScore[] = [];
  for await (const { index, squares } of prepared.slices()) {
    if (index % step !== 0) continue;
    const { buffer, byteOffset, byteLength } = squares[0]!;
    const square = decodeImages(new Uint8Array(buffer, byteOffset, byteLength));
    scores.push(await (await scorer()).score(square, index));
  }
  scores.sort((a, b) => a.slice - b.slice);
  const found = { schemaVersion: 1 as const, image: version, slices: grid.slices, step, scores };
  await putJson(store, key, found, 0);
  return found;
}
