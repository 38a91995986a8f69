import type { EvaluatedCase } from '../contract/evaluated-case.ts';
import { METRIC_DEFINITIONS, type MetricName } from '../contract/panel.ts';
import { ConfigError, faultText } from '../errors.ts';

/** A value of a table's cell; lists are joined with spaces. */
export type CsvValue = string | number | boolean | null | undefined | readonly string[];

/** RFC 4180: one header line, CRLF, quotes where needed. */
export function csvText(
  columns: readonly string[],
  rows: readonly (readonly CsvValue[])[],
): string {
  return `${[columns, ...rows].map((row) => row.map(cell).join(',')).join('\r\n')}\r\n`;
}

function cell(value: CsvValue): string {
  const text = Array.isArray(value) ? value.join(' ') : String(value ?? '');
  // A leading = + - @ would be run as a formula by a spreadsheet; numbers are ours and stay.
  const safe = typeof value === 'string' && /^[=+\-@]/.test(text) ? `'${text}` : text;
  return /[",\r\n]/.test(safe) ? `"${safe.replaceAll('"', '""')}"` : safe;
}

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
  ['labelMeaning', (one) => one.labelMeaning],
  ['predictionMeaning', (one) => one.predictionMeaning],
  ['flags', (one) => one.flags],
  ['seconds', (one) => one.seconds],
  ['reason', (one) => one.fault && `${one.fault.code}: ${faultText(one.fault)}`],
];

/** As a reader needs; evaluation.json has all digits. */
const rounded = (value: CsvValue): CsvValue =>
  typeof value === 'number' ? Number(value.toFixed(4)) : value;

/** `cases.csv`: one row a case, failed ones with their reason; infinite distances are `inf`. */
export const casesCsv = (cases: readonly EvaluatedCase[]): string =>
  csvText(
    COLUMNS.map(([name]) => name),
    cases.map((one) => COLUMNS.map(([, of]) => rounded(of(one)))),
  );

/**
 * Patients by case, from a table of two columns, `case` and `patient`, in any order and beside others
 * (RFC 4180).
 *
 * @param subject how errors name the table
 * @throws ConfigError where it lacks a column or gives a case two patients
 */
export function patientTable(text: string, subject: string): ReadonlyMap<string, string> {
  const [header, ...rows] = csvRows(text, (found) => badTable(subject, found));
  const [caseAt, patientAt] = ['case', 'patient'].map(
    (name) => header?.findIndex((cell) => cell.trim().toLowerCase() === name) ?? -1,
  ) as [number, number];
  if (caseAt < 0 || patientAt < 0)
    throw badTable(subject, header ? `the columns ${header.join(', ')}` : 'no line at all');
  const patients = new Map<string, string>();
  for (const row of rows) {
    const [caseId, patient] = [row[caseAt]?.trim(), row[patientAt]?.trim()];
    if (!caseId && !patient) continue;
    if (!caseId || !patient) throw badTable(subject, `a row with only ${caseId ?? patient}`);
    if ((patients.get(caseId) ?? patient) !== patient)
      throw badTable(subject, `two patients for the case ${caseId}`);
    patients.set(caseId, patient);
  }
  return patients;
}

/** Cells may be quoted, with quotes doubled inside; a quoted cell may hold commas and line ends. */
export function csvRows(text: string, fault: (found: string) => Error): string[][] {
  const rows: string[][] = [];
  let row: string[] = [];
  const cell = /(?:"((?:[^"]|"")*)"|([^",\r\n]*))(,|\r\n|\n|\r|$)/y;
  const body = text.replace(/^\uFEFF/, '');
  while (cell.lastIndex < body.length) {
    const found = cell.exec(body);
    if (!found) throw fault(`a stray quote in line ${rows.length + 1}`);
    row.push(found[1]?.replaceAll('""', '"') ?? found[2] ?? '');
    if (found[3] === ',' && cell.lastIndex < body.length) continue;
    rows.push(row);
    row = [];
  }
  return rows;
}

export const badTable = (subject: string, found: string, cause?: unknown): ConfigError =>
  new ConfigError(
    {
      code: 'bad-patients',
      subject,
      expected: 'a CSV table with the columns case and patient, one patient for each case',
      found,
      remedy: 'Write the header "case,patient" and one line per case.',
    },
    { cause },
  );
