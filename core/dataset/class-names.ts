import type { ClassTable } from './class-tables.ts';

/** What names of classes mean. */

/** Whether two names of a class mean the same: case, spaces and marks between words do not count. */
export const isSameName = (a: string, b: string): boolean => plainName(a) === plainName(b);

export const plainName = (name: string): string =>
  name
    .normalize('NFKC')
    .toLowerCase()
    .replace(/[\s_.-]+/g, ' ')
    .trim();

const BACKGROUND = /^(background|bg|clear label|unlabell?ed|outside|ignore)$/;
const LIVER =
  /^(whole )?(liver|hepar|leber|foie|肝|肝臓|肝脏|肝臟)( (parenchyma|organ|(right|left|caudate)( lobe)?|segment (\d+|[ivx]+)[ab]?))*$/;
const OF_LIVER = /\b(liver|hepatic)\b.*\b(tumou?rs?|cancer|lesions?|metastas[ie]s|hcc|mass)\b/;
const TUMOUR = /^(tumou?rs?|cancer|lesions?|metastas[ie]s|hcc|mass)$/;
const OTHER_ORGAN =
  /spleen|kidney|pancreas|lung|stomach|aorta|bladder|prostate|heart|brain|colon|bowel|duoden|oesoph|esoph|adrenal|vessel|vein|arter|bone|vertebra|rib|hip|femur|muscle|femor/;

/** The liver's classes with its tumours; undefined where the table names no liver. */
export function liverOf({ classes }: Pick<ClassTable, 'classes'>): number[] | undefined {
  const own = classes
    .map(({ name, values }) => ({ name: plainName(name), values }))
    .filter(({ name, values }) => !BACKGROUND.test(name) && values.some((value) => value > 0));
  const livers = own.filter(({ name }) => LIVER.test(name));
  if (livers.length === 0) {
    const [only] = own;
    const nameless = own.length === 1 && !OTHER_ORGAN.test(only!.name) && !TUMOUR.test(only!.name);
    return nameless ? [...only!.values] : undefined;
  }
  // A bare `tumour` is the liver's where there is no other organ that could have one.
  const alone = own.every(
    ({ name }) => LIVER.test(name) || OF_LIVER.test(name) || TUMOUR.test(name),
  );
  const tumours = own.filter(({ name }) => OF_LIVER.test(name) || (alone && TUMOUR.test(name)));
  return [...livers, ...tumours].flatMap(({ values }) => [...values]);
}
