import type * as z from 'zod';
import type { DirStore } from '../../adapters/dir-store.ts';
import type { NextSlice } from '../../core/contract/label-page.ts';
import type { SliceScorer } from '../../core/labelling/score-slice.ts';
import type { OpenBundle } from '../../core/stage/open-bundle.ts';
import { candidatesOf, chooseAtRandom, chooseSlices } from './candidates.ts';
import { type LabelCase, readable, type Unread } from './label-set.ts';
import { type CaseScores, caseScores, unscored } from './scores.ts';

/** Says which slice the page goes to next, as often as it is asked. */
export interface NextSlices {
  next(cases: readonly LabelCase[]): Promise<z.infer<typeof NextSlice>>;
  /** Ends the scoring after the scan that is being looked at. */
  stop(): Promise<void>;
}

/** Needs no scores, so it waits for none. */
export const randomSlices = (seed: number): NextSlices => ({
  next: async (cases) => {
    const open = cases.flatMap((one) => candidatesOf(one, unscored(one), undefined));
    const [first] = chooseAtRandom(open, 1, seed);
    return first ? { caseId: first.caseId, slice: first.slice, why: 'Drawn at random.' } : null;
  },
  stop: async () => undefined,
});

interface Scoring {
  readonly target: string;
  readonly bundle: OpenBundle;
  readonly scorer: SliceScorer;
  readonly store: DirStore;
  /** Scans that cannot be read are put there. */
  readonly unread: Unread[];
}

/** Scan by scan, while the first slices are drawn already: what is scored so far is chosen from. */
export function scoredSlices(cases: readonly LabelCase[], to: Scoring): NextSlices {
  const { target, bundle, scorer, store, unread } = to;
  const scored = new Map<string, CaseScores>();
  let stopped = false;
  let looked = 0;
  let tell: () => void = () => undefined;
  const first = new Promise<void>((resolve) => {
    tell = resolve;
  });
  const scoreAll = async (): Promise<void> => {
    for (const one of cases) {
      if (stopped) break;
      const scores = await readable(one.caseId, unread, () =>
        caseScores(one, bundle.manifest, async () => scorer, store),
      );
      looked += 1;
      if (!scores) continue;
      scored.set(one.caseId, scores);
      tell();
    }
  };
  const scoring = scoreAll().finally(tell);
  scoring.catch(() => undefined);
  return {
    next: async (now) => {
      await first;
      // A defect of ours is not to look like a data set that is done.
      if (scored.size === 0) await scoring;
      const candidates = now.flatMap((one) => {
        const scores = scored.get(one.caseId);
        return scores === undefined ? [] : candidatesOf(one, scores, undefined);
      });
      const [best] = chooseSlices(candidates, 1, target, bundle);
      if (!best) return null;
      const digits = (value: number | undefined): string => (value ?? 0).toFixed(2);
      const heard =
        looked < cases.length ? ` Chosen from ${looked} of ${cases.length} scans so far.` : '';
      const why = `Uncertainty ${digits(best.uncertainty)}, unlike labelled ones ${digits(best.novelty)}.${heard}`;
      return { caseId: best.caseId, slice: best.slice, why };
    },
    stop: async () => {
      stopped = true;
      await scoring.catch(() => undefined);
    },
  };
}
