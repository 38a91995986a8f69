import { readFile as readWhole } from 'node:fs/promises';
import path from 'node:path';
import type { Command } from 'commander';
import type { LeftOutFiles } from '../core/contract/summary.ts';
import { SammixError } from '../core/errors.ts';
import { type PreflightResult, preflight } from '../core/volume/preflight.ts';
import { problemOfFault } from '../core/volume/problem.ts';
import { imageName, openImage } from './case-image.ts';
import { DEFAULT_BUNDLE, report, withOutput } from './command.ts';
import { EXIT } from './exit-codes.ts';
import { type CaseInput, findInputs } from './inputs.ts';
import { seeingLabels } from './labels.ts';
import { leftOutCounts, leftOutLines } from './left-out.ts';

/** `sammix check` */
export function define(command: Command): void {
  withOutput(command)
    .argument('<inputs...>', 'NIfTI files, DICOM folders or zips, or folders of them')
    .addHelpText(
      'after',
      `
Examples:
  $ sammix check scans
  $ sammix check ct.nii.gz --json

Exit: 0 all can be segmented, 1 some cannot, 2 usage`,
    )
    .action(async (inputs: string[]) => {
      await report(command, () => checkCommand(inputs));
    });
}

export interface CheckedFile {
  readonly caseId: string;
  readonly file: string;
  readonly usable: boolean;
  readonly niftiVersion?: number;
  readonly dtype?: string;
  readonly shape?: readonly number[];
  readonly orientation?: string;
  readonly affineSource?: string;
  readonly spacingMm?: { column: number; row: number; slice: number };
  readonly hu?: { min: number; max: number; p01: number; p50: number; p99: number };
  /** Whether the scan shows an abdomen, by its Hounsfield units alone. */
  readonly abdomen?: boolean;
  /** `not-axial`, `front-to-back`: what `run` would flag. */
  readonly orientationDoubts?: readonly string[];
  readonly problems: PreflightResult['problems'];
}

/** What `sammix check --json` prints. */
export interface CheckResult {
  readonly files: readonly CheckedFile[];
  /** What was seen and is no case, by reason. */
  readonly leftOut: readonly LeftOutFiles[];
}

/** `sammix check`: what each file is, and every problem with its remedy. Needs no model. */
export async function checkCommand(
  paths: readonly string[],
): Promise<{ result: CheckResult; text: string; errors: string[]; exitCode: number }> {
  const { cases, labels, leftOut: others } = await findInputs(paths);
  const windowHu = await defaultWindow();
  const files: CheckedFile[] = [];
  for (const input of cases) files.push(await checkInput(input, windowHu));
  const leftOut = [...others, ...seeingLabels(labels)];
  const usable = files.filter((file) => file.usable);
  const counts = `${files.length} checked: ${usable.length} can be segmented, ${files.length - usable.length} refused, ${
    usable.filter((file) => file.abdomen === false).length
  } that show no abdomen`;
  return {
    result: { files, leftOut: leftOutCounts(leftOut) },
    text: [...files.map(paragraph), [...leftOutLines(leftOut), counts].join('\n')].join('\n\n'),
    errors: files.filter((file) => !file.usable).map(paragraph),
    exitCode: usable.length === files.length ? EXIT.ok : EXIT.someCasesFailed,
  };
}

/** The window of the bundle that comes with sammix: what `run` will look at. */
export async function defaultWindow(): Promise<readonly [number, number] | undefined> {
  try {
    const text = await readWhole(path.join(DEFAULT_BUNDLE, 'bundle.json'), 'utf8');
    const { preprocess } = JSON.parse(text) as { preprocess: { windowHu: [number, number] } };
    return preprocess.windowHu;
  } catch {
    return undefined; // Nothing here needs a bundle.
  }
}

/** Whatever is wrong with one file, the others are looked at. */
export async function checkInput(
  input: CaseInput,
  windowHu: readonly [number, number] | undefined,
): Promise<CheckedFile> {
  const { caseId, image: file, fault } = input;
  const refused = (problems: PreflightResult['problems']): CheckedFile => ({
    caseId,
    file,
    usable: false,
    problems,
  });
  if (fault) return refused([problemOfFault(fault)]);
  try {
    const { source, sourceProblems, ...more } = await openImage(input);
    const result = await preflight(source, {
      subject: imageName(input),
      ...more,
      ...(windowHu && { windowHu }),
    });
    return describe(input, { ...result, problems: [...result.problems, ...sourceProblems] });
  } catch (error) {
    if (error instanceof SammixError) return refused([problemOfFault(error.fault)]);
    throw error;
  }
}

function describe(
  input: CaseInput,
  { usable, problems, image, intensity, abdomen, orientationDoubts }: PreflightResult,
): CheckedFile {
  return {
    caseId: input.caseId,
    file: input.image,
    usable,
    ...(image && {
      niftiVersion: image.header.version,
      dtype: image.header.dtype,
      shape: image.geometry.shape,
      orientation: image.geometry.orientation,
      affineSource: image.geometry.affineSource,
      spacingMm: { ...image.geometry.grid.spacingMm },
    }),
    ...(intensity && { hu: { ...intensity.summary } }),
    ...(usable && abdomen !== null && { abdomen, orientationDoubts }),
    problems,
  };
}

function paragraph(file: CheckedFile): string {
  const word = file.usable ? (file.abdomen === false ? 'NO ABDOMEN' : 'ok     ') : 'REFUSED';
  const lines = [`${word} ${file.caseId}  (${file.file})`];
  if (file.shape && file.spacingMm) {
    const { column, row, slice } = file.spacingMm;
    const spacing = [column, row, slice].map((mm) => mm.toFixed(3)).join(' x ');
    lines.push(
      `  NIfTI-${file.niftiVersion} ${file.dtype}, ${file.shape.join(' x ')} stored ${file.orientation} (affine from ${file.affineSource}), ${spacing} mm across, down, between slices`,
    );
  }
  if (file.hu) {
    const { min, max, p01, p50, p99 } = file.hu;
    lines.push(`  HU ${min} to ${max}; percentiles 1, 50, 99: ${p01}, ${p50}, ${p99}`);
  }
  if (file.orientationDoubts && file.orientationDoubts.length > 0)
    lines.push(`  look at the orientation: ${file.orientationDoubts.join(', ')}`);
  for (const { severity, code, message, remedy } of file.problems)
    lines.push(`  ${severity} ${code}: ${message}. ${remedy}`);
  return lines.join('\n');
}
