import { createHash, type Hash } from 'node:crypto';
import type { BundleManifest } from '../contract/bundle.ts';
import type { RunKeys } from '../contract/keys.ts';
import type { CaseManifest, RunIdentity } from '../contract/manifest.ts';
import { InputError } from '../errors.ts';
import type { BlobStore, ByteStream } from '../ports.ts';
import { SlicePreprocessor } from '../slice/preprocess.ts';
import { encodeImages } from '../slice/slab-codec.ts';
import { describeGeometry } from '../volume/geometry.ts';
import type { Grid } from '../volume/grid.ts';
import { serialiseHeader } from '../volume/header.ts';
import { HuStatistics } from '../volume/histogram.ts';
import { findProblems } from '../volume/preflight.ts';
import { type NiftiReader, openNifti } from '../volume/reader.ts';

export interface SplitInput {
  readonly run: RunIdentity;
  readonly source: ByteStream;
  /** The `.img` of a `.hdr`/`.img` pair. */
  readonly pairedSource?: ByteStream;
  readonly bundle: Pick<BundleManifest, 'preprocess'>;
  readonly keys: RunKeys;
  readonly slicesPerSlab: number;
}

/**
 * Reads the volume once, as a stream, and writes slabs of slices ready for the model and a manifest
 * that says what the input was. Memory is one slab and a few slices where the axial axis is the
 * slowest in the file; other orientations hold the voxels of the file once.
 *
 * @throws InputError where the input is refused; what was written by then is in `keys.work`
 */
export async function splitCase(
  input: SplitInput,
  { store }: { store: BlobStore },
): Promise<CaseManifest> {
  const startedMs = performance.now();
  const hash = createHash('sha256');
  const subject = input.run.input.name;
  const reader = await openNifti(hashed(input.source, hash), {
    subject,
    ...(input.pairedSource && { imageSource: hashed(input.pairedSource, hash) }),
  });
  const { grid } = reader.geometry;
  const statistics = new HuStatistics(grid);
  const { windowHu, sliceSizePx } = input.bundle.preprocess;
  const preprocessor = new SlicePreprocessor(grid, windowHu, sliceSizePx);
  await writeSlabs(reader, statistics, preprocessor, input, store);
  const hu = statistics.finish();
  const problems = findProblems(reader, hu, windowHu);
  refuse(problems, subject);

  const manifest: CaseManifest = {
    schemaVersion: 1,
    run: input.run,
    inputSha256: hash.digest('hex'),
    geometry: describeGeometry(reader.header, reader.geometry),
    hu: hu.summary,
    problems,
    letterbox: preprocessor.letterbox,
    headerBase64: Buffer.from(serialiseHeader(reader.header)).toString('base64'),
    splitSeconds: (performance.now() - startedMs) / 1000,
    slabs: slabsOf(grid, input.slicesPerSlab),
  };
  await store.put(input.keys.manifest, Buffer.from(JSON.stringify(manifest)), 'application/json');
  return manifest;
}

async function* hashed(source: ByteStream, hash: Hash): ByteStream {
  for await (const chunk of source) {
    hash.update(chunk);
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
  reader: NiftiReader,
  statistics: HuStatistics,
  preprocessor: SlicePreprocessor,
  { keys, slicesPerSlab }: SplitInput,
  store: BlobStore,
): Promise<void> {
  const slabs = slabsOf(reader.geometry.grid, slicesPerSlab);
  const plane = preprocessor.letterbox.sizePx ** 2;
  let images = new Float32Array(0);
  let missing = 0;
  let written: Promise<void> = Promise.resolve();
  for await (const { index, hu } of reader.axialSlices()) {
    const slab = slabs[Math.floor(index / slicesPerSlab)]!;
    if (missing === 0) {
      images = new Float32Array(slab.slices * plane);
      missing = slab.slices;
    }
    statistics.add(hu, index);
    preprocessor.apply(hu, images, (index - slab.firstSlice) * plane);
    missing -= 1;
    if (missing > 0) continue;
    const bytes = encodeImages(images);
    // One write at a time, while the next slab is being decompressed.
    await written;
    written = store.put(keys.slab(slab.index), bytes, 'application/octet-stream');
    // Awaited one slab later: without this a failure meanwhile would count as unhandled.
    written.catch(() => undefined);
  }
  await written;
}

/** The first error refuses the case; the report names all of them. */
function refuse(problems: CaseManifest['problems'], subject: string): void {
  const error = problems.find((problem) => problem.severity === 'error');
  if (!error) return;
  throw new InputError({
    code: error.code,
    subject,
    expected: 'an abdominal CT in Hounsfield units',
    found: error.message,
    remedy: error.remedy,
  });
}
