import { createHash } from 'node:crypto';
import path from 'node:path';
import * as z from 'zod';
import { DirStore } from '../../adapters/dir-store.ts';
import { putJson, usableJson } from '../../core/json.ts';
import { type DrawnValues, VOXEL } from '../../core/labelling/label-plane.ts';
import { readPlacedLabel } from '../../core/stage/compare.ts';
import { placementOn } from '../../core/volume/lattice.ts';
import { openNifti } from '../../core/volume/reader.ts';
import { contentVersion, readFile, versionOfSha256 } from '../files.ts';
import { casesIn, type SliceState } from '../training/dataset.ts';
import { CaseLabel, labelBytes, openLabel, type Placed, readLabelFile } from './label-file.ts';
import type { LabelCase } from './label-set.ts';
import type { ResultMask } from './results.ts';

/** Where the labels of a labelling are read and written. */
export interface LabelPlace {
  /** Strokes and scores lie below it, in `.sammix`. */
  readonly root: string;
  readonly values: DrawnValues;
  /** Whether there is a mask of the case to start from. */
  proposes(caseId: string): boolean;
  /** As it lies there now: another program may have written it meanwhile. */
  read(one: Pick<LabelCase, 'caseId'>, image: Placed): Promise<CaseLabel>;
  /** Whole or not at all. */
  write(one: Pick<LabelCase, 'caseId'>, label: CaseLabel): Promise<void>;
}

/** `labelsTr` of a data set; what nobody has labelled, or confirmed, is `ignore` there. */
export class DatasetLabels implements LabelPlace {
  readonly root: string;
  readonly values: DrawnValues;
  private readonly masks: ReadonlyMap<string, ResultMask>;

  /** @param masks to start from, by case */
  constructor(root: string, values: DrawnValues, masks: ReadonlyMap<string, ResultMask>) {
    this.root = root;
    this.values = values;
    this.masks = masks;
  }

  proposes(caseId: string): boolean {
    return this.masks.has(caseId);
  }

  async read({ caseId }: Pick<LabelCase, 'caseId'>, image: Placed): Promise<CaseLabel> {
    const file = await this.fileOf(caseId);
    const label = file ? await readLabelFile(file, image) : openLabel(image, this.values);
    const mask = this.masks.get(caseId);
    return new CaseLabel(label, this.values, mask && (await maskOn(image, mask.file)));
  }

  async write({ caseId }: Pick<LabelCase, 'caseId'>, { label }: CaseLabel): Promise<void> {
    const file = await this.fileOf(caseId);
    const name = file === undefined ? `${caseId}.nii.gz` : path.basename(file);
    await new DirStore(this.root).put(`labelsTr/${name}`, await labelBytes(name, label));
  }

  private async fileOf(caseId: string): Promise<string | undefined> {
    return (await casesIn(path.join(this.root, 'labelsTr'))).get(caseId);
  }
}

/** Which slices of a mask a person has confirmed or corrected. */
const Confirmed = z.strictObject({
  schemaVersion: z.literal(1),
  /** Of the mask's content: one that has changed otherwise is not confirmed. */
  masks: z.array(z.string()),
  states: z.array(z.enum(['shown', 'empty', 'unlabelled'])),
});

/** The masks of a run in their own place: a slice that is not confirmed stays as the run drew it. */
export class ResultMasks implements LabelPlace {
  readonly root: string;
  /** In the mask there is no `ignore`; which slices are confirmed is kept beside it. */
  readonly values: DrawnValues = { target: 1, ignore: 2 };
  private readonly store: DirStore;
  private readonly target: string;
  private readonly masks: ReadonlyMap<string, ResultMask>;

  constructor(root: string, target: string, masks: ReadonlyMap<string, ResultMask>) {
    this.root = root;
    this.target = target;
    this.masks = masks;
    this.store = new DirStore(root);
  }

  proposes(): boolean {
    return true;
  }

  /** Undefined where none is confirmed. */
  async states(caseId: string): Promise<SliceState[] | undefined> {
    const kept = await usableJson(this.store, this.keyOf(caseId), Confirmed);
    return kept?.masks.includes(await this.version(caseId)) ? kept.states : undefined;
  }

  async read({ caseId }: Pick<LabelCase, 'caseId'>, image: Placed): Promise<CaseLabel> {
    const label = openLabel(await this.placed(caseId, image), this.values);
    const proposal = await maskOn(image, this.fileOf(caseId));
    const one = new CaseLabel(label, this.values, proposal);
    const states = (await this.states(caseId)) ?? [];
    for (const [slice, state] of states.entries())
      if (state !== 'unlabelled')
        one.draw(
          slice,
          one.kinds(slice).map((kind) => (kind === VOXEL.proposed ? VOXEL.target : 0)),
        );
    return one;
  }

  async write({ caseId }: Pick<LabelCase, 'caseId'>, one: CaseLabel): Promise<void> {
    const { header, geometry, data } = one.label;
    const { slices } = geometry.grid;
    const states = Array.from({ length: slices }, (_, slice) => one.state(slice));
    const { target, ignore } = this.values;
    const drawn = (at: number): number => (one.proposal![at] ? target : 0);
    const mask = data.map((value, at) => (value === ignore ? drawn(at) : value));
    const unchanged = (await maskOn(one.label, this.fileOf(caseId))).every(
      (value, at) => value === mask[at],
    );
    const before = await this.version(caseId);
    // A mask that was only confirmed is not a corrected one: its file stays as it is.
    if (unchanged) return this.keep(caseId, [before], states);
    const bytes = await labelBytes('mask.nii.gz', { header, geometry, data: mask });
    const after = versionOfSha256(createHash('sha256').update(bytes).digest('hex'));
    await this.keep(caseId, [before, after], states);
    await this.store.put(path.relative(this.root, this.fileOf(caseId)), bytes);
    await this.keep(caseId, [after], states);
  }

  private keep(caseId: string, masks: string[], states: SliceState[]): Promise<void> {
    return putJson(this.store, this.keyOf(caseId), { schemaVersion: 1, masks, states }, 0);
  }

  /** Where the mask is stored as its image is, its own header stays. */
  private async placed(caseId: string, image: Placed): Promise<Placed> {
    const { difference, ...mask } = await placeOf(image, this.fileOf(caseId));
    return difference === null ? mask : image;
  }

  private readonly keyOf = (caseId: string): string =>
    `.sammix/confirmed/${this.target}/${caseId}.json`;

  private fileOf(caseId: string): string {
    return this.masks.get(caseId)!.file;
  }

  private async version(caseId: string): Promise<string> {
    return (await contentVersion([this.fileOf(caseId)])).version;
  }
}

/** A mask of a run, 0 or 1, on the grid of its scan; read as a run reads a corrected one. */
async function maskOn(image: Placed, file: string): Promise<Uint8Array> {
  const source = { name: file, open: () => readFile(file) };
  return (await readPlacedLabel({ name: 'its scan', geometry: image.geometry }, source)).mask.data;
}

/**
 * Header and place of a mask, and how it is stored otherwise than its scan.
 *
 * @throws GeometryError where it does not lie on the scan
 */
export async function placeOf(
  image: Pick<Placed, 'geometry'>,
  file: string,
): Promise<Placed & { readonly difference: string | null }> {
  const reader = await openNifti(readFile(file), { subject: file });
  await reader.close();
  const { header, geometry } = reader;
  const scan = { subject: 'its scan', geometry: image.geometry };
  const { difference } = placementOn(scan, { subject: file, geometry });
  return { header, geometry, difference };
}
