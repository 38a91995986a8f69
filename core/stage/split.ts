import { createHash, type Hash } from 'node:crypto';
import type { BundleManifest } from '../contract/bundle.ts';
import type { RunKeys } from '../contract/keys.ts';
import type { CaseManifest, Letterbox, Problem, RunIdentity } from '../contract/manifest.ts';
import { PreflightError } from '../errors.ts';
import { putJson } from '../json.ts';
import type { BlobStore, ByteStream } from '../ports.ts';
import { SlicePreparation, type SliceView } from '../slice/prepare.ts';
import { describeGeometry } from '../volume/geometry.ts';
import type { Grid } from '../volume/grid.ts';
import { type NiftiHeader, serialiseHeader, withoutText } from '../volume/header.ts';
import { findProblems } from '../volume/preflight.ts';
import { type NiftiReader, openNifti } from '../volume/reader.ts';
import type { SegmentManifest } from './segment.ts';

/** One run of an image: whose model wants the slices, and where they go. */
export interface SplitTarget {
  readonly run: RunIdentity;
  readonly bundle: Pick<BundleManifest, 'preprocess'>;
  readonly keys: RunKeys;
  /** Told of every slab as soon as it can be read, while the next ones are being made. */
  readonly onSlab?: (manifest: SegmentManifest, slabIndex: number) => void;
}

export interface SplitInput extends SplitTarget {
  readonly source: ByteStream;
  /** The `.img` of a `.hdr`/`.img` pair. */
  readonly pairedSource?: ByteStream;
  /** Size of the file that holds the voxels, where it is known. */
  readonly fileBytes?: number | undefined;
  /** Of the sources' bytes, where it is known already; else it is computed on the way. */
  readonly inputSha256?: string;
  /** Found while the sources were made, e.g. of a DICOM series. */
  readonly sourceProblems?: readonly Problem[];
  readonly slicesPerSlab: number;
  /** Other bundles' runs of the same image, which the same reading serves. */
  readonly also?: readonly SplitTarget[];
}

/**
 * Reads the volume once, as a stream, and writes slabs of slices ready for the model and a manifest
 * that says what the input was; of the runs in `also` too, whose models may want another window or
 * size. Memory is two slabs a run and a few slices where the axial axis is the slowest in the file;
 * other orientations hold the voxels of the file once.
 *
 * @throws InputError where the input is refused, PreflightError where it was read to its end first; what was written by then is in `keys.work`.
 *   One of `also` that is refused gets no manifest: its own attempt reads anew, and says why.
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
  const targets = [input, ...(input.also ?? [])];
  const views = distinctViews(targets);
  const preparation = new SlicePreparation(reader, views);
  const slabs = slabsOf(reader.geometry.grid, input.slicesPerSlab);
  const writers = targets.map((target) => {
    const view = views.findIndex((one) => isViewOf(target, one));
    const known = knownOf(target, reader, preparation.letterboxes[view]!, slabs);
    return { target, known, view, writer: new SlabWriter(known, target, store) };
  });
  await writeSlabs(preparation, writers);
  const hu = preparation.intensities();
  const splitSeconds = (performance.now() - startedMs) / 1000;
  const splitEndMs = Date.now();
  const manifestOf = ({ target, known }: (typeof writers)[number]): CaseManifest => ({
    schemaVersion: 1,
    inputSha256: hash ? hash.copy().digest('hex') : input.inputSha256!,
    ...known,
    hu: hu.summary,
    problems: [
      ...(input.sourceProblems ?? []),
      ...findProblems(reader, hu, target.bundle.preprocess.windowHu),
    ],
    content: [...hu.content],
    headerBase64: Buffer.from(serialiseHeader(headerOf(target, reader))).toString('base64'),
    splitSeconds,
    splitEndMs,
  });
  const [own, ...others] = writers.map((one) => ({ ...one, manifest: manifestOf(one) }));
  for (const { target, manifest } of others)
    if (!manifest.problems.some(isError)) await putJson(store, target.keys.manifest, manifest, 0);
  refuse(own!.manifest.problems, subject);
  await putJson(store, input.keys.manifest, own!.manifest, 0);
  return own!.manifest;
}

const isError = ({ severity }: Problem): boolean => severity === 'error';

/** Bundles that want their slices alike share the shrinking. */
function distinctViews(targets: readonly SplitTarget[]): SliceView[] {
  const views: SliceView[] = [];
  for (const target of targets)
    if (!views.some((view) => isViewOf(target, view))) {
      const { windowHu, sliceSizePx } = target.bundle.preprocess;
      views.push({ windowHu, sizePx: sliceSizePx });
    }
  return views;
}

