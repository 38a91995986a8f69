import { ConfigError } from '../../core/errors.ts';
import {
  type Candidate,
  drawSlices,
  type Proposed,
  placeOf,
  proposeSlices,
} from '../../core/labelling/propose.ts';
import type { OpenBundle } from '../../core/stage/open-bundle.ts';
import type { LabelCase } from './label-set.ts';
import type { CaseScores } from './scores.ts';

export type Labels = ReadonlyMap<string, 'shown' | 'empty'>;

const keyOf = (caseId: string, slice: number): string => `${caseId}:${slice}`;

/** `case:slice=shown`, `case:slice=empty`; `none`. */
export function saidLabelled(said: readonly string[], cases: readonly LabelCase[]): Labels {
  const labels = new Map<string, 'shown' | 'empty'>();
  if (said.join() === 'none') return labels;
  const known = new Set(cases.map(({ caseId }) => caseId));
  for (const text of said) {
    const [, caseId, slice, state] = /^(.+):(\d+)=(shown|empty)$/.exec(text) ?? [];
    if (caseId === undefined || !known.has(caseId))
      throw new ConfigError({
        code: 'bad-labelled',
        subject: '--labelled',
        expected: 'none, or slices of cases of the data set, e.g. case01:12=shown,case02:3=empty',
        found: text,
        remedy: 'Write them so, with commas between them.',
      });
    labels.set(keyOf(caseId, Number(slice)), state as 'shown' | 'empty');
  }
  return labels;
}

/** A candidate with as much of a score as is needed. */
export type CandidateOf<Score> = Omit<Candidate, 'score'> & { readonly score: Score };

/** Each scored slice stands for those around it: what is labelled there, is labelled. */
export function candidatesOf<Score extends { readonly slice: number }>(
  { caseId, patient, states }: Pick<LabelCase, 'caseId' | 'patient' | 'states'>,
  { slices, step, scores }: Pick<CaseScores, 'slices' | 'step'> & { scores: readonly Score[] },
  said: Labels | undefined,
): CandidateOf<Score>[] {
  const stateOf = (slice: number): 'shown' | 'empty' | null => {
    if (said) return said.get(keyOf(caseId, slice)) ?? null;
    const state = states?.[slice];
    return state === undefined || state === 'unlabelled' ? null : state;
  };
  return scores.map((score) => {
    const from = score.slice - Math.floor(step / 2);
    const around = Array.from({ length: step }, (_, n) => stateOf(from + n));
    const labelled = around.includes('shown') ? 'shown' : around.includes('empty') ? 'empty' : null;
    return { caseId, patient, slices, score, labelled };
  });
}

/** A slice that was drawn at random has no more than its place. */
export type Chosen = Pick<Proposed, 'caseId' | 'patient' | 'slice' | 'level'> & Partial<Proposed>;

export const isOpen = ({ labelled }: Pick<Candidate, 'labelled'>): boolean => labelled === null;

export const knowsTarget = ({ manifest }: OpenBundle, target: string): boolean =>
  manifest.target.name === target;

/** The next `count` slices to label, by what the bundle makes of them. */
export function chooseSlices(
  candidates: readonly Candidate[],
  count: number,
  target: string,
  bundle: OpenBundle,
): Chosen[] {
  const { threshold } = bundle.manifest.classifier;
  return proposeSlices(candidates, {
    count,
    threshold: knowsTarget(bundle, target) ? threshold : undefined,
  });
}

/** For comparison: at random. */
export const chooseAtRandom = (
  candidates: readonly CandidateOf<{ readonly slice: number }>[],
  count: number,
  seed: number,
): Chosen[] => drawSlices(candidates.filter(isOpen).map(placeOf), { count, seed });
