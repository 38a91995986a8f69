import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { type Candidate, drawSlices, proposeSlices } from '../../../core/labelling/propose.ts';
import { entropyBits } from '../../../core/labelling/score-slice.ts';

const share = fc.double({ min: 0, max: 1, noNaN: true });

const mask = fc.option(
  fc.record({
    entropyBits: share,
    predictedIou: fc.double({ min: -0.2, max: 1.2, noNaN: true }),
    camMaskIou: share,
  }),
);

const candidates = fc
  .array(
    fc.record({
      patient: fc.constantFrom('a', 'b', 'c'),
      labelled: fc.constantFrom('shown', 'empty', null, null, null),
      logit: fc.double({ min: -300, max: 300, noNaN: true }),
      mask,
      look: fc.array(fc.double({ min: -5, max: 5, noNaN: true }), { minLength: 3, maxLength: 3 }),
    }),
    { minLength: 1, maxLength: 25 },
  )
  .map((all) =>
    all.map(
      ({ patient, labelled, ...score }, slice): Candidate => ({
        caseId: `case-${patient}`,
        patient,
        slices: all.length,
        labelled: labelled as Candidate['labelled'],
        score: { slice, ...score },
      }),
    ),
  );

const thresholds = fc.constantFrom(undefined, 0.5, 0.47);

describe('proposeSlices', () => {
  it('proposes unlabelled slices, each once, as many as asked for or there are', () => {
    fc.assert(
      fc.property(
        candidates,
        fc.integer({ min: 1, max: 30 }),
        thresholds,
        (all, count, threshold) => {
          const open = all.filter(({ labelled }) => labelled === null);
          const proposed = proposeSlices(all, { count, threshold });
          const slices = proposed.map(({ slice }) => slice);
          expect(new Set(slices).size).toBe(Math.min(count, open.length));
          for (const slice of slices) expect(all[slice]!.labelled).toBeNull();
          for (const { probability, doubt, uncertainty, typicality, novelty } of proposed)
            for (const value of [probability, doubt, uncertainty, typicality, novelty]) {
              expect(value).toBeGreaterThanOrEqual(0);
              expect(value).toBeLessThanOrEqual(1);
            }
        },
      ),
    );
  });

  it('begins as a shorter proposal does, so that one may label and ask again', () => {
    fc.assert(
      fc.property(candidates, thresholds, (all, threshold) => {
        const three = proposeSlices(all, { count: 3, threshold });
        expect(proposeSlices(all, { count: 9, threshold }).slice(0, 3)).toEqual(three);
      }),
    );
  });

  it('lets patients take turns as long as they have slices left', () => {
    fc.assert(
      fc.property(candidates, fc.integer({ min: 1, max: 12 }), (all, count) => {
        const chosen = new Set(proposeSlices(all, { count, threshold: 0.5 }).map((p) => p.slice));
        const state = (patient: string) => {
          const own = all.filter((one) => one.patient === patient);
          const done = own.filter((one) => one.labelled !== null).length;
          const taken = own.filter((one) => chosen.has(one.score.slice)).length;
          return { labels: done + taken, taken, left: own.length - done - taken };
        };
        const patients = ['a', 'b', 'c'].map(state);
        for (const { labels, taken } of patients)
          for (const other of patients)
            if (taken > 0 && other.left > 0) expect(labels).toBeLessThanOrEqual(other.labels + 1);
      }),
    );
  });

  const alike = { look: [0, 0], mask: { entropyBits: 0.2, predictedIou: 0.9, camMaskIou: 0.8 } };
  const of = (
    slice: number,
    score: Partial<Candidate['score']>,
    labelled: Candidate['labelled'] = null,
  ): Candidate => ({
    caseId: 'x',
    patient: 'x',
    slices: 10,
    labelled,
    score: { slice, logit: 0, ...alike, ...score },
  });

  it('takes the slice that the classifier is unsure of among alike ones', () => {
    const all = [of(0, { logit: -90 }), of(1, { logit: 3 }), of(2, { logit: 90 })];
    expect(proposeSlices(all, { count: 1, threshold: 0.5 })[0]!.slice).toBe(1);
  });

  it('takes the slice whose mask is in doubt among those that show the target alike', () => {
    const doubtful = { entropyBits: 0.9, predictedIou: 0.4, camMaskIou: 0.1 };
    const all = [of(0, {}), of(1, { mask: doubtful }), of(2, {})];
    expect(proposeSlices(all, { count: 1, threshold: 0.5 })[0]!.slice).toBe(1);
  });

  it('takes the slice that looks unlike what is labelled', () => {
    const all = [
      of(0, {}, 'shown'),
      of(1, { look: [0.1, 0] }),
      of(2, { look: [2, 2] }),
      of(3, { look: [2, 1.9] }),
    ];
    expect(proposeSlices(all, { count: 1, threshold: 0.5 })[0]!.slice).toBeGreaterThan(1);
  });

  it('learns from labels what a bundle of another target does not know', () => {
    const near = (slice: number, x: number) => of(slice, { look: [x, 0] });
    const all = [
      ...[0, 1, 2].map((n) => of(n, { look: [n / 100, 0] }, 'shown')),
      ...[3, 4, 5].map((n) => of(n, { look: [9 + n / 100, 0] }, 'empty')),
      near(6, 0.5),
      near(7, 8.5),
    ];
    const [first, second] = proposeSlices(all, { count: 2, threshold: undefined });
    expect([first!.slice, second!.slice]).toEqual([6, 7]);
    expect(first!.probability).toBeGreaterThan(0.7);
    expect(second!.probability).toBeLessThan(0.3);
  });
});

describe('drawSlices', () => {
  it('draws each slice once, alike for equal seeds in whatever order files come', () => {
    const all = Array.from({ length: 20 }, (_, n) => ({ caseId: `c${n % 3}`, slice: n }));
    const drawn = drawSlices(all, { count: 8, seed: 3 });
    expect(new Set(drawn.map(({ slice }) => slice)).size).toBe(8);
    expect(drawSlices([...all].reverse(), { count: 8, seed: 3 })).toEqual(drawn);
    expect(drawSlices(all, { count: 8, seed: 4 })).not.toEqual(drawn);
    expect(drawSlices(all, { count: 99, seed: 3 })).toHaveLength(20);
  });
});

describe('entropyBits', () => {
  it('is 1 at one half, 0 where nothing is open, and the same for yes and no', () => {
    expect(entropyBits(0.5)).toBe(1);
    expect([entropyBits(0), entropyBits(1), entropyBits(Number.NaN)]).toEqual([0, 0, 0]);
    fc.assert(
      fc.property(share, (p) => {
        expect(entropyBits(p)).toBeCloseTo(entropyBits(1 - p), 9);
      }),
    );
  });
});
