import { readFile as readWhole } from 'node:fs/promises';
import path from 'node:path';
import { DirStore } from '../../adapters/dir-store.ts';
import type { LabelState, SliceOfCase } from '../../core/contract/label-page.ts';
import { targetValues } from '../../core/dataset/training-set.ts';
import { ConfigError } from '../../core/errors.ts';
import { putJson } from '../../core/json.ts';
import { BoxDrawing } from '../../core/labelling/box-drawing.ts';
import {
  type DrawnValues,
  drawInto,
  kindsOf,
  namesWith,
} from '../../core/labelling/label-plane.ts';
import type { Feeds, Infer } from '../../core/ports.ts';
import type { Box } from '../../core/slice/cam.ts';
import type { OpenBundle } from '../../core/stage/open-bundle.ts';
import { openNifti } from '../../core/volume/reader.ts';
import { readFile } from '../files.ts';
import { casesIn, namesOf, type SliceState } from '../training/dataset.ts';
import {
  type LabelVolume,
  type Placed,
  planeOf,
  readLabelFile,
  Strokes,
  writeLabelFile,
} from './label-file.ts';
import type { LabelCase } from './label-set.ts';

/** Puts the target and `ignore` into dataset.json, which is made where there is none; says what they are. */
export async function drawnValues(root: string, target: string): Promise<DrawnValues> {
  const file = path.join(root, 'dataset.json');
  const text = await readWhole(file, 'utf8').catch(() => undefined);
  if (text !== undefined) await namesOf(root);
  const before = text === undefined ? {} : JSON.parse(text.replace(/^\uFEFF/, ''));
  const labels = namesWith(before.labels, target);
  if (JSON.stringify(labels) !== JSON.stringify(before.labels)) {
    const fresh = { channel_names: { '0': 'CT' }, file_ending: '.nii.gz' };
    const numTraining = (await casesIn(path.join(root, 'imagesTr'))).size;
    const made = text === undefined ? { ...fresh, numTraining } : before;
    await putJson(new DirStore(root), 'dataset.json', { ...made, labels });
  }
  const values = targetValues(await namesOf(root), target, file);
  const [[value], [ignore]] = [[...values.target], [...values.ignore]];
  if (values.target.size === 1 && value && ignore) return { target: value, ignore };
  throw new ConfigError({
    code: 'target-not-one-value',
    subject: file,
    expected: `one value for ${target}, from 1, to draw with`,
    found: [...values.target].join(', '),
    remedy: 'Name one label with --target.',
  });
}

interface OpenCase extends Placed {
  readonly planes: Int16Array[];
  readonly label: LabelVolume;
  readonly drawing: BoxDrawing;
  readonly embeddings: Map<number, Promise<Feeds>>;
}

interface Options {
  readonly root: string;
  readonly target: string;
  readonly values: DrawnValues;
  readonly cases: readonly LabelCase[];
  readonly bundle: OpenBundle;
  readonly infer: Infer;
  readonly goal: number;
}

/** Written into the label file so long after the last stroke; until then they lie beside it. */
const REST_MS = 1500;
/** Scans held at a time. */
const OPEN_CASES = 2;

/** A labelling that goes on: what is drawn, what is labelled, what is on the disk. */
export class LabelSession {
  private readonly options: Options;
  private readonly strokes: Strokes;
  private readonly open = new Map<string, Promise<OpenCase>>();
  private readonly states = new Map<string, SliceState[]>();
  private readonly pending = new Map<string, Map<number, Uint8Array>>();
  private readonly slices = new Map<string, number>();
  private queue: Promise<void> = Promise.resolve();
  private timer: NodeJS.Timeout | undefined;

  private constructor(options: Options) {
    this.options = options;
    this.strokes = new Strokes(path.join(options.root, '.sammix', 'strokes', options.target));
  }

  static async start(options: Options): Promise<LabelSession> {
    const session = new LabelSession(options);
    for (const { caseId, image, states } of options.cases) {
      const reader = await openNifti(readFile(image), { subject: image });
      await reader.close();
      session.slices.set(caseId, reader.geometry.grid.slices);
      const known = states ?? Array<SliceState>(reader.geometry.grid.slices).fill('unlabelled');
      session.states.set(caseId, [...known]);
      const left = await session.strokes.of(caseId);
      if (left.size > 0) session.pending.set(caseId, left);
    }
    await session.flush();
    return session;
  }

  get state(): LabelState {
    const { target, bundle, goal } = this.options;
    const all = [...this.states.values()].flat();
    return {
      target,
      bundle: bundle.manifest.name,
      knowsTarget: bundle.manifest.target.name === target,
      goal,
      labelled: all.filter((state) => state !== 'unlabelled').length,
      cases: [...this.slices].map(([caseId, slices]) => ({ caseId, slices })),
    };
  }

  /** As they are now. */
  get cases(): LabelCase[] {
    return this.options.cases.map((one) => ({ ...one, states: this.states.get(one.caseId) }));
  }

