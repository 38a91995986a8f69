import { bundleDisplay, LIVER } from '../contract/bundle.ts';
import { outputKeys, type RunKeys } from '../contract/keys.ts';
import type { CaseManifest } from '../contract/manifest.ts';
import type { TargetMeasures } from '../contract/measures.ts';
import type {
  FailedReport,
  GpuCost,
  Machine,
  Provenance,
  SegmentedReport,
  WrittenFile,
} from '../contract/report.ts';
import type { SlicePicture } from '../draw/picture.ts';
import { type Fault, PreflightError, SammixError } from '../errors.ts';
import { putJson } from '../json.ts';
import { countSet } from '../mask/bounds.ts';
import { cutByFieldOfView, measureTarget } from '../measure/measure-target.ts';
import type { BlobStore } from '../ports.ts';
import { orientationDoubts } from '../volume/abdomen.ts';
import { type CroppedMask, voxelVolumeMl } from '../volume/grid.ts';
import { openNifti } from '../volume/reader.ts';
import type { AssembledCase } from './assemble.ts';
import { type ComparedCase, compareWithLabel, type LabelInput } from './compare.ts';
import { writtenFile } from './finished-report.ts';
import type { OpenBundle } from './open-bundle.ts';
import { type CamMasks, camsOfSlabs, slicePictures } from './pictures.ts';
import { qualityFlags } from './quality.ts';
import type { SplitInput } from './split.ts';

export type ImageStreams = Pick<SplitInput, 'source' | 'pairedSource'>;

export interface ReportInput {
  readonly manifest: CaseManifest;
  readonly assembled: AssembledCase;
  readonly bundle: Pick<OpenBundle, 'manifest' | 'digest'>;
  readonly keys: RunKeys;
  readonly label: LabelInput | undefined;
  /** Opens the image anew; without it the image inside the mask is not measured. */
  readonly openImage?: () => Promise<ImageStreams>;
  readonly provenance: Provenance;
  readonly peakMemoryMiB: number | null;
  /** What a site knows of its GPU jobs; left out on a laptop. */
  readonly cost?: GpuCost;
  readonly traceId?: string;
  readonly machines?: readonly Machine[];
}

/**
 * Measures, flags, draws and writes the three reports of a case. `report.json` is written last: a
 * case with a report is done.
 */
export async function reportCase(
  input: ReportInput,
  { store }: { store: BlobStore },
): Promise<SegmentedReport> {
  const { manifest, assembled, keys, label } = input;
  const compared = label && (await compareOrFault(manifest, assembled.mask, label));
  const measures = input.openImage && (await measureOrFault(input, input.openImage));
  return writeReports(
    segmentedReport(input, compared, measures),
    {
      manifest,
      keys,
      mask: assembled.mask,
      label: compared?.label,
      cams: camsOfSlabs(manifest, keys, store),
    },
    store,
  );
}

/** What the pictures of a report show besides its numbers. */
export interface Drawn {
  readonly manifest: CaseManifest;
  readonly keys: RunKeys;
  readonly mask: CroppedMask | undefined;
  readonly label: CroppedMask | undefined;
  readonly cams: CamMasks;
}

/** Draws and writes the three reports of what was measured. */
export async function writeReports(
  measured: SegmentedReport,
  drawn: Drawn,
  store: BlobStore,
): Promise<SegmentedReport> {
  const { keys } = drawn;
  // Loaded when needed: the drawing library costs more to load than a short Lambda runs.
  const draw = await import('../report/render.ts');
  const shown = {
    montage: draw.chooseMontageSlices(measured, draw.MONTAGE_SLICES),
    gallery: draw.chooseGallerySlices(measured),
  };
  const report: SegmentedReport = { ...measured, pictures: shown };
  const gallery = shown.gallery.map(({ slice }) => slice);
  const pictures = await slicePictures(
    {
      ...drawn,
      slices: measured.slices,
      chosen: [...new Set([...shown.montage, ...gallery])].sort((a, b) => a - b),
    },
    store,
  );
  const picturesOf = (slices: readonly number[]): SlicePicture[] =>
    slices.map((slice) => pictures.find(({ record }) => record.index === slice)!);
  const [montage, standing] = [picturesOf(shown.montage), picturesOf(gallery)];
  await store.put(keys.overlay, draw.renderOverlayPng(montage), 'image/png');
  await store.put(keys.gallery, draw.renderGalleryPng(standing), 'image/png');
  await store.put(keys.thumbnail, draw.renderThumbnailPng(standing.at(-1)!), 'image/png');
  const page = draw.renderCaseReport(report, montage);
  await store.put(keys.reportHtml, Buffer.from(page), 'text/html');
  const whole = { ...report, outputs: await writtenFiles(store, keys, report.parameters) };
  await putJson(store, keys.report, whole);
  return whole;
}

/** Read back as they were stored: what is there later can be told from what was written. */
async function writtenFiles(
  store: BlobStore,
  keys: RunKeys,
  { probabilityMap }: SegmentedReport['parameters'],
): Promise<WrittenFile[]> {
  const files: WrittenFile[] = [];
  for (const key of [...outputKeys(keys), ...(probabilityMap ? [keys.probability] : [])])
    files.push(writtenFile(key, await store.get(key)));
  return files;
}

export type Measured = Pick<SegmentedReport, 'measures' | 'measuresFault'>;

export type Measurable = Pick<ReportInput, 'manifest' | 'assembled' | 'bundle'>;

