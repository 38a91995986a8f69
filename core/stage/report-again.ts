import type { RunKeys } from '../contract/keys.ts';
import type { CaseManifest } from '../contract/manifest.ts';
import type { SegmentedReport } from '../contract/report.ts';
import { SammixError } from '../errors.ts';
import { boundingBox, countSet, cropMask } from '../mask/bounds.ts';
import { connectedComponents } from '../mask/clean.ts';
import type { BlobStore } from '../ports.ts';
import type { CroppedMask } from '../volume/grid.ts';
import { readLabel } from '../volume/label.ts';
import { type LabelInput, readPlacedLabel } from './compare.ts';
import { isWhole, readReport } from './finished-report.ts';
import type { OpenBundle } from './open-bundle.ts';
import { camsOfVolume } from './pictures.ts';
import {
  compareOrFault,
  type ImageStreams,
  measureOrFault,
  segmentedReport,
  writeReports,
} from './report.ts';
import { storedImage } from './stored-image.ts';

export interface ReportAgainInput {
  /** What was segmented before. */
  readonly done: SegmentedReport;
  /** True where a person has changed the mask since. */
  readonly edited: boolean;
  /** Undefined where the case was compared and now shall not be. */
  readonly label: LabelInput | undefined;
  /** Of the same image, split again: the pictures show its slices. */
  readonly manifest: CaseManifest;
  readonly keys: RunKeys;
  readonly bundle: Pick<OpenBundle, 'manifest' | 'digest'>;
  readonly openImage: () => Promise<ImageStreams>;
}

/**
 * Reports a finished case again, with another label, with none, or with a mask that a person has corrected. No
 * graph runs: the mask and the classifier's maps are those that lie there.
 */
export async function reportAgain(
  input: ReportAgainInput,
  { store }: { store: BlobStore },
): Promise<SegmentedReport> {
  const { done, edited, label, manifest, keys, bundle } = input;
  const mask = await storedMask(manifest, keys, store);
  const compared = label && (await compareOrFault(manifest, mask, label));
  const measured = edited ? await measuredAgain(input, mask) : done;
  const report: SegmentedReport = {
    ...measured,
    createdAt: new Date().toISOString(),
    comparison: compared?.comparison ?? null,
    labelVersion: label?.version ?? null,
    comparisonFault: compared?.fault ?? null,
  };
  // It shows the mask as it was; whoever writes it does so again.
  if (edited) await store.remove(keys.dicomSeg);
  const cams = camsOfVolume(manifest, done.slices, keys, bundle.manifest.cam, store);
  return writeReports(report, { manifest, keys, mask, label: compared?.label, cams }, store);
}

/** What is said of the mask, of the corrected one; how long its drawing took, and where, stays. */
async function measuredAgain(
  { done, manifest, keys, bundle, openImage }: ReportAgainInput,
  mask: CroppedMask | undefined,
): Promise<SegmentedReport> {
  const { backend } = done.provenance;
  const components = mask && connectedComponents(mask.mask);
  const voxels = mask ? countSet(mask.mask.data) : 0;
  const assembled = {
    mask,
    slices: done.slices,
    voxels,
    rawVoxels: voxels,
    components: components?.count ?? 0,
    largestVoxels: components?.sizesVoxels[components.largest] ?? 0,
    backend: backend ?? { provider: 'unknown', onnxRuntimeVersion: 'unknown' },
    seconds: { classifier: 0, encoder: 0, decoder: 0, total: 0, assemble: 0 },
  };
  const { provenance, peakMemoryMiB, rawVolumeMl, timings } = done;
  const input = { manifest, assembled, bundle, keys, label: undefined, provenance, peakMemoryMiB };
  const measures = await measureOrFault(input, openImage);
  const report = segmentedReport(input, undefined, measures);
  return { ...report, rawVolumeMl, timings, maskEdited: true };
}

/**
 * The report of a case whose mask alone has changed since this very run wrote it, and is a mask still:
 * somebody has corrected it, and that work is not to be drawn over.
 */
export async function editedBefore(
  store: Pick<BlobStore, 'stat' | 'get' | 'read'>,
  keys: RunKeys,
  runId: string,
): Promise<SegmentedReport | undefined> {
  const report = await readReport(store, keys);
  if (report?.status !== 'segmented' || report.runId !== runId) return undefined;
  for (const written of report.outputs ?? []) {
    const key = `${keys.prefix}/${written.file}`;
    if (key !== keys.mask && !(await isWhole(store, key, written, 'bytes'))) return undefined;
  }
  return report.outputs && (await isMask(keys, store)) ? report : undefined;
}

/** Whether a person has changed the mask since the run that the report is of, or before the report was made again. */
export async function isCorrected(
  report: Pick<SegmentedReport, 'outputs' | 'maskEdited'>,
  keys: RunKeys,
  store: Pick<BlobStore, 'stat' | 'get' | 'read'>,
): Promise<boolean> {
  const written = report.outputs?.find(({ file }) => keys.mask === `${keys.prefix}/${file}`);
  const isAsWritten = !written || (await isWhole(store, keys.mask, written, 'bytes'));
  return (report.maskEdited || !isAsWritten) && (await isMask(keys, store));
}

/** Damaged, or gone, it is drawn again; one that lies elsewhere is a mask too, and is told of later. */
async function isMask({ mask: key }: RunKeys, store: Pick<BlobStore, 'read'>): Promise<boolean> {
  try {
    await readLabel(store.read(key), { subject: key });
    return true;
  } catch (error) {
    if (error instanceof SammixError) return false;
    throw error;
  }
}

/** @throws GeometryError where it was changed so that it does not lie on its image any more */
async function storedMask(
  manifest: CaseManifest,
  { mask: key }: RunKeys,
  store: Pick<BlobStore, 'read'>,
): Promise<CroppedMask | undefined> {
  const image = { name: manifest.run.input.name, geometry: storedImage(manifest).geometry };
  const { mask } = await readPlacedLabel(image, { name: key, open: () => store.read(key) });
  const box = boundingBox(mask);
  return box && cropMask(mask, box);
}
