import { readFile } from 'node:fs/promises';
import { badTable, patientTable } from '../core/evaluation/csv.ts';

/** The patient of a case, or undefined where the table does not name it. */
export type PatientFinder = (caseId: string) => string | undefined;

/**
 * Reads a table of patients; without one, no case has a patient but itself.
 *
 * @throws ConfigError where the file cannot be read, lacks a column or gives a case two patients
 */
export async function patientFinder(file: string | undefined): Promise<PatientFinder> {
  if (file === undefined) return () => undefined;
  const text = await readFile(file, 'utf8').catch((cause: unknown) => {
    throw badTable(file, 'nothing that can be read there', cause);
  });
  const patients = patientTable(text, file);
  return (caseId) => patients.get(caseId);
}
