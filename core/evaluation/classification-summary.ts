import type {
  ClassificationSummary,
  EstimateInterval,
  EvaluatedCase,
  ScoredSlice,
} from '../contract/evaluation.ts';
import {
  type Confusion,
  calibrationBins,
  calibrationError,
  confusion,
  rocCurve,
} from '../metrics/classification.ts';
import { toExtended } from '../metrics/panel.ts';
import { ResampledAuc } from './auc.ts';
import type { PatientBootstrap } from './patient-bootstrap.ts';
import { casesOfPatients } from './patients.ts';
import { thinRoc } from './thin-roc.ts';

/**
 * How the classifier tells slices with the target from those without: slices are the items, patients
 * are what is resampled. `null` where no case has scores.
 */
export function summariseClassification(
  cases: readonly EvaluatedCase[],
  threshold: number,
  bootstrap: PatientBootstrap,
): ClassificationSummary | null {
  const patients = casesOfPatients(cases)
    .map((group) => group.flatMap((one) => one.scores))
    .filter((slices) => slices.length > 0);
  const items = patients.flat();
  if (items.length === 0) return null;
  const auc = new ResampledAuc(patients);
  return {
    slices: items.length,
    positives: items.filter((item) => item.positive).length,
    threshold,
    auc: bootstrap.statistic(patients.length, (times) => auc.area(times)),
    ...rates(patients, threshold, bootstrap),
    expectedCalibrationError: calibrationError(items),
    roc: thinRoc(rocCurve(items) ?? []).map((point) => ({
      ...point,
      threshold: toExtended(point.threshold),
    })),
    calibration: calibrationBins(items),
  };
}

type RateName = 'accuracy' | 'sensitivity' | 'specificity';

/** At the gate's threshold. */
function rates(
  patients: readonly (readonly ScoredSlice[])[],
  threshold: number,
  bootstrap: PatientBootstrap,
): Record<RateName, EstimateInterval> {
  const counts = patients.map((slices) => confusion(slices, threshold));
  const ratio = (
    part: (c: Confusion) => number,
    whole: (c: Confusion) => number,
  ): EstimateInterval => bootstrap.ratio(counts.map(part), counts.map(whole));
  const positives = (c: Confusion): number => c.truePositives + c.falseNegatives;
  const negatives = (c: Confusion): number => c.trueNegatives + c.falsePositives;
  return {
    accuracy: ratio(
      (c) => c.truePositives + c.trueNegatives,
      (c) => positives(c) + negatives(c),
    ),
    sensitivity: ratio((c) => c.truePositives, positives),
    specificity: ratio((c) => c.trueNegatives, negatives),
  };
}
