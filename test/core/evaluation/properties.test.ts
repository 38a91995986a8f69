import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import type { EvaluatedCase } from '../../../core/contract/evaluated-case.ts';
import { ResampledAuc, ROC_POINTS, thinRoc } from '../../../core/evaluation/classification.ts';
import { PatientBootstrap } from '../../../core/evaluation/patients.ts';
import { spacingStratum } from '../../../core/evaluation/strata.ts';
import { rocCurve } from '../../../core/metrics/classification.ts';
import { quantile } from '../../../core/metrics/quantile.ts';
import { createRandom } from '../../../core/random.ts';
import { evaluate, metricOf, row, scanOf } from './rows.ts';

const FEW = { draws: 60, confidence: 0.95, seed: 0 };

const share = fc.double({ min: 0, max: 1, noNaN: true });

const slices = fc.array(fc.record({ score: share, positive: fc.boolean() }), { maxLength: 6 });

/** A case of any status, of one of six patients. */
const anyCase: fc.Arbitrary<Omit<EvaluatedCase, 'caseId'>> = fc
  .record({
    status: fc.constantFrom(
      'compared' as const,
      'missed' as const,
      'spurious' as const,
      'failed' as const,
      'label-unusable' as const,
      'unlabelled' as const,
    ),
    patient: fc.nat(5),
    dice: share,
    hd95Mm: fc.double({ min: 0, max: 900, noNaN: true }),
    sliceSpacingMm: fc.constantFrom(1, 2, 4, 8),
    scores: slices,
  })
  .map(({ status, patient, dice, hd95Mm, sliceSpacingMm, scores }) => {
    const identity = { caseId: '', patientId: `p${patient}`, status };
    const scan = scanOf(sliceSpacingMm);
    if (status === 'unlabelled') return row({ ...identity, scan, labelVersion: null });
    if (status === 'failed' || status === 'label-unusable') return row({ ...identity, scan });
    const measured = status === 'compared' ? { dice, hd95Mm } : { dice: 0, hd95Mm: 'inf' as const };
    return row({ ...identity, scan, scores, ...measured });
  });

const anyCases = fc
  .array(anyCase, { minLength: 1, maxLength: 14 })
  .map((cases) => cases.map((one, n): EvaluatedCase => ({ ...one, caseId: `case-${n}` })));

describe('an evaluation', () => {
  it('does not depend on the order of its cases', () => {
    const shuffled = anyCases.chain((cases) =>
      fc.record({
        cases: fc.constant(cases),
        permuted: fc.shuffledSubarray(cases, { minLength: cases.length }),
      }),
    );
    fc.assert(
      fc.property(shuffled, ({ cases, permuted }) => {
        const previous = evaluate(cases, { bootstrap: FEW });
        expect(evaluate(permuted, { bootstrap: FEW, previous })).toEqual(
          evaluate(cases, { bootstrap: FEW, previous }),
        );
      }),
      { numRuns: 40 },
    );
  });

  it('never looks better for a case that fails', () => {
    fc.assert(
      fc.property(anyCases, fc.nat(7), (cases, patient) => {
        const failed = row({ caseId: 'zz', patientId: `p${patient}`, status: 'failed' });
        const [before, after] = [cases, [...cases, failed]].map((rows) =>
          evaluate(rows, { bootstrap: FEW }),
        ) as [ReturnType<typeof evaluate>, ReturnType<typeof evaluate>];
        for (const metric of before.metrics) {
          const [was, is] = [metric, metricOf(after, metric.name)].map(
            ({ meanWithWorst }) => meanWithWorst.estimate,
          );
          if (metric.worst === null || was == null || is == null) continue;
          if (metric.worst === 0) expect(is).toBeLessThanOrEqual(was + 1e-12);
          else expect(is).toBeGreaterThanOrEqual(was - 1e-9);
          expect(metricOf(after, metric.name).leftOut).toBe(metric.leftOut + 1);
        }
        expect(after.counts.failed).toBe(before.counts.failed + 1);
      }),
      { numRuns: 60 },
    );
  });

  it('counts every case once, in one status and in one stratum of each kind', () => {
    fc.assert(
      fc.property(anyCases, (cases) => {
        const { counts, strata, metrics } = evaluate(cases, { bootstrap: FEW });
        expect(Object.values(counts).reduce((sum, count) => sum + count, 0)).toBe(cases.length);
        const labelled = cases.length - counts.unlabelled - counts['label-unusable'];
        for (const by of ['slice-spacing', 'orientation'] as const) {
          const inStrata = strata.filter((stratum) => stratum.by === by);
          expect(inStrata.reduce((sum, stratum) => sum + stratum.cases, 0)).toBe(labelled);
        }
        for (const { count, leftOut } of metrics) expect(count + leftOut).toBe(labelled);
      }),
      { numRuns: 60 },
    );
  });

  it('differs from itself by nothing', () => {
    fc.assert(
      fc.property(anyCases, (cases) => {
        const previous = evaluate(cases, { bootstrap: FEW });
        const { comparison, drift } = evaluate(cases, { bootstrap: FEW, previous });
        expect(comparison).toMatchObject({
          moved: [],
          onlyHere: [],
          onlyThere: [],
          relabelled: [],
        });
        if (comparison!.patients > 0)
          expect(comparison!.diceDifference).toEqual({ estimate: 0, lower: 0, upper: 0 });
        expect(drift.every(({ statistic, drifted }) => statistic === 0 && !drifted)).toBe(true);
      }),
      { numRuns: 40 },
    );
  });
});

