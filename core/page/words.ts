import type { EvaluatedStatus } from '../contract/evaluated-case.ts';
import type { MetricName } from '../contract/panel.ts';

/** What readers call the metrics; the definition stands beside each. */
export const METRIC_TITLES: Readonly<Record<MetricName, string>> = {
  dice: 'Dice',
  iou: 'IoU (Jaccard)',
  volumeErrorMl: 'Volume error',
  volumeErrorPercent: 'Relative volume error',
  hdMm: 'Hausdorff distance',
  hd95Mm: 'HD95',
  assdMm: 'ASSD',
  labelToPredictionMm: 'Distance, label to mask',
  predictionToLabelMm: 'Distance, mask to label',
  nsd1Mm: 'Surface Dice (NSD) at 1 mm',
  nsd2Mm: 'Surface Dice (NSD) at 2 mm',
  nsd3Mm: 'Surface Dice (NSD) at 3 mm',
  monaiHdMm: 'Hausdorff distance (MONAI)',
  monaiHd95Mm: 'HD95 (MONAI)',
};

interface StatusWords {
  readonly name: string;
  /** After a number: `2 missed`. */
  readonly counted: string;
  readonly meaning: string;
  /** Counts against the model, or keeps the case from being counted. */
  readonly bad: boolean;
}

export const STATUS: Readonly<Record<EvaluatedStatus, StatusWords>> = {
  compared: {
    name: 'compared',
    counted: 'compared',
    meaning: 'mask and label both show the organ',
    bad: false,
  },
  'both-empty': {
    name: 'both empty',
    counted: 'with mask and label both empty',
    meaning: 'neither mask nor label shows the organ: a true negative with Dice 1',
    bad: false,
  },
  missed: {
    name: 'missed',
    counted: 'missed',
    meaning: 'the label shows the organ, the mask does not: Dice 0, distances infinite',
    bad: true,
  },
  spurious: {
    name: 'spurious',
    counted: 'spurious',
    meaning: 'the mask shows the organ, the label does not: Dice 0, distances infinite',
    bad: true,
  },
  failed: {
    name: 'failed',
    counted: 'failed',
    meaning: 'there is no mask; counts as Dice 0',
    bad: true,
  },
  'label-unusable': {
    name: 'not compared',
    counted: 'not compared',
    meaning: 'the label could not be used: nothing is known of the mask; in no mean',
    bad: true,
  },
  unlabelled: {
    name: 'unlabelled',
    counted: 'without a label',
    meaning: 'there is no label; not counted',
    bad: false,
  },
};

export const STATUSES = Object.keys(STATUS) as EvaluatedStatus[];

/** What a flag asks of the reader. */
export const SEVERITY = { review: 'review', info: 'note' } as const;
