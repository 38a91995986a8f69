import type { LabelChoice } from '../core/dataset/label-meaning.ts';
import type { SeenFile } from '../core/dataset/layout.ts';
import type { Fault } from '../core/errors.ts';
import type { LabelInput } from '../core/stage/compare.ts';
import { isWithin } from './files.ts';
import { type CaseInput, findInputs } from './inputs.ts';
import {
  type FoundLabels,
  findLabels,
  type LabelOptions,
  labelChoice,
  labelInput,
  labelOfTarget,
  NO_LABELS,
  seeingLabels,
  unusableLabel,
} from './labels.ts';
import { type LeftOut, leftOutLines } from './left-out.ts';
import { type PairRow, readPairs, realPath } from './pairs.ts';
import { findPatients } from './patients.ts';

export interface CollectOptions extends LabelOptions {
  readonly out?: string;
  readonly label?: string;
  readonly pairs?: string;
  readonly patients?: string;
  readonly predictions?: string;
}

/** A case's label: a file and how to read it, or why none of those at hand is taken. */
export interface CaseLabel {
  readonly file: string | null;
  /** As the only target reads it; the liver, unless another is named. */
  read(target?: string): Promise<LabelInput>;
  /** As one of several targets reads it; undefined where nothing says that it holds that target. */
  readFor(target: string): Promise<LabelInput | undefined>;
}

export interface LabelCase extends CaseInput {
  readonly label: CaseLabel | undefined;
  readonly patientId: string;
}

/** All that a command works on, and all that it saw besides. */
export interface Collected {
  readonly cases: readonly LabelCase[];
  readonly leftOut: readonly LeftOut[];
  /** To be said before the work begins. */
  readonly notes: readonly string[];
}

/**
 * Finds the cases of a command with their labels and patients.
 *
 * @param labelsBeside whether labels are looked for among the images where no option says where
 * @throws ConfigError where there is nothing to do, or an option does not fit what is there
 */
export async function collectCases(
  paths: readonly string[],
  options: CollectOptions,
  { labelsBeside }: { readonly labelsBeside: boolean },
): Promise<Collected> {
  const rows = options.pairs === undefined ? [] : await readPairs(options.pairs, paths[0] ?? '.');
  const { out, predictions, label } = options;
  const found = await findInputs([...paths, ...rows.map(({ image }) => image)], {
    excluded: [out, predictions, isFolderApart(label, paths) ? label : undefined],
    mayBeEmpty: rows.length > 0,
  });
  const usable = found.cases.filter(({ fault }) => fault === undefined);
  const labels =
    options.pairs !== undefined
      ? await labelsOfRows(rows, found.labels)
      : label === undefined && !labelsBeside
        ? { ...NO_LABELS, leftOut: seeingLabels(found.labels) }
        : await findLabels(label, usable, found.labels);
  const patientOfRow = await byImage(rows, ({ patient }) => patient);
  const patients = await findPatients(
    options.patients,
    found.cases.map(({ caseId }) => caseId),
  );
  const choice = labelChoice(options);
  const cases = await Promise.all(
    found.cases.map(
      async (input): Promise<LabelCase> => ({
        ...input,
        label: caseLabel(labels.of(input), labels.doubt(input), input, choice),
        patientId:
          patients.of(input.caseId) ??
          patientOfRow.get(await realPath(input.image)) ??
          input.caseId,
      }),
    ),
  );
  const leftOut = [...found.leftOut, ...labels.leftOut];
  return { cases, leftOut, notes: [...leftOutLines(leftOut), ...patients.notes] };
}

/** A folder of labels inside an input is not searched for images; one that holds the images is. */
const isFolderApart = (label: string | undefined, paths: readonly string[]): boolean =>
  label !== undefined && paths.every((given) => !isWithin(label, given));

/** A label that is there, or what speaks against those that are; undefined for none at all. */
export function caseLabel(
  file: string | undefined,
  doubt: Fault | undefined,
  { caseId }: CaseInput,
  choice: LabelChoice,
): CaseLabel | undefined {
  if (file !== undefined)
    return {
      file,
      read: (target) => labelInput(file, { ...choice, target }),
      readFor: (target) => labelOfTarget(file, choice, target),
    };
  const unusable = async () => unusableLabel(caseId, doubt!);
  return doubt && { file: null, read: unusable, readFor: unusable };
}

async function labelsOfRows(
  rows: readonly PairRow[],
  beside: readonly SeenFile[],
): Promise<FoundLabels> {
  const labels = await byImage(rows, ({ label }) => label);
  const taken = new Set(labels.values());
  const reals = new Map<string, string>();
  for (const { image } of rows) reals.set(image, await realPath(image));
  return {
    of: ({ image }) => labels.get(reals.get(image) ?? image) ?? labels.get(image),
    doubt: () => undefined,
    leftOut: seeingLabels(beside.filter((file) => !taken.has(file.path))),
  };
}

async function byImage(
  rows: readonly PairRow[],
  of: (row: PairRow) => string | undefined,
): Promise<Map<string, string>> {
  const found = new Map<string, string>();
  for (const row of rows) {
    const value = of(row);
    if (value === undefined) continue;
    found.set(row.image, value);
    found.set(await realPath(row.image), value);
  }
  return found;
}