/** An image that has gone since it was split costs the measures, never the mask. */
export async function measureOrFault(
  input: Measurable,
  open: NonNullable<ReportInput['openImage']>,
): Promise<Measured> {
  try {
    return { measures: [await measureOrgan(input, await open())], measuresFault: null };
  } catch (error) {
    if (!(error instanceof SammixError)) throw error;
    return { measuresFault: error.fault };
  }
}

/** Reads the image once more: the mask was not known when it was read first. */
async function measureOrgan(
  { manifest, assembled, bundle }: Measurable,
  { source, pairedSource }: ImageStreams,
): Promise<TargetMeasures> {
  const reader = await openNifti(source, {
    subject: manifest.run.input.name,
    ...(pairedSource && { imageSource: pairedSource }),
  });
  const { grid } = manifest.geometry;
  return measureTarget(bundle.manifest.target.name, assembled.mask, grid, reader.axialSlices());
}

export type Compared = Partial<ComparedCase> & { readonly fault: Fault | null };

/** A label that cannot be used costs the comparison, never the mask. */
export async function compareOrFault(
  manifest: CaseManifest,
  mask: CroppedMask | undefined,
  label: LabelInput,
): Promise<Compared> {
  try {
    return { ...(await compareWithLabel(manifest, mask, label)), fault: null };
  } catch (error) {
    if (!(error instanceof SammixError)) throw error;
    return { fault: error.fault };
  }
}

export interface FailureInput {
  readonly caseId: string;
  readonly runId: string | null;
  readonly inputName: string;
  readonly stage: FailedReport['stage'];
  readonly error: SammixError;
  readonly provenance: Provenance;
}

/** Every case ends in a report; this is the one of a case that failed. */
export const failedReport = ({ error, ...input }: FailureInput): FailedReport => ({
  schemaVersion: 1,
  status: 'failed',
  caseId: input.caseId,
  runId: input.runId,
  createdAt: new Date().toISOString(),
  provenance: input.provenance,
  inputName: input.inputName,
  stage: input.stage,
  fault: error.fault,
  ...(error instanceof PreflightError && { problems: [...error.problems] }),
});

export async function reportFailure(
  input: FailureInput & { readonly keys: Pick<RunKeys, 'report' | 'reportHtml'> },
  { store }: { store: BlobStore },
): Promise<FailedReport> {
  const report = failedReport(input);
  const { renderFailureReport } = await import('../report/render.ts');
  await store.put(input.keys.reportHtml, Buffer.from(renderFailureReport(report)), 'text/html');
  await putJson(store, input.keys.report, report);
  return report;
}

export function segmentedReport(
  input: ReportInput,
  compared: Compared | undefined,
  measured: Measured | undefined,
): SegmentedReport {
  const { manifest, assembled, bundle } = input;
  const { grid } = manifest.geometry;
  const mlPerVoxel = voxelVolumeMl(grid);
  const voxels = voxelsPerSlice(assembled.mask, grid.slices);
  return {
    schemaVersion: 1,
    status: 'segmented',
    caseId: manifest.run.caseId,
    runId: manifest.run.runId,
    createdAt: new Date().toISOString(),
    provenance: input.provenance,
    input: manifest.run.input,
    inputSha256: manifest.inputSha256,
    geometry: manifest.geometry,
    hu: manifest.hu,
    problems: manifest.problems,
    parameters: manifest.run.parameters,
    bundle: bundleDisplay(bundle.manifest, bundle.digest),
    slices: [...assembled.slices],
    voxelsPerSlice: voxels,
    volumeMl: assembled.voxels * mlPerVoxel,
    rawVolumeMl: assembled.rawVoxels * mlPerVoxel,
    components: assembled.components,
    ...measured,
    flags: qualityFlags({
      target: bundle.manifest.target.name,
      slices: assembled.slices,
      voxelsPerSlice: voxels,
      sliceSpacingMm: grid.spacingMm.slice,
      touches: cutByFieldOfView(assembled.mask, grid),
      strayShare: 1 - assembled.largestVoxels / Math.max(1, assembled.rawVoxels),
      components: assembled.components,
      problems: manifest.problems,
      content: manifest.content,
      orientationDoubts: manifest.content
        ? orientationDoubts(
            manifest.content,
            grid,
            // Of other organs it is not known on which side they lie, or how high.
            bundle.manifest.target.name === LIVER ? assembled.mask : undefined,
          )
        : [],
    }),
    comparison: compared?.comparison ?? null,
    labelVersion: input.label?.version ?? null,
    comparisonFault: compared?.fault ?? null,
    timings: {
      splitSeconds: manifest.splitSeconds,
      classifierSeconds: assembled.seconds.classifier,
      encoderSeconds: assembled.seconds.encoder,
      decoderSeconds: assembled.seconds.decoder,
      segmentSeconds: assembled.seconds.total,
      assembleSeconds: assembled.seconds.assemble,
    },
    peakMemoryMiB: input.peakMemoryMiB,
    cost: input.cost ?? null,
    traceId: input.traceId ?? null,
    ...(input.machines?.length ? { machines: [...input.machines] } : {}),
  };
}

function voxelsPerSlice(cropped: CroppedMask | undefined, slices: number): number[] {
  const counts = new Array<number>(slices).fill(0);
  if (!cropped) return counts;
  const { mask, box } = cropped;
  const area = mask.grid.columns * mask.grid.rows;
  for (let k = 0; k < mask.grid.slices; k++)
    counts[box.sliceStart + k] = countSet(mask.data.subarray(k * area, (k + 1) * area));
  return counts;
}
