import * as z from 'zod';
import { boundingBox, unionBox, type VoxelBox } from '../mask/bounds.ts';
import type { MaskVolume } from '../volume/grid.ts';
import { METRIC_DEFINITIONS, type MetricName } from './definitions.ts';
import {
  compareVolumes,
  dice,
  iou,
  type OverlapCounts,
  overlapBySlice,
  requireSameGrid,
  type VolumeComparison,
} from './overlap.ts';
import {
  averageDistancesMm,
  monaiHausdorffMm,
  NSD_TOLERANCES_MM,
  robustHausdorffMm,
  surfaceDice,
  surfacePair,
} from './surface.ts';

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

/**
 * Compares a prediction with a label on the same canonical grid, in all slices, in mm.
 * @throws GeometryError `grid-shape` or `grid-spacing` where the grids differ
 */
export function comparisonPanel(prediction: MaskVolume, label: MaskVolume): CasePanel {
  requireSameGrid(prediction, label);
  const [predictionBox, labelBox] = [boundingBox(prediction), boundingBox(label)];
  const box = unionBox(predictionBox, labelBox);
  const overlap = overlapBySlice(prediction, label, box);
  const volumes = compareVolumes(overlap.total, label.grid);
  const surface =
    box && predictionBox && labelBox
      ? surfaceValues(prediction, label, box)
      : emptyValues(box === undefined);
  return {
    status: statusOf(predictionBox !== undefined, labelBox !== undefined),
    metrics: panelMetrics({ ...overlapValues(overlap.total, volumes), ...surface }),
    sliceDice: overlap.sliceDice,
    sliceVoxels: { prediction: overlap.predictionVoxels, label: overlap.labelVoxels },
    predictionVolumeMl: volumes.predictionMl,
    labelVolumeMl: volumes.labelMl,
  };
}

/** A value of the panel as a number, infinities included. */
export function metricValue(panel: CasePanel, name: MetricName): number {
  const metric = panel.metrics.find((entry) => entry.name === name);
  return metric ? fromExtended(metric.value) : Number.NaN;
}

export const toExtended = (value: number): ExtendedNumber =>
  Number.isFinite(value) ? value : value > 0 ? 'inf' : '-inf';

export const fromExtended = (value: ExtendedNumber): number =>
  value === 'inf' ? Number.POSITIVE_INFINITY : value === '-inf' ? Number.NEGATIVE_INFINITY : value;

type OverlapName = 'dice' | 'iou' | 'volumeErrorMl' | 'volumeErrorPercent';
type SurfaceName = Exclude<MetricName, OverlapName>;

function overlapValues(
  counts: OverlapCounts,
  volumes: VolumeComparison,
): Record<OverlapName, number> {
  return {
    dice: dice(counts),
    iou: iou(counts),
    volumeErrorMl: volumes.errorMl,
    volumeErrorPercent: volumes.errorPercent,
  };
}

function surfaceValues(
  prediction: MaskVolume,
  label: MaskVolume,
  box: VoxelBox,
): Record<SurfaceName, number> {
  const pair = surfacePair(prediction, label, box);
  const averages = averageDistancesMm(pair);
  const monai = monaiHausdorffMm(prediction, label, box);
  const [nsd1Mm, nsd2Mm, nsd3Mm] = NSD_TOLERANCES_MM.map((mm) => surfaceDice(pair, mm));
  return {
    hdMm: robustHausdorffMm(pair, 1),
    hd95Mm: robustHausdorffMm(pair, 0.95),
    assdMm: averages.assdMm,
    labelToPredictionMm: averages.labelToPredictionMm,
    predictionToLabelMm: averages.predictionToLabelMm,
    nsd1Mm: nsd1Mm!,
    nsd2Mm: nsd2Mm!,
    nsd3Mm: nsd3Mm!,
    monaiHdMm: monai.hdMm,
    monaiHd95Mm: monai.hd95Mm,
  };
}

/** The house convention where there is no pair of surfaces. */
function emptyValues(bothEmpty: boolean): Record<SurfaceName, number> {
  const distance = bothEmpty ? 0 : Number.POSITIVE_INFINITY;
  const overlap = bothEmpty ? 1 : 0;
  return {
    hdMm: distance,
    hd95Mm: distance,
    assdMm: distance,
    labelToPredictionMm: distance,
    predictionToLabelMm: distance,
    nsd1Mm: overlap,
    nsd2Mm: overlap,
    nsd3Mm: overlap,
    monaiHdMm: distance,
    monaiHd95Mm: distance,
  };
}

function panelMetrics(values: Record<MetricName, number>): PanelMetric[] {
  return (Object.keys(METRIC_DEFINITIONS) as MetricName[]).map((name) => ({
    name,
    value: toExtended(values[name]),
    ...METRIC_DEFINITIONS[name],
  }));
}

function statusOf(hasPrediction: boolean, hasLabel: boolean): CaseStatus {
  if (hasPrediction) return hasLabel ? 'compared' : 'spurious';
  return hasLabel ? 'missed' : 'both-empty';
}
