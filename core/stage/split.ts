import { createHash, type Hash } from 'node:crypto';
import type { BundleManifest } from '../contract/bundle.ts';
import type { RunKeys } from '../contract/keys.ts';
import type { CaseManifest, Problem, RunIdentity } from '../contract/manifest.ts';
import { PreflightError } from '../errors.ts';
import { putJson } from '../json.ts';
import type { BlobStore, ByteStream } from '../ports.ts';
import { SlicePreparation } from '../slice/prepare.ts';
import { describeGeometry } from '../volume/geometry.ts';
import type { Grid } from '../volume/grid.ts';
import { serialiseHeader, withoutText } from '../volume/header.ts';
import { findProblems } from '../volume/preflight.ts';
import { openNifti } from '../volume/reader.ts';
import type { SegmentManifest } from './segment.ts';

export interface SplitInput {
  readonly run: RunIdentity;
  readonly source: ByteStream;
  /** The `.img` of a `.hdr`/`.img` pair. */
  readonly pairedSource?: ByteStream;
  /** Size of the file that holds the voxels, where it is known. */
  readonly fileBytes?: number | undefined;
  /** Of the sources' bytes, where it is known already; else it is computed on the way. */
  readonly inputSha256?: string;
  /** Found while the sources were made, e.g. of a DICOM series. */
  readonly sourceProblems?: readonly Problem[];
  readonly bundle: Pick<BundleManifest, 'preprocess'>;
  readonly keys: RunKeys;
  readonly slicesPerSlab: number;
  /** Told of every slab as soon as it can be read, while the next ones are being made. */
  readonly onSlab?: (manifest: SegmentManifest, slabIndex: number) => void;
}

/**
 * Reads the volume once, as a stream, and writes slabs of slices ready for the model and a manifest
 * that says what the input was. Memory is one slab and a few slices where the axial axis is the
 * slowest in the file; other orientations hold the voxels of the file once.
 *
 * @throws InputError where the input is refused, PreflightError where it was read to its end first; what was written by then is in `keys.work`
 */
export async function splitCase(
  input: SplitInput,
  { store }: { store: BlobStore },
): Promise<CaseManifest> {
  const startedMs = performance.now();
  const hash = input.inputSha256 === undefined ? createHash('sha256') : undefined;
  const subject = input.run.input.name;
  const reader = await openNifti(hashed(input.source, hash), {
    subject,
    fileBytes: input.fileBytes,
    ...(input.pairedSource && { imageSource: hashed(input.pairedSource, hash) }),
  });
  const { grid } = reader.geometry;
  const { windowHu, sliceSizePx } = input.bundle.preprocess;
  const preparation = new SlicePreparation(reader, windowHu, sliceSizePx);
  const header = input.run.parameters.headerText ? reader.header : withoutText(reader.header);
  const known: SegmentManifest = {
    run: input.run,
    geometry: describeGeometry(header, reader.geometry),
    letterbox: preparation.letterbox,
    slabs: slabsOf(grid, input.slicesPerSlab),
  };
  await writeSlabs(preparation, known, input, store);
  const hu = preparation.intensities();
  const problems = [...(input.sourceProblems ?? []), ...findProblems(reader, hu, windowHu)];
  refuse(problems, subject);

  const manifest: CaseManifest = {
    schemaVersion: 1,
    inputSha256: hash?.digest('hex') ?? input.inputSha256!,
    ...known,
    hu: hu.summary,
    problems,
    content: [...hu.content],
    headerBase64: Buffer.from(serialiseHeader(header)).toString('base64'),
    splitSeconds: (performance.now() - startedMs) / 1000,
  };
  await putJson(store, input.keys.manifest, manifest, 0);
  return manifest;
}

async function* hashed(source: ByteStream, hash: Hash | undefined): ByteStream {
  for await (const chunk of source) {
    hash?.update(chunk);
    yield chunk;
  }
}

const slabsOf = (grid: Grid, slicesPerSlab: number): CaseManifest['slabs'] =>
  Array.from({ length: Math.ceil(grid.slices / slicesPerSlab) }, (_, index) => ({
    index,
    firstSlice: index * slicesPerSlab,
    slices: Math.min(slicesPerSlab, grid.slices - index * slicesPerSlab),
  }));

/** Slices come in ascending or descending order, so one slab at a time is being filled. */
async function writeSlabs(
  preparation: SlicePreparation,
  known: SegmentManifest,
  { keys, slicesPerSlab, onSlab }: SplitInput,
  store: BlobStore,
): Promise<void> {
  const { slabs } = known;
  const plane = preparation.letterbox.sizePx ** 2;
  const room = slabs[0]!.slices * plane;
  // Two for the whole volume: one per slab would stay until the garbage collector's next long round.
  let [filling, writing] = [new Uint16Array(room), new Uint16Array(room)];
  let filled = 0;
  let written: Promise<void> = Promise.resolve();
  try {
    for await (const { index, square } of preparation.slices()) {
      const slab = slabs[Math.floor(index / slicesPerSlab)]!;
      filling.set(square, (index - slab.firstSlice) * plane);
      filled += 1;
      if (filled < slab.slices) continue;
      // One write at a time, while the next slab is being decompressed.
      await written;
      const bytes = new Uint8Array(filling.buffer, 0, filled * plane * 2);
      written = store
        .put(keys.slab(slab.index), bytes, 'application/octet-stream')
        .then(() => onSlab?.(known, slab.index));
      // Awaited one slab later: without this a failure meanwhile would count as unhandled.
      written.catch(() => undefined);
      [filling, writing] = [writing, filling];
      filled = 0;
    }
  } finally {
    // Also where reading fails: nothing may be written after the caller has cleaned up.
    await written;
  }
}

/** The first error refuses the case; the failure's report lists all that was found. */
function refuse(problems: CaseManifest['problems'], subject: string): void {
  const error = problems.find((problem) => problem.severity === 'error');
  if (!error) return;
  const fault = {
    code: error.code,
    subject,
    expected: 'an abdominal CT in Hounsfield units',
    found: error.message,
    remedy: error.remedy,
  };
  throw new PreflightError(fault, problems);
}
