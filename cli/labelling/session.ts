import path from 'node:path';
import type { LabelState, SliceOfCase } from '../../core/contract/label-page.ts';
import { ConfigError } from '../../core/errors.ts';
import { BoxDrawing } from '../../core/labelling/box-drawing.ts';
import type { Feeds, Infer } from '../../core/ports.ts';
import type { Box } from '../../core/slice/cam.ts';
import type { OpenBundle } from '../../core/stage/open-bundle.ts';
import { openVolume } from '../case-image.ts';
import type { SliceState } from '../training/dataset.ts';
import { type CaseLabel, type Placed, Strokes } from './label-file.ts';
import type { LabelCase, Unread } from './label-set.ts';
import type { LabelPlace } from './places.ts';

interface OpenCase extends Placed {
  readonly planes: Int16Array[];
  readonly label: CaseLabel;
  readonly drawing: BoxDrawing;
  readonly embeddings: Map<number, Promise<Feeds>>;
}

interface Options {
  readonly target: string;
  readonly place: LabelPlace;
  readonly cases: readonly LabelCase[];
  /** What could not be read; it grows while scans are looked at. */
  readonly unread: readonly Unread[];
  readonly bundle: OpenBundle;
  readonly infer: Infer;
  /** How many labelled slices are the goal; undefined for all. */
  readonly goal: number | undefined;
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
  private queue: Promise<void> = Promise.resolve();
  private timer: NodeJS.Timeout | undefined;
  private unwritten: string | null = null;

  private constructor(options: Options) {
    this.options = options;
    const { place, target } = options;
    this.strokes = new Strokes(path.join(place.root, '.sammix', 'strokes', target));
  }

  /** @throws where strokes that were left cannot be put into their label */
  static async start(options: Options): Promise<LabelSession> {
    const session = new LabelSession(options);
    for (const { caseId, grid, states } of options.cases) {
      const known = states ?? Array<SliceState>(grid.slices).fill('unlabelled');
      session.states.set(caseId, [...known]);
      const left = await session.strokes.of(caseId);
      if (left.size > 0) session.pending.set(caseId, left);
    }
    await session.flush();
    return session;
  }

  get state(): LabelState {
    const { target, place, cases, unread, bundle, goal } = this.options;
    const all = [...this.states.values()].flat();
    return {
      target,
      bundle: bundle.manifest.name,
      windowHu: bundle.manifest.preprocess.windowHu,
      knowsTarget: bundle.manifest.target.name === target,
      goal: goal ?? Math.max(1, all.length),
      labelled: all.filter((state) => state !== 'unlabelled').length,
      cases: cases.map(({ caseId, grid: { slices } }) => ({
        caseId,
        slices,
        proposed: place.proposes(caseId),
      })),
      unread: [...unread],
      unwritten: this.unwritten,
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
    // The first box should not wait for it.
    this.embedding(one, slice).catch(() => undefined);
    const hu = one.planes[slice]!;
    const bytes = Buffer.from(hu.buffer, hu.byteOffset, hu.byteLength);
    return Buffer.concat([head, bytes, one.label.kinds(slice)]);
  }

  async draw(at: SliceOfCase, box: Box, hint: Uint8Array | undefined): Promise<Uint8Array> {
    const one = await this.opened(at.caseId, at.slice);
    return one.drawing.draw(await this.embedding(one, at.slice), box, hint);
  }

  /**
   * On the disk when it returns; in the label file a moment later.
   *
   * @param kinds of VOXEL: what is left to `ignore` or proposed opens the slice again
   */
  async save({ caseId, slice }: SliceOfCase, kinds: Uint8Array): Promise<LabelState> {
    const one = await this.opened(caseId, slice);
    const { columns, rows } = one.geometry.grid;
    if (kinds.length !== columns * rows) throw noSlice(caseId, slice);
    await this.strokes.keep(caseId, slice, kinds);
    const pending = this.pending.get(caseId) ?? new Map<number, Uint8Array>();
    this.pending.set(caseId, pending.set(slice, kinds));
    // What a reload shows; the file is read anew before it is written.
    one.label.draw(slice, kinds);
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

  /** A label that cannot be written does not keep the others from it; its strokes stay where they are. */
  private async writeAll(): Promise<void> {
    const faults: unknown[] = [];
    for (const caseId of [...this.pending.keys()])
      await this.write(caseId).catch((fault: unknown) => faults.push(fault));
    const [first] = faults;
    this.unwritten =
      first === undefined ? null : String(first instanceof Error ? first.message : first);
    if (first !== undefined) throw first;
  }

  private async write(caseId: string): Promise<void> {
    const pending = this.pending.get(caseId)!;
    const drawn = new Map(pending);
    const one = this.options.cases.find((each) => each.caseId === caseId)!;
    const image = await openVolume(one.image);
    await image.close();
    const label = await this.options.place.read(one, image);
    for (const [slice, kinds] of drawn) label.draw(slice, kinds);
    await this.options.place.write(one, label);
    for (const [slice, kinds] of drawn) {
      this.note(caseId, slice, label);
      if (pending.get(slice) !== kinds) continue;
      pending.delete(slice);
      await this.strokes.forget(caseId, slice);
    }
    if (pending.size === 0) this.pending.delete(caseId);
  }

  private note(caseId: string, slice: number, label: CaseLabel): void {
    this.states.get(caseId)![slice] = label.state(slice);
  }

  private async opened(caseId: string, slice: number): Promise<OpenCase> {
    const one = this.options.cases.find((each) => each.caseId === caseId);
    if (!one || slice >= one.grid.slices) throw noSlice(caseId, slice);
    const found = this.open.get(caseId) ?? this.read(one);
    // The one that was asked for last is kept longest.
    this.open.delete(caseId);
    this.open.set(caseId, found);
    found.catch(() => this.open.delete(caseId));
    for (const old of [...this.open.keys()].slice(0, -OPEN_CASES)) this.open.delete(old);
    return found;
  }

  private async read(one: LabelCase): Promise<OpenCase> {
    // What cannot be written is drawn into what is shown below, and told of.
    await this.flush().catch(() => undefined);
    const { place, bundle, infer } = this.options;
    const reader = await openVolume(one.image);
    const planes: Int16Array[] = [];
    for await (const { index, hu } of reader.axialSlices())
      planes[index] = Int16Array.from(hu, (value) => Math.max(-32768, Math.min(32767, value)));
    const { header, geometry } = reader;
    const label = await place.read(one, reader);
    for (const [slice, kinds] of this.pending.get(one.caseId) ?? []) label.draw(slice, kinds);
    const drawing = new BoxDrawing(bundle.manifest, infer, geometry.grid);
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