  /** Head, Hounsfield units (int16) and kinds (a byte a voxel) of a slice; see contract/label-page.ts. */
  async slice({ caseId, slice }: SliceOfCase): Promise<Uint8Array> {
    const one = await this.opened(caseId, slice);
    const { columns, rows, spacingMm } = one.geometry.grid;
    const head = Buffer.alloc(16);
    head.writeUInt32LE(columns, 0);
    head.writeUInt32LE(rows, 4);
    head.writeFloatLE(spacingMm.column, 8);
    head.writeFloatLE(spacingMm.row, 12);
    const kinds = kindsOf(planeOf(one.label, slice), this.options.values);
    // The first box should not wait for it.
    this.embedding(one, slice).catch(() => undefined);
    const hu = one.planes[slice]!;
    return Buffer.concat([head, Buffer.from(hu.buffer, hu.byteOffset, hu.byteLength), kinds]);
  }

  async draw(at: SliceOfCase, box: Box, hint: Uint8Array | undefined): Promise<Uint8Array> {
    const one = await this.opened(at.caseId, at.slice);
    return one.drawing.draw(await this.embedding(one, at.slice), box, hint);
  }

  /** On the disk when it returns; in the label file a moment later. */
  async save({ caseId, slice }: SliceOfCase, mask: Uint8Array): Promise<LabelState> {
    const one = await this.opened(caseId, slice);
    const { columns, rows } = one.geometry.grid;
    if (mask.length !== columns * rows) throw noSlice(caseId, slice);
    await this.strokes.keep(caseId, slice, mask);
    const pending = this.pending.get(caseId) ?? new Map<number, Uint8Array>();
    this.pending.set(caseId, pending.set(slice, mask));
    // What a reload shows; the file is read anew before it is written.
    drawInto(planeOf(one.label, slice), mask, this.options.values);
    this.note(caseId, slice, one.label);
    clearTimeout(this.timer);
    this.timer = setTimeout(() => void this.flush().catch(() => undefined), REST_MS);
    return this.state;
  }

  /** Puts all strokes into the label files. */
  flush(): Promise<void> {
    clearTimeout(this.timer);
    const done = this.queue.then(() => this.writeAll());
    this.queue = done.catch(() => undefined);
    return done;
  }

  private async writeAll(): Promise<void> {
    const { root, values, cases } = this.options;
    for (const [caseId, pending] of this.pending) {
      const masks = new Map(pending);
      const image = cases.find((one) => one.caseId === caseId)!.image;
      const reader = await openNifti(readFile(image), { subject: image });
      await reader.close();
      const file = (await casesIn(path.join(root, 'labelsTr'))).get(caseId);
      // As it lies there now: another program may have written it meanwhile.
      const label = await readLabelFile(file, reader, values);
      const name = file === undefined ? `${caseId}.nii.gz` : path.basename(file);
      await writeLabelFile(root, name, label, masks, values);
      for (const [slice, mask] of masks) {
        if (pending.get(slice) !== mask) continue;
        pending.delete(slice);
        await this.strokes.forget(caseId, slice);
      }
      for (const slice of masks.keys()) this.note(caseId, slice, label);
      if (pending.size === 0) this.pending.delete(caseId);
    }
  }

  /** A slice that was drawn on is labelled as a whole: nothing in it is left to `ignore`. */
  private note(caseId: string, slice: number, label: LabelVolume): void {
    const shown = planeOf(label, slice).includes(this.options.values.target);
    this.states.get(caseId)![slice] = shown ? 'shown' : 'empty';
  }

  private async opened(caseId: string, slice: number): Promise<OpenCase> {
    const one = this.options.cases.find((each) => each.caseId === caseId);
    if (!one || slice >= this.slices.get(caseId)!) throw noSlice(caseId, slice);
    const found = this.open.get(caseId) ?? this.read(one);
    // The one that was asked for last is kept longest.
    this.open.delete(caseId);
    this.open.set(caseId, found);
    found.catch(() => this.open.delete(caseId));
    for (const old of [...this.open.keys()].slice(0, -OPEN_CASES)) this.open.delete(old);
    return found;
  }

  private async read({ caseId, image }: LabelCase): Promise<OpenCase> {
    await this.flush();
    const { root, values, bundle, infer } = this.options;
    const reader = await openNifti(readFile(image), { subject: image });
    const planes: Int16Array[] = [];
    for await (const { index, hu } of reader.axialSlices())
      planes[index] = Int16Array.from(hu, (value) => Math.max(-32768, Math.min(32767, value)));
    const file = (await casesIn(path.join(root, 'labelsTr'))).get(caseId);
    const label = await readLabelFile(file, reader, values);
    const drawing = new BoxDrawing(bundle.manifest, infer, reader.geometry.grid);
    const { header, geometry } = reader;
    return { header, geometry, planes, label, drawing, embeddings: new Map() };
  }

  private embedding(one: OpenCase, slice: number): Promise<Feeds> {
    const found = one.embeddings.get(slice) ?? one.drawing.embed(one.planes[slice]!);
    one.embeddings.set(slice, found);
    // Three megabytes each.
    if (one.embeddings.size > 16) one.embeddings.delete([...one.embeddings.keys()][0]!);
    return found;
  }
}

const noSlice = (caseId: string, slice: number): ConfigError =>
  new ConfigError({
    code: 'no-such-slice',
    subject: caseId,
    expected: 'a slice of the data set, of the size of the scan',
    found: `slice ${slice}`,
    remedy: 'Load the page again.',
  });
