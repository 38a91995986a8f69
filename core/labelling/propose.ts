import { createRandom } from '../random.ts';
import { entropyBits, type SliceScore } from './score-slice.ts';

/**
 * Which slices a person should label next. A slice is worth labelling where the model is unsure of it, where it
 * stands for many others, and where none like it is labelled yet; patients take turns. A slice's worth is
 *
 *     p * uncertainty * typicality * novelty
 *
 * - p: the calibrated probability that the slice shows the target. One that does teaches classifier and mask; an empty
 *   one, which uncertainty would take as gladly, the classifier alone.
 * - uncertainty = (H(p) + p * d) / 2: H the entropy in bits of p (uncertainty sampling, Lewis & Gale 1994), d the doubt
 *   about the mask, the mean of the entropy of the soft mask, 1 - predicted IoU, and 1 - IoU of CAM and mask (the two
 *   ways of the model to say where the target is: query by committee, Seung et al. 1992).
 * - typicality: how near its nearest unlabelled neighbours are (information density, Settles & Craven 2008): without
 *   it the odd slice of a shoulder wins.
 * - novelty: the distance to the nearest slice that is labelled or already proposed (core set, Sener & Savarese 2018).
 *
 * Distances are between embeddings of the encoder, in which the level in the body is what differs most. A bundle that
 * was trained on another target knows nothing of this one: then p is what labelled slices that look alike say,
 * one half where there are none, and d is 1.
 */

/** A slice that may be labelled, or is. */
export interface Candidate {
  readonly caseId: string;
  readonly patient: string;
  readonly slices: number;
  readonly score: SliceScore;
  /** Whether a labelled slice shows the target; null where nobody has labelled it. */
  readonly labelled: 'shown' | 'empty' | null;
}

export interface Proposed {
  readonly caseId: string;
  readonly patient: string;
  readonly slice: number;
  /** 0 at the feet, 1 at the head end of the scan. */
  readonly level: number;
  /** That the slice shows the target: calibrated, or by labelled slices that look alike. */
  readonly probability: number;
  /** Of the mask, from 0 to 1. */
  readonly doubt: number;
  readonly uncertainty: number;
  readonly typicality: number;
  readonly novelty: number;
}

export interface ProposeOptions {
  readonly count: number;
  /** The classifier's threshold; undefined where the bundle was trained on another target. */
  readonly threshold: number | undefined;
}

/**
 * The next `count` slices in the order in which to label them; fewer where there are no more. No patient gets two
 * more than another, labelled slices included, as long as that other has slices left.
 */
export function proposeSlices(
  candidates: readonly Candidate[],
  { count, threshold }: ProposeOptions,
): Proposed[] {
  const open = candidates.filter(({ labelled }) => labelled === null);
  const done = candidates.filter(({ labelled }) => labelled !== null);
  if (open.length === 0) return [];
  const looks = standardised(candidates.map(({ score }) => score.look));
  const lookOf = new Map(candidates.map((one, at) => [one, looks[at]!]));
  const distance = (a: Candidate, b: Candidate): number =>
    distanceOf(lookOf.get(a)!, lookOf.get(b)!);
  const probability =
    threshold === undefined
      ? (one: Candidate) => byNeighbours(one, done, distance)
      : calibrated(candidates, threshold);
  const worths = open.map((one) => {
    const shown = probability(one);
    const doubt = threshold === undefined ? 1 : doubtOf(one.score);
    const uncertainty = (entropyBits(shown) + shown * doubt) / 2;
    return { one, shown, doubt, uncertainty, typicality: typicality(one, open, distance) };
  });
  const novelty = new Map(open.map((one) => [one, nearest(one, done, distance)]));
  const perPatient = new Map<string, number>();
  for (const { patient } of open) perPatient.set(patient, 0);
  for (const { patient } of done) perPatient.set(patient, (perPatient.get(patient) ?? 0) + 1);

  const proposed: Proposed[] = [];
  const left = new Set(worths);
  while (proposed.length < count && left.size > 0) {
    const fewest = Math.min(...[...left].map(({ one }) => perPatient.get(one.patient)!));
    let best: (typeof worths)[number] | undefined;
    let most = -1;
    for (const worth of left) {
      if (perPatient.get(worth.one.patient) !== fewest) continue;
      const { one, shown, uncertainty, typicality } = worth;
      const value = shown * uncertainty * typicality * novelty.get(one)!;
      if (value > most) [best, most] = [worth, value];
    }
    const { one, shown, doubt, uncertainty, typicality } = best!;
    proposed.push({
      ...placeOf(one),
      probability: shown,
      doubt,
      uncertainty,
      typicality,
      novelty: novelty.get(one)!,
    });
    left.delete(best!);
    perPatient.set(one.patient, fewest + 1);
    for (const { one: other } of left)
      novelty.set(other, Math.min(novelty.get(other)!, distance(other, one)));
  }
  return proposed;
}

