import type { EvaluatedCase, VolumeAgreement } from '../contract/evaluation.ts';

/**
 * Bland and Altman's limits of agreement between the volumes of mask and label, over compared cases (a
 * missed organ is counted elsewhere; here it would say nothing of how well volumes agree):
 * mean difference -+ 1.96 sample standard deviations (n - 1); limits need two cases.
 */
export function volumeAgreement(labelled: readonly EvaluatedCase[]): VolumeAgreement {
  const differences = labelled.flatMap(({ status, predictionVolumeMl, labelVolumeMl }) =>
    status !== 'compared' || predictionVolumeMl === null || labelVolumeMl === null
      ? []
      : [predictionVolumeMl - labelVolumeMl],
  );
  const cases = differences.length;
  if (cases === 0) return { cases, biasMl: null, lowerLimitMl: null, upperLimitMl: null };
  const biasMl = differences.reduce((sum, value) => sum + value, 0) / cases;
  if (cases === 1) return { cases, biasMl, lowerLimitMl: null, upperLimitMl: null };
  const squares = differences.reduce((sum, value) => sum + (value - biasMl) ** 2, 0);
  const reachMl = 1.96 * Math.sqrt(squares / (cases - 1));
  return { cases, biasMl, lowerLimitMl: biasMl - reachMl, upperLimitMl: biasMl + reachMl };
}
