import { ConfigError } from '../errors.ts';

/**
 * Patients by case, from a table of two columns, `case` and `patient`, in any order and beside others
 * (RFC 4180).
 *
 * @param subject how errors name the table
 * @throws ConfigError where it lacks a column or gives a case two patients
 */
export function patientTable(text: string, subject: string): ReadonlyMap<string, string> {
  const [header, ...rows] = csvRows(text, subject);
  const [caseAt, patientAt] = ['case', 'patient'].map(
    (name) => header?.findIndex((cell) => cell.trim().toLowerCase() === name) ?? -1,
  ) as [number, number];
  if (caseAt < 0 || patientAt < 0) throw badTable(subject, `the columns ${header?.join(', ')}`);
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
function csvRows(text: string, subject: string): string[][] {
  const rows: string[][] = [];
  let row: string[] = [];
  const cell = /(?:"((?:[^"]|"")*)"|([^",\r\n]*))(,|\r\n|\n|\r|$)/y;
  const body = text.replace(/^\uFEFF/, '');
  while (cell.lastIndex < body.length) {
    const found = cell.exec(body);
    if (!found) throw badTable(subject, `a stray quote in line ${rows.length + 1}`);
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