/** Where a candidate is. */
export const placeOf = ({
  caseId,
  patient,
  slices,
  score: { slice },
}: Omit<Candidate, 'score'> & { readonly score: { readonly slice: number } }): Pick<
  Proposed,
  'caseId' | 'patient' | 'slice' | 'level'
> => ({
  caseId,
  patient,
  slice,
  level: slices > 1 ? slice / (slices - 1) : 0,
});

/** For comparison: every slice that is not labelled as likely as any other; equal seeds draw alike. */
export function drawSlices<T extends { readonly caseId: string; readonly slice: number }>(
  open: readonly T[],
  { count, seed }: { readonly count: number; readonly seed: number },
): T[] {
  const random = createRandom(seed);
  // In an order of their own, so that the draw does not hang on the order of files.
  const pool = [...open].sort((a, b) =>
    a.caseId === b.caseId ? a.slice - b.slice : a.caseId < b.caseId ? -1 : 1,
  );
  const drawn: T[] = [];
  while (drawn.length < count && pool.length > 0)
    drawn.push(pool.splice(random.integer(0, pool.length - 1), 1)[0]!);
  return drawn;
}

/** Spread of calibrated logits: two thirds of slices then lie between p = .12 and .88. */
const CALIBRATED_SPREAD = 2;

/**
 * The classifier's probabilities, its logits brought to a spread of 2 about the bundle's threshold over the slices at
 * hand, which is what a fit starts from as well: logits of a long training are in the hundreds, where the
 * entropy of every slice is 0.
 */
function calibrated(
  candidates: readonly Candidate[],
  threshold: number,
): (one: Candidate) => number {
  const middle = Math.log(threshold / (1 - threshold));
  const squares = candidates.map(({ score }) => (score.logit - middle) ** 2);
  const spread = Math.sqrt(squares.reduce((sum, one) => sum + one, 0) / squares.length);
  const scale = spread > CALIBRATED_SPREAD ? CALIBRATED_SPREAD / spread : 1;
  return ({ score }) => 1 / (1 + Math.exp(-(score.logit - middle) * scale));
}

function doubtOf({ mask }: SliceScore): number {
  if (mask === null) return 1;
  const iou = Math.min(1, Math.max(0, mask.predictedIou));
  return (mask.entropyBits + (1 - iou) + (1 - mask.camMaskIou)) / 3;
}

type Distance = (a: Candidate, b: Candidate) => number;

/** How many slices that look alike are asked. */
const NEIGHBOURS = 5;

/** The labelled slices that look most alike, each by its nearness, and one slice's worth of not knowing. */
function byNeighbours(one: Candidate, done: readonly Candidate[], distance: Distance): number {
  const near = done
    .map((other) => ({
      shown: other.labelled === 'shown',
      weight: Math.exp(-distance(one, other)),
    }))
    .sort((a, b) => b.weight - a.weight)
    .slice(0, NEIGHBOURS);
  const total = near.reduce((sum, { weight }) => sum + weight, 0);
  const shown = near.reduce((sum, { weight, shown }) => sum + (shown ? weight : 0), 0);
  return (shown + PRIOR_WEIGHT / 2) / (total + PRIOR_WEIGHT);
}

const PRIOR_WEIGHT = 0.2;

/** 1 for a slice whose nearest neighbours look just like it, falling with their mean distance. */
function typicality(one: Candidate, open: readonly Candidate[], distance: Distance): number {
  const near = open
    .filter((other) => other !== one)
    .map((other) => distance(one, other))
    .sort((a, b) => a - b)
    .slice(0, NEIGHBOURS);
  if (near.length === 0) return 1;
  return 1 / (1 + near.reduce((sum, each) => sum + each, 0) / near.length);
}

/** 1, about the distance of two slices drawn at random, where there is none. */
const nearest = (one: Candidate, others: readonly Candidate[], distance: Distance): number =>
  others.reduce((least, other) => Math.min(least, distance(one, other)), 1);

/** Each dimension with mean 0 and variance 1 over all slices; one that does not vary is 0. */
function standardised(looks: readonly (readonly number[])[]): Float64Array[] {
  const dims = looks[0]!.length;
  const means = new Float64Array(dims);
  const squares = new Float64Array(dims);
  for (const look of looks)
    for (let d = 0; d < dims; d++) {
      means[d]! += look[d]! / looks.length;
      squares[d]! += look[d]! ** 2 / looks.length;
    }
  const scales = squares.map((square, d) => {
    const variance = square - means[d]! ** 2;
    return variance > 1e-12 * square ? 1 / Math.sqrt(variance) : 0;
  });
  return looks.map((look) =>
    Float64Array.from(look, (value, d) => (value - means[d]!) * scales[d]!),
  );
}

/** Two slices drawn at random are 1 apart on average (root mean square). */
function distanceOf(a: Float64Array, b: Float64Array): number {
  let sum = 0;
  for (let d = 0; d < a.length; d++) sum += (a[d]! - b[d]!) ** 2;
  return Math.sqrt(sum / (2 * a.length));
}
