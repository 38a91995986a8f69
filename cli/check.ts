import type { Command } from 'commander';
import { InputError } from '../core/errors.ts';
import { type PreflightResult, preflight } from '../core/volume/preflight.ts';
import { problemOfFault } from '../core/volume/problem.ts';
import { imageName, openImage } from './case-image.ts';
import { report, withOutput } from './command.ts';
import { EXIT } from './exit-codes.ts';
import { type CaseInput, findInputs, leftAsideLine } from './inputs.ts';

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

Exit: 0 all can be segmented, 1 some cannot`,
    )
    .action(async (inputs: string[]) => {
      await report(command, () => checkCommand(inputs));
    });
}

interface CheckedFile {
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
  readonly problems: PreflightResult['problems'];
}

/** `sammix check`: what each file is, and every problem with its remedy. Needs no model. */
export async function checkCommand(
  paths: readonly string[],
): Promise<{ result: readonly CheckedFile[]; text: string; exitCode: number }> {
  const { cases, leftAside } = await findInputs(paths);
  const checked: CheckedFile[] = [];
  for (const input of cases) checked.push(describe(input, await check(input)));
  return {
    result: checked,
    text: [...checked.map(paragraph), ...leftAside.map(leftAsideLine)].join('\n\n'),
    exitCode: checked.every((file) => file.usable) ? EXIT.ok : EXIT.someCasesFailed,
  };
}

async function check(input: CaseInput): Promise<PreflightResult> {
  const subject = imageName(input);
  try {
    const { source, imageSource, sourceProblems } = openImage(input);
    const result = await preflight(source, { subject, ...(imageSource && { imageSource }) });
    return { ...result, problems: [...result.problems, ...sourceProblems] };
  } catch (error) {
    if (!(error instanceof InputError)) throw error;
    return {
      subject,
      usable: false,
      problems: [problemOfFault(error.fault)],
      image: null,
      intensity: null,
    };
  }
}

function describe(
  input: CaseInput,
  { usable, problems, image, intensity }: PreflightResult,
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
    problems,
  };
}

function paragraph(file: CheckedFile): string {
  const lines = [`${file.usable ? 'ok     ' : 'REFUSED'} ${file.caseId}  (${file.file})`];
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
  for (const { severity, code, message, remedy } of file.problems)
    lines.push(`  ${severity} ${code}: ${message}. ${remedy}`);
  return lines.join('\n');
}
