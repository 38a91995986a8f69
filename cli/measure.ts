import path from 'node:path';
import type { Command } from 'commander';
import type { TargetMeasures } from '../core/contract/measures.ts';
import { faultText, InputError, SammixError } from '../core/errors.ts';
import { csvText } from '../core/evaluation/csv.ts';
import { measureTarget } from '../core/measure/measure-target.ts';
import { readPlacedLabel } from '../core/stage/compare.ts';
import { wholeMask } from '../core/volume/mask-writer.ts';
import { imageName, openVolume } from './case-image.ts';
import { positiveInteger, report, withOutput } from './command.ts';
import { EXIT } from './exit-codes.ts';
import { isFile } from './files.ts';
import { type CaseInput, findInputs } from './inputs.ts';
import { findLabels, labelInput } from './labels.ts';

/** `sammix measure` */
export function define(command: Command): void {
  withOutput(command)
    .argument('<image>', 'a NIfTI file or DICOM series, or a folder of them')
    .argument('<mask>', 'its mask on the same grid, or a folder of masks named as labels are')
    .option('--target <name>', 'what the mask shows, as the result calls it', 'liver')
    .option(
      '--value <n>',
      'the class of the mask to measure (default: all above 0)',
      positiveInteger,
    )
    .option('--csv', 'print the result as CSV', false)
    .addHelpText(
      'after',
      `
Examples:
  $ sammix measure ct.nii.gz mask.nii.gz
  $ sammix measure imagesTr labelsTr --csv > liver.csv
  $ sammix measure study.zip seg.nii.gz --target spleen --value 1 --json

Exit: 0 all measured, 1 some not`,
    )
    .action(async (image: string, mask: string, options: MeasureOptions) => {
      await report(command, () => measureCommand(image, mask, options));
    });
}

export interface MeasureOptions {
  readonly target: string;
  readonly value?: number;
  readonly csv: boolean;
}

interface MeasuredImage {
  readonly caseId: string;
  readonly measures: TargetMeasures | null;
  /** Why it could not be measured. */
  readonly reason: string | null;
}

/** `sammix measure`: volume, surface and Hounsfield units of masks, whoever drew them. */
export async function measureCommand(
  image: string,
  mask: string,
  options: MeasureOptions,
): Promise<{ result: readonly MeasuredImage[]; text: string; exitCode: number }> {
  const { cases } = await findInputs([image], { excluded: [await folderOr(mask)] });
  const masks = await findLabels(mask, cases, []);
  const result: MeasuredImage[] = [];
  for (const input of cases) result.push(await measured(input, masks.of(input), options));
  return {
    result,
    text: options.csv ? csv(result) : result.map(paragraph).join('\n\n'),
    exitCode: result.every(({ measures }) => measures) ? EXIT.ok : EXIT.someCasesFailed,
  };
}

/** A folder of masks inside the images' is not searched for images; one that holds them is. */
const folderOr = async (mask: string): Promise<string | undefined> =>
  (await isFile(mask)) ? undefined : path.resolve(mask);

async function measured(
  input: CaseInput,
  mask: string | undefined,
  options: MeasureOptions,
): Promise<MeasuredImage> {
  const { caseId } = input;
  if (mask === undefined) return { caseId, measures: null, reason: 'no mask of this name' };
  try {
    return { caseId, measures: await measure(input, mask, options), reason: null };
  } catch (error) {
    if (!(error instanceof SammixError)) throw error;
    return { caseId, measures: null, reason: faultText(error.fault) };
  }
}

async function measure(
  input: CaseInput,
  mask: string,
  { target, value }: MeasureOptions,
): Promise<TargetMeasures> {
  if (input.fault) throw new InputError(input.fault);
  const name = imageName(input);
  const reader = await openVolume(input);
  const { geometry } = reader;
  const label = await readPlacedLabel(
    { name, geometry },
    await labelInput(mask, value === undefined ? {} : { values: [value] }),
  ).catch(async (cause: unknown) => {
    await reader.close();
    throw cause;
  });
  return measureTarget(target, wholeMask(label.mask), geometry.grid, reader.axialSlices());
}

const NUMBERS = [
  'meanHu',
  'sdHu',
  'medianHu',
  'minHu',
  'maxHu',
  'p05Hu',
  'p10Hu',
  'p25Hu',
  'p75Hu',
  'p90Hu',
  'p95Hu',
  'below40HuShare',
] as const;

const csv = (images: readonly MeasuredImage[]): string =>
  csvText(
    [
      'caseId',
      'target',
      'voxels',
      'volumeMl',
      'surfaceAreaMm2',
      'longestAxialDiameterMm',
      'cut',
      ...NUMBERS,
      ...NUMBERS.map((name) => `eroded_${name}`),
      'reason',
    ],
    images.map(({ caseId, measures, reason }) => [
      caseId,
      measures?.target ?? null,
      measures?.voxels ?? null,
      measures?.volumeMl ?? null,
      measures?.surfaceAreaMm2 ?? null,
      measures?.longestAxialDiameterMm ?? null,
      measures ? measures.cutByFieldOfView.ends || measures.cutByFieldOfView.sides : null,
      ...NUMBERS.map((name) => measures?.inside?.[name] ?? null),
      ...NUMBERS.map((name) => measures?.eroded?.[name] ?? null),
      reason,
    ]),
  ).trimEnd();

function paragraph({ caseId, measures, reason }: MeasuredImage): string {
  if (!measures) return `NOT MEASURED ${caseId}: ${reason}`;
  const { target, volumeMl, surfaceAreaMm2, longestAxialDiameterMm, inside, eroded } = measures;
  const lines = [
    `${caseId}: ${target} ${volumeMl.toFixed(1)} ml, surface ${(surfaceAreaMm2 / 100).toFixed(1)} cm2, longest axial diameter ${longestAxialDiameterMm?.toFixed(1) ?? '-'} mm`,
  ];
  for (const [name, hu] of [
    ['whole mask', inside],
    ['eroded', eroded],
  ] as const)
    if (hu)
      lines.push(
        `  ${name}: mean ${hu.meanHu.toFixed(1)} HU, sd ${hu.sdHu.toFixed(1)}, median ${hu.medianHu.toFixed(1)}, percentiles 10 and 90: ${hu.p10Hu.toFixed(1)}, ${hu.p90Hu.toFixed(1)}; ${(hu.below40HuShare * 100).toFixed(1)} % below 40 HU`,
      );
  const { ends, sides } = measures.cutByFieldOfView;
  if (ends || sides) lines.push('  the mask reaches the border of the image: it may be cut off');
  return lines.join('\n');
}