describe('the bootstrap over patients', () => {
  it('gives what drawing patients one by one gives', () => {
    const mean = (v: readonly number[]): number => v.reduce((s, x) => s + x, 0) / v.length;
    fc.assert(
      fc.property(fc.array(share, { minLength: 1, maxLength: 30 }), fc.nat(99), (values, seed) => {
        const ours = new PatientBootstrap({ draws: 50, confidence: 0.9, seed }).mean(values);
        const random = createRandom(seed);
        const means = Array.from({ length: 50 }, () =>
          mean(values.map(() => values[random.integer(0, values.length - 1)]!)),
        );
        expect(ours.estimate).toBeCloseTo(mean(values), 12);
        expect(ours.lower).toBeCloseTo(quantile(means, 0.05), 12);
        expect(ours.upper).toBeCloseTo(quantile(means, 0.95), 12);
      }),
    );
  });

  it('has no estimate of nothing, nor of a statistic that is not defined', () => {
    const none = { estimate: null, lower: null, upper: null };
    expect(new PatientBootstrap().mean([])).toEqual(none);
    expect(new PatientBootstrap().ratio([0, 0], [0, 0])).toEqual(none);
  });
});

describe('the ROC curve', () => {
  const items = fc.array(
    fc.record({ score: fc.oneof(share, fc.constantFrom(0.25, 0.5, 0.75)), positive: fc.boolean() }),
    { minLength: 2, maxLength: 1500, size: 'max' },
  );

  const area = (points: readonly { falsePositiveRate: number; truePositiveRate: number }[]) =>
    points.slice(1).reduce((sum, b, n) => {
      const a = points[n]!;
      const width = b.falsePositiveRate - a.falsePositiveRate;
      return sum + (width * (a.truePositiveRate + b.truePositiveRate)) / 2;
    }, 0);

  it('keeps its area in 200 of its own points', () => {
    fc.assert(
      fc.property(items, (scored) => {
        const whole = rocCurve(scored);
        if (!whole) return;
        const thin = thinRoc(whole);
        expect(thin.length).toBeLessThanOrEqual(ROC_POINTS);
        expect(thin.every((point) => whole.includes(point))).toBe(true);
        expect([thin[0], thin.at(-1)]).toEqual([whole[0], whole.at(-1)]);
        expect(Math.abs(area(thin) - area(whole))).toBeLessThan(1e-3);
      }),
    );
  });

  it.each([2, 3, 7, 200, 401])('keeps it for a staircase of %i steps as well', (steps) => {
    // Positives and negatives in turn: as rough as a curve can be.
    const scored = Array.from({ length: 2 * steps }, (_, n) => ({
      score: 1 - n / (2 * steps),
      positive: n % 2 === 0,
    }));
    const whole = rocCurve(scored)!;
    const thin = thinRoc(whole);
    expect(thin.length).toBeLessThanOrEqual(ROC_POINTS);
    expect(Math.abs(area(thin) - area(whole))).toBeLessThan(1e-3);
  });

  it('gives the area of any resampling of patients', () => {
    const patients = fc.array(slices, { minLength: 1, maxLength: 8 });
    fc.assert(
      fc.property(
        patients,
        fc.array(fc.nat(3), { minLength: 8, maxLength: 8 }),
        (scored, times) => {
          const drawn = scored.flatMap((own, p) =>
            Array.from({ length: times[p]! }, () => own).flat(),
          );
          const ours = new ResampledAuc(scored).area(Uint16Array.from(times));
          const curve = rocCurve(drawn);
          if (curve === null) expect(ours).toBeNaN();
          else expect(ours).toBeCloseTo(area(curve), 12);
        },
      ),
    );
  });
});

it.each([
  [0.5, '<= 1.5 mm'],
  [1.5, '<= 1.5 mm'],
  [1.6, '1.5-3 mm'],
  [3, '1.5-3 mm'],
  [5, '3-5 mm'],
  [5.1, '> 5 mm'],
])('slices %f mm apart belong to the stratum %s', (mm, stratum) => {
  expect(spacingStratum(mm)).toBe(stratum);
});
