import { groupBy } from '../core/group-by.ts';
import type { Vector3 } from '../core/volume/matrix3.ts';
import { dot } from '../core/volume/matrix3.ts';
import type { Frame, Instance } from './instance.ts';
import { unreadable } from './pixels.ts';

/** One frame of one object: an image of a stack. */
export interface SliceSource {
  readonly instance: Instance;
  readonly frame: Frame;
  /** Index of the frame within its object. */
  readonly frameIndex: number;
}

/** Axial CT images of one series that share matrix, spacing and orientation, one at each position. */
export interface AxialStack {
  readonly seriesUid: string;
  readonly seriesNumber: string;
  /** Of the stacks of one series, from 1; undefined where it is the only one. */
  readonly part: number | undefined;
  /** In the order in which they lie from feet to head. */
  readonly slices: readonly SliceSource[];
  /** Images with the same SOP Instance UID as another, left out. */
  readonly duplicates: number;
}

/** Whether it is the stack that was written down by its series and part, where null is the only one. */
export const isStack = (stack: AxialStack, seriesUid: string, part: number | null): boolean =>
  stack.seriesUid === seriesUid && (stack.part ?? null) === part;

/** Why something is no axial CT: for programs, and for people, whom values of the header may be told. */
interface Reason {
  readonly code: string;
  readonly why: string;
}

/** Something that is no axial CT, and why. */
export interface LeftAside extends Reason {
  readonly what: string;
  readonly files: readonly string[];
}

export interface SortedSeries {
  readonly stacks: readonly AxialStack[];
  readonly leftAside: readonly LeftAside[];
}

/** SOP classes of CT images (PS3.4 B.5): classic, enhanced, legacy converted. */
const CT_CLASSES = new Set([
  '1.2.840.10008.5.1.4.1.1.2',
  '1.2.840.10008.5.1.4.1.1.2.1',
  '1.2.840.10008.5.1.4.1.1.2.2',
]);

/** DICOMDIR, an index of the files beside it. */
const MEDIA_DIRECTORY = '1.2.840.10008.1.3.10';

/** Values of Image Type that mark pictures of no single plane of the patient. */
const NO_SLICE =
  /^(LOCALIZER|SCOUT|TOPO(GRAM)?|PROJECTION( IMAGE)?|M(AX|IN)?_?IP|MAXIMUM|MINIMUM|VRT|VOLUME_?RENDER(ED|ING)?|SSD|SCREEN ?SAVE|DOSE_INFO|CPR|PERFUSION|PARALLEL|RENDERED)$/;

/** Within 45 degrees of the patient's axis; a gantry tilts by at most 30. */
const AXIAL_COSINE = Math.SQRT1_2;

/** Sorts objects by series and each series into stacks, in the order of series numbers. */
export function sortSeries(instances: readonly Instance[]): SortedSeries {
  const images = instances.filter(({ sopClassUid }) => sopClassUid !== MEDIA_DIRECTORY);
  const series = groupBy(images, ({ seriesUid }) => seriesUid);
  const ordered = [...series.values()].sort(
    (a, b) => Number(a[0]!.seriesNumber) - Number(b[0]!.seriesNumber) || byText(a[0]!, b[0]!),
  );
  const stacks: AxialStack[] = [];
  const leftAside: LeftAside[] = [];
  for (const members of ordered) {
    const sorted = sortOne(members);
    stacks.push(...sorted.stacks);
    leftAside.push(...sorted.leftAside);
  }
  return { stacks, leftAside };
}

const byText = (a: Instance, b: Instance): number => (a.seriesUid < b.seriesUid ? -1 : 1);

function sortOne(members: readonly Instance[]): SortedSeries {
  const aside = new Map<string, { readonly reason: Reason; readonly instances: Instance[] }>();
  const leave = (reason: Reason, instance: Instance): void => {
    const known = aside.get(reason.why)?.instances;
    if (!known) aside.set(reason.why, { reason, instances: [instance] });
    else if (known.at(-1) !== instance) known.push(instance);
  };
  const readable = members.filter((instance) => {
    const reason = notCt(instance) ?? withoutHounsfield(instance);
    if (reason !== undefined) leave(reason, instance);
    return reason === undefined;
  });
  const { distinct, duplicates } = withoutDuplicates(readable);
  const slices: SliceSource[] = [];
  for (const instance of distinct)
    instance.frames.forEach((frame, frameIndex) => {
      const reason = notAxial(frame);
      if (reason === undefined) slices.push({ instance, frame, frameIndex });
      else leave(reason, instance);
    });
  const stacks = inOrderOfKeys(groupBy(slices, gridKey)).flatMap((alike) => {
    const volumes = apart(alike);
    if (volumes !== undefined) return volumes;
    for (const { instance } of alike) leave(SHARED_POSITIONS, instance);
    return [];
  });
  const usable = stacks.filter((stack) => {
    if (stack.length > 1) return true;
    for (const { instance } of stack) leave(SINGLE_IMAGE, instance);
    return false;
  });
  const { seriesUid, seriesNumber } = members[0]!;
  return {
    stacks: usable.map((stack, n) => ({
      seriesUid,
      seriesNumber,
      part: usable.length > 1 ? n + 1 : undefined,
      slices: stack,
      duplicates,
    })),
    leftAside: [...aside.values()].map(({ reason, instances }) => ({
      ...reason,
      what: `series ${seriesNumber || '?'} (${instances[0]!.modality || 'no modality'}, ${instances.length} file(s))`,
      files: instances.map(({ file }) => file.name),
    })),
  };
}

