import { readFile } from 'node:fs/promises';
import { caseIdOf, stemOf } from '../core/dataset/case-id.ts';
import { badTable, patientTable } from '../core/evaluation/csv.ts';

/** The patients of cases, and what of the table met no case. */
export interface FoundPatients {
  /** Undefined where the table does not name the case. */
  of(caseId: string): string | undefined;
  readonly notes: readonly string[];
}

/**
 * Reads a table of patients; without one, no case has a patient but itself. A case may be called by
 * its id or by its file's name.
 *
 * @param cases ids of the cases at hand; undefined where they are not known yet
 * @throws ConfigError where the file cannot be read, lacks a column, gives a case two patients, or
 *   names none of the cases
 */
export async function findPatients(
  file: string | undefined,
  cases: readonly string[] | undefined,
): Promise<FoundPatients> {
  if (file === undefined) return { of: () => undefined, notes: [] };
  const text = await readFile(file, 'utf8').catch((cause: unknown) => {
    throw badTable(file, 'nothing that can be read there', cause);
  });
  const table = patientTable(text, file);
  const byId = new Map<string, string>();
  for (const [name, patient] of table) byId.set(caseIdOf(stemOf(name)), patient);
  const of = (caseId: string): string | undefined => table.get(caseId) ?? byId.get(caseId);
  if (cases === undefined) return { of, notes: [] };
  const ids = new Set(cases);
  const unmet = [...table.keys()].filter(
    (name) => !ids.has(name) && !ids.has(caseIdOf(stemOf(name))),
  );
  if (unmet.length === table.size)
    throw badTable(
      file,
      table.size === 0
        ? 'no case at all'
        : `none of the cases: it names ${some(unmet)}, the cases are ${some(cases)}`,
    );
  const without = cases.filter((caseId) => of(caseId) === undefined);
  return {
    of,
    notes: [
      ...(unmet.length > 0
        ? [`${file}: ${unmet.length} of its rows meet no case (${some(unmet)})`]
        : []),
      ...(without.length > 0
        ? [
            `${file}: ${without.length} cases are not in it and count as a patient each (${some(without)})`,
          ]
        : []),
    ],
  };
}

const some = (names: readonly string[]): string =>
  names.length > 5 ? `${names.slice(0, 5).join(', ')}, ...` : names.join(', ');
