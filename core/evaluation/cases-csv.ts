import type { EvaluatedCase } from '../contract/evaluation.ts';
import { type CsvValue, csvText } from '../csv.ts';
import { faultText } from '../errors.ts';
import { METRIC_DEFINITIONS, type MetricName } from '../metrics/definitions.ts';

const METRICS = Object.keys(METRIC_DEFINITIONS) as MetricName[];

/** What a spreadsheet shows of each case; metrics are protocol `volume`, `paper*` protocol `paper`. */
const COLUMNS: readonly (readonly [name: string, of: (one: EvaluatedCase) => CsvValue])[] = [
  ['case', (one) => one.caseId],
  ['patient', (one) => one.patientId],
  ['run', (one) => one.runId],
  ['status', (one) => one.status],
  ...METRICS.map((name) => [name, (one: EvaluatedCase) => one.metrics?.[name]] as const),
  ['predictionVolumeMl', (one) => one.predictionVolumeMl],
  ['labelVolumeMl', (one) => one.labelVolumeMl],
  ['paperSlices', (one) => one.paper?.slices],
  ['paperDice', (one) => one.paper?.dice],
  ['paperHausdorffPx', (one) => one.paper?.hausdorffPx],
  ['liverSliceRecall', (one) => one.liverSliceRecall],
  ['liverFreeSliceSpecificity', (one) => one.liverFreeSliceSpecificity],
  ['orientation', (one) => one.scan?.orientation],
  ['columnSpacingMm', (one) => one.scan?.spacingMm.column],
  ['rowSpacingMm', (one) => one.scan?.spacingMm.row],
  ['sliceSpacingMm', (one) => one.scan?.spacingMm.slice],
  ['description', (one) => one.scan?.description],
  ['flags', (one) => one.flags],
  ['seconds', (one) => one.seconds],
  ['reason', (one) => one.fault && `${one.fault.code}: ${faultText(one.fault)}`],
];

/** `cases.csv`: one row a case, failed ones with their reason; infinite distances are `inf`. */
export const casesCsv = (cases: readonly EvaluatedCase[]): string =>
  csvText(
    COLUMNS.map(([name]) => name),
    cases.map((one) => COLUMNS.map(([, of]) => of(one))),
  );
