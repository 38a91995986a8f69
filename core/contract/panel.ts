import * as z from 'zod';

/**
 * What each number of a panel means. Tools print different numbers under one name (Podobnik and
 * Vrtovec, arXiv 2410.02630, found Hausdorff distances 100 mm apart between eleven tools), so every
 * report carries these texts beside its values.
 */
export const METRIC_DEFINITIONS = {
  dice: { unit: '', definition: '2|P and L| / (|P| + |L|), all voxels; both empty 1, one empty 0' },
  iou: { unit: '', definition: '|P and L| / |P or L|, all voxels; both empty 1, one empty 0' },
  volumeErrorMl: { unit: 'ml', definition: 'prediction minus label volume' },
  volumeErrorPercent: {
    unit: '%',
    definition: '100 (prediction - label) / label volume; both empty 0, label empty inf',
  },
  hdMm: {
    unit: 'mm',
    definition: 'Hausdorff distance, surface-distance 0.1 (100 %); both empty 0, one empty inf',
  },
  hd95Mm: {
    unit: 'mm',
    definition:
      'robust Hausdorff distance at 95 %, surface-distance 0.1 (larger of two area-weighted quantiles, no interpolation); both empty 0, one empty inf',
  },
  assdMm: {
    unit: 'mm',
    definition:
      'average symmetric surface distance, area-weighted, both directions pooled, surfaces of surface-distance 0.1; both empty 0, one empty inf',
  },
  labelToPredictionMm: {
    unit: 'mm',
    definition:
      'mean distance from label to predicted surface, area-weighted, surface-distance 0.1; both empty 0, one empty inf',
  },
  predictionToLabelMm: {
    unit: 'mm',
    definition:
      'mean distance from predicted to label surface, area-weighted, surface-distance 0.1; both empty 0, one empty inf',
  },
  nsd1Mm: { unit: '', definition: nsd(1) },
  nsd2Mm: { unit: '', definition: nsd(2) },
  nsd3Mm: { unit: '', definition: nsd(3) },
  monaiHdMm: {
    unit: 'mm',
    definition:
      'Hausdorff distance, MONAI 1.6 (between edge voxel centres); both empty 0, one empty inf',
  },
  monaiHd95Mm: {
    unit: 'mm',
    definition:
      'Hausdorff distance at percentile 95, MONAI 1.6 (larger of two directed linear quantiles between edge voxel centres); both empty 0, one empty inf',
  },
} as const;

export type MetricName = keyof typeof METRIC_DEFINITIONS;

function nsd(toleranceMm: number): string {
  return `normalised surface Dice at ${toleranceMm} mm, surface-distance 0.1 (share of both surfaces' area within tolerance); both empty 1, one empty 0`;
}

/** A number that may be infinite: JSON has no infinity, so it is written as "inf" or "-inf". */
export const ExtendedNumber = z.union([z.number(), z.enum(['inf', '-inf'])]);
export type ExtendedNumber = z.infer<typeof ExtendedNumber>;

/** One measured value beside the definition it follows. */
export const PanelMetric = z.strictObject({
  name: z.enum(Object.keys(METRIC_DEFINITIONS) as [MetricName, ...MetricName[]]),
  value: ExtendedNumber,
  unit: z.enum(['', 'mm', 'ml', '%']),
  definition: z.string(),
});
export type PanelMetric = z.infer<typeof PanelMetric>;

/**
 * Which of the two masks has voxels. Both empty is a true negative (Dice 1, distances 0, NSD 1);
 * one empty is a failure (Dice 0, distances infinite, NSD 0) that no mean may silently drop.
 */
export const CaseStatus = z.enum(['both-empty', 'missed', 'spurious', 'compared']);
export type CaseStatus = z.infer<typeof CaseStatus>;

/** Everything measured between one prediction and one label (protocol `volume`). */
export const CasePanel = z.strictObject({
  status: CaseStatus,
  metrics: z.array(PanelMetric),
  /** Dice per canonical slice; null where neither mask has a voxel. */
  sliceDice: z.array(z.number().min(0).max(1).nullable()),
  /** Voxels per canonical slice; absent in reports of before they were kept. */
  sliceVoxels: z
    .strictObject({
      prediction: z.array(z.int().nonnegative()),
      label: z.array(z.int().nonnegative()),
    })
    .optional(),
  predictionVolumeMl: z.number().nonnegative(),
  labelVolumeMl: z.number().nonnegative(),
});
export type CasePanel = z.infer<typeof CasePanel>;

/** A value of the panel as a number, infinities included. */
export function metricValue(panel: CasePanel, name: MetricName): number {
  const metric = panel.metrics.find((entry) => entry.name === name);
  return metric ? fromExtended(metric.value) : Number.NaN;
}

export const toExtended = (value: number): ExtendedNumber =>
  Number.isFinite(value) ? value : value > 0 ? 'inf' : '-inf';

export const fromExtended = (value: ExtendedNumber): number =>
  value === 'inf' ? Number.POSITIVE_INFINITY : value === '-inf' ? Number.NEGATIVE_INFINITY : value;
