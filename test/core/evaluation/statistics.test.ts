import { describe, expect, it } from 'vitest';
import { ResampledAuc } from '../../../core/evaluation/classification.ts';
import { PatientBootstrap } from '../../../core/evaluation/patients.ts';
import { fiveNumbers, wilcoxonSignedRank } from '../../../core/evaluation/statistics.ts';
import {
  calibrationBins,
  calibrationError,
  confusion,
  liverSliceRecall,
  rocCurve,
} from '../../../core/metrics/classification.ts';
import { quantile } from '../../../core/metrics/quantile.ts';
import golden from '../../golden/metrics/statistics.json' with { type: 'json' };
import { expectClose } from '../metrics/tolerance.ts';

const { roc, wilcoxon, quantiles } = golden.cases;

describe('classification', () => {
  it.each(roc)('ROC curve and AUC equal scikit-learn 1.9.1 ($auc)', (c) => {
    const items = c.scores.map((score, n) => ({ score, positive: c.labels[n] === 1 }));
    const auc = new ResampledAuc(items.map((item) => [item]));
    expectClose(auc.area(new Uint16Array(items.length).fill(1)), c.auc, 'AUC', 1e-12);
    const points = rocCurve(items)!.map((p) => [p.falsePositiveRate, p.truePositiveRate]);
    expect(points).toEqual(c.points);
  });

  it('counts a score at the threshold as positive', () => {
    const items = [
      { score: 0.5, positive: true },
      { score: 0.4, positive: true },
      { score: 0.6, positive: false },
      { score: 0.1, positive: false },
      { score: 0.2, positive: false },
    ];
    const counts = confusion(items, 0.5);
    expect(counts).toEqual({
      truePositives: 1,
      falsePositives: 1,
      trueNegatives: 2,
      falseNegatives: 1,
    });
  });

  it('says null, not a number, where a class is absent', () => {
    const items = [{ score: 0.5, positive: true }];
    expect(rocCurve(items)).toBeNull();
    expect(liverSliceRecall([{ labelVoxels: 0, predictionVoxels: 3 }])).toBeNull();
  });

  it('bins scores for calibration, 1 in the last bin', () => {
    const items = [
      { score: 0.1, positive: false },
      { score: 0.3, positive: true },
      { score: 1, positive: true },
    ];
    expect(calibrationBins(items, 2)).toEqual([
      { lower: 0, upper: 0.5, count: 2, meanScore: 0.2, positiveShare: 0.5 },
      { lower: 0.5, upper: 1, count: 1, meanScore: 1, positiveShare: 1 },
    ]);
    expectClose(calibrationError(items, 2)!, 0.2, 'calibration error', 1e-12);
  });

  it('counts liver slices that the prediction reaches', () => {
    const slices = [
      { labelVoxels: 5, predictionVoxels: 1 },
      { labelVoxels: 5, predictionVoxels: 0 },
      { labelVoxels: 0, predictionVoxels: 9 },
    ];
    expect(liverSliceRecall(slices)).toBe(0.5);
  });
});

describe('Wilcoxon signed-rank', () => {
  it.each(wilcoxon)('equals scipy 1.17.1 ($method, p $p)', ({ a, b, statistic, p, method }) => {
    const ours = wilcoxonSignedRank(a, b);
    expect(ours.statistic).toBe(statistic);
    expect(ours.method).toBe(method);
    expectClose(ours.pValue, p, 'p', 1e-9);
  });

  it('finds no difference between equal samples', () => {
    expect(wilcoxonSignedRank([1, 2, 3], [1, 2, 3]).pValue).toBe(1);
  });

  it('refuses samples that are no pairs', () => {
    expect(() => wilcoxonSignedRank([1], [])).toThrow(RangeError);
  });
});

describe('bootstrap over patients', () => {
  const values = quantiles.values;
  const mean = (v: readonly number[]): number => v.reduce((s, x) => s + x, 0) / v.length;

  const interval = (plan: { seed: number; draws?: number }) =>
    new PatientBootstrap({ draws: 2000, confidence: 0.95, ...plan }).mean(values);

  it('repeats with its seed and changes with another', () => {
    expect(interval({ seed: 7 })).toEqual(interval({ seed: 7 }));
    expect(interval({ seed: 8 })).not.toEqual(interval({ seed: 7 }));
  });

  it('is as wide as the standard error says', () => {
    const { estimate, lower, upper } = interval({ seed: 1, draws: 4000 });
    const deviation = Math.sqrt(mean(values.map((v) => (v - mean(values)) ** 2)) / values.length);
    expectClose(estimate!, mean(values), 'mean', 1e-12);
    expect((upper! - lower!) / (2 * 1.96 * deviation)).toBeGreaterThan(0.93);
    expect((upper! - lower!) / (2 * 1.96 * deviation)).toBeLessThan(1.07);
  });
});

describe('aggregates', () => {
  it('quantiles equal NumPy 2.4.6', () => {
    for (const [q, value] of quantiles.at) {
      expectClose(quantile(quantiles.values, q!), value!, `${q}`, 1e-12);
    }
  });

  it('has no order statistics of nothing', () => {
    expect(fiveNumbers([])).toBeNull();
  });

  it('sorts infinities to the end', () => {
    expect(fiveNumbers([3, Number.POSITIVE_INFINITY, 1, 2])).toEqual({
      min: 1,
      lowerQuartile: 1.75,
      median: 2.5,
      upperQuartile: Number.POSITIVE_INFINITY,
      max: Number.POSITIVE_INFINITY,
    });
  });
});