const isViewOf = (
  { bundle: { preprocess } }: SplitTarget,
  { windowHu, sizePx }: SliceView,
): boolean => preprocess.sliceSizePx === sizePx && preprocess.windowHu.join() === windowHu.join();

const headerOf = ({ run }: SplitTarget, { header }: NiftiReader): NiftiHeader =>
  run.parameters.headerText ? header : withoutText(header);

const knownOf = (
  target: SplitTarget,
  reader: NiftiReader,
  letterbox: Letterbox,
  slabs: CaseManifest['slabs'],
): SegmentManifest => ({
  run: target.run,
  geometry: describeGeometry(headerOf(target, reader), reader.geometry),
  letterbox,
  slabs,
});

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

interface RunWriter {
  readonly view: number;
  readonly writer: SlabWriter;
}

async function writeSlabs(
  preparation: SlicePreparation,
  writers: readonly RunWriter[],
): Promise<void> {
  try {
    for await (const { index, squares } of preparation.slices())
      for (const { view, writer } of writers) await writer.add(index, squares[view]!);
  } finally {
    // Also where reading fails: nothing may be written after the caller has cleaned up.
    const ends = await Promise.allSettled(writers.map(({ writer }) => writer.end()));
    const failed = ends.find((end) => end.status === 'rejected');
    // biome-ignore lint/correctness/noUnsafeFinally: a disk that is full is the cause of whatever else failed.
    if (failed) throw failed.reason;
  }
}

/** Slices come in ascending or descending order, so one slab at a time is being filled. */
class SlabWriter {
  private readonly known: SegmentManifest;
  private readonly target: SplitTarget;
  private readonly store: BlobStore;
  private readonly plane: number;
  private filling: Uint16Array<ArrayBuffer>;
  private writing: Uint16Array<ArrayBuffer>;
  private filled = 0;
  private written: Promise<void> = Promise.resolve();

  constructor(known: SegmentManifest, target: SplitTarget, store: BlobStore) {
    this.known = known;
    this.target = target;
    this.store = store;
    this.plane = known.letterbox.sizePx ** 2;
    const room = known.slabs[0]!.slices * this.plane;
    // Two for the whole volume: one per slab would stay until the garbage collector's next long round.
    [this.filling, this.writing] = [new Uint16Array(room), new Uint16Array(room)];
  }

  async add(index: number, square: Uint16Array): Promise<void> {
    const { slabs } = this.known;
    const slab = slabs[Math.floor(index / slabs[0]!.slices)]!;
    this.filling.set(square, (index - slab.firstSlice) * this.plane);
    this.filled += 1;
    if (this.filled < slab.slices) return;
    // One write at a time, while the next slab is being decompressed.
    await this.written;
    const bytes = new Uint8Array(this.filling.buffer, 0, this.filled * this.plane * 2);
    const { keys, onSlab } = this.target;
    this.written = this.store
      .put(keys.slab(slab.index), bytes, 'application/octet-stream')
      .then(() => onSlab?.(this.known, slab.index));
    // Awaited one slab later: without this a failure meanwhile would count as unhandled.
    this.written.catch(() => undefined);
    [this.filling, this.writing] = [this.writing, this.filling];
    this.filled = 0;
  }

  end(): Promise<void> {
    return this.written;
  }
}

/** The first error refuses the case; the failure's report lists all that was found. */
function refuse(problems: CaseManifest['problems'], subject: string): void {
  const error = problems.find(isError);
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
