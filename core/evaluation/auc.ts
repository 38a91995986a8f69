import type { ScoredSlice } from '../contract/evaluation.ts';

/**
 * Area under the ROC curve of slices whose patients are drawn again and again. Slices are sorted by
 * score once; each draw is then one pass over them (Mann-Whitney count, ties one half), exact and
 * without copies: 1 000 patients of 300 slices and 2 000 draws take seconds.
 */
export class ResampledAuc {
  /** In ascending order of score: patient << 2 | ends a tie << 1 | positive. */
  private readonly items: Uint32Array;

  /** @param patients the slices of each patient */
  constructor(patients: readonly (readonly ScoredSlice[])[]) {
    const items = patients.flatMap((slices, patient) =>
      slices.map(({ score, positive }) => ({ score, positive, patient })),
    );
    items.sort((a, b) => a.score - b.score);
    this.items = Uint32Array.from(items, ({ score, positive, patient }, n) => {
      const endsTie = items[n + 1]?.score !== score;
      return (patient << 2) | (endsTie ? 2 : 0) | (positive ? 1 : 0);
    });
  }

  /** @param times how often each patient is drawn; NaN where one of the classes is absent then */
  area(times: Uint16Array): number {
    const { items } = this;
    let [pairsWon, negatives, positives] = [0, 0, 0];
    let [tied, tiedPositives] = [0, 0];
    for (let n = 0; n < items.length; n++) {
      const item = items[n]!;
      const drawn = times[item >>> 2]!;
      tied += drawn;
      // A product, not a branch: which class comes next cannot be guessed.
      tiedPositives += drawn * (item & 1);
      if ((item & 2) === 0) continue;
      const tiedNegatives = tied - tiedPositives;
      pairsWon += tiedPositives * (negatives + tiedNegatives / 2);
      positives += tiedPositives;
      negatives += tiedNegatives;
      tied = 0;
      tiedPositives = 0;
    }
    return pairsWon / (positives * negatives);
  }
}