/** Of objects with one SOP Instance UID the first is kept. */
function withoutDuplicates(members: readonly Instance[]): {
  distinct: Instance[];
  duplicates: number;
} {
  const distinct = [...new Map([...members].reverse().map((one) => [one.sopInstanceUid, one]))]
    .map(([, instance]) => instance)
    .reverse();
  return { distinct, duplicates: members.length - distinct.length };
}

const SHARED_POSITIONS: Reason = {
  code: 'shared-positions',
  why: 'several of its images lie at one position',
};
const SINGLE_IMAGE: Reason = { code: 'single-image', why: 'it is a single image, no volume' };

function notCt({ modality, sopClassUid }: Instance): Reason | undefined {
  if (modality !== 'CT')
    return { code: 'not-ct', why: `it is ${modality || 'of no known modality'}, not CT` };
  if (!CT_CLASSES.has(sopClassUid))
    return { code: 'no-ct-image', why: 'it is a capture or a report, no CT image' };
  return undefined;
}

function withoutHounsfield(instance: Instance): Reason | undefined {
  const why = unreadable(instance);
  return why === undefined ? undefined : { code: 'pixels-unreadable', why };
}

function notAxial(frame: Frame): Reason | undefined {
  const marker = frame.imageType.find((value) => NO_SLICE.test(value));
  if (marker !== undefined)
    return { code: 'no-plain-slice', why: `it is no plain slice (Image Type ${marker})` };
  if (!frame.positionMm || !frame.columnDirection || !frame.rowDirection)
    return { code: 'no-position', why: 'it does not say where its images lie' };
  if (!frame.spacingMm)
    return { code: 'no-spacing', why: 'it does not say how large its pixels are' };
  if (Math.abs(dot(frame.columnDirection, frame.rowDirection)) > 1e-3)
    return { code: 'skewed-axes', why: 'its rows and columns are not at right angles' };
  if (frame.slope === 0) return { code: 'no-rescale', why: 'its rescale slope is 0' };
  if (!/^(HU|US|HU_MOD)$/i.test(frame.rescaleType))
    return {
      code: 'not-hounsfield',
      why: `its values are ${frame.rescaleType}, not Hounsfield units`,
    };
  if (Math.abs(normalOf(frame)[2]) < AXIAL_COSINE)
    return { code: 'not-axial', why: 'its slices are not axial' };
  return undefined;
}

/** Along which a stack is sorted: of two, the one that points to the head. */
export function normalOf({ columnDirection, rowDirection }: Frame): Vector3 {
  const [a, b] = [columnDirection!, rowDirection!];
  const n: Vector3 = [
    a[1] * b[2] - a[2] * b[1],
    a[2] * b[0] - a[0] * b[2],
    a[0] * b[1] - a[1] * b[0],
  ];
  return n[2] < 0 ? [-n[0], -n[1], -n[2]] : n;
}

/** Images of one stack agree in all of these; directions to a tenth of a degree. */
function gridKey({ instance, frame }: SliceSource): string {
  const { spacingMm, columnDirection, rowDirection } = frame;
  const directions = [...columnDirection!, ...rowDirection!].map((v) => Math.round(v * 500));
  return [
    instance.frameOfReferenceUid,
    instance.columns,
    instance.rows,
    spacingMm!.column.toFixed(4),
    spacingMm!.row.toFixed(4),
    ...directions,
  ].join();
}

const alongMm = (frame: Frame, normal: Vector3): number => dot(frame.positionMm!, normal);

/** Positions nearer than this are one. */
const SAME_POSITION_MM = 0.01;

/**
 * Alike images as volumes with one image at each position. Where positions repeat, the first
 * attribute of `Frame.phase` that tells all of them apart splits them (acquisition, time, stack,
 * trigger, kernel, acquisition time); undefined where none does.
 */
function apart(slices: readonly SliceSource[]): SliceSource[][] | undefined {
  const whole = inOrder(slices);
  if (!repeats(whole)) return [whole];
  for (let n = 0; n < slices[0]!.frame.phase.length; n++) {
    const phases = groupBy(slices, ({ frame }) => frame.phase[n] ?? '');
    const groups = inOrderOfKeys(phases).map(inOrder);
    if (groups.length > 1 && !groups.some(repeats)) return groups;
  }
  return undefined;
}

/** Numbers by their size, texts as such: which volume is the first does not depend on the order of files. */
const inOrderOfKeys = <T>(groups: ReadonlyMap<string, T>): T[] =>
  [...groups]
    .sort(([a], [b]) => Number(a) - Number(b) || (a < b ? -1 : 1))
    .map(([, group]) => group);

function inOrder(slices: readonly SliceSource[]): SliceSource[] {
  const normal = normalOf(slices[0]!.frame);
  return [...slices].sort((a, b) => alongMm(a.frame, normal) - alongMm(b.frame, normal));
}

function repeats(ordered: readonly SliceSource[]): boolean {
  const normal = normalOf(ordered[0]!.frame);
  return ordered.some(
    ({ frame }, n) =>
      n > 0 && alongMm(frame, normal) - alongMm(ordered[n - 1]!.frame, normal) < SAME_POSITION_MM,
  );
}
