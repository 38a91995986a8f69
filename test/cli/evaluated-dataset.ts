import { mkdir, writeFile } from 'node:fs/promises';
import path from 'node:path';
import { type EvaluateOptions, evaluateCommand } from '../../cli/evaluate.ts';
import type { Progress } from '../../cli/progress.ts';
import type { EvaluatedCase } from '../../core/contract/evaluated-case.ts';
import type { Evaluation } from '../../core/contract/evaluation.ts';
import { phantomFile, TINY_BUNDLE } from '../support/case.ts';

export const SIZE = { columns: 48, rows: 48, slices: 12 };

export const PHANTOMS = [3, 4, 5, 6].map((seed) => phantomFile({ seed, ...SIZE }));

/** On another grid than the others. */
export const ON_OTHER_GRID = phantomFile({ seed: 3, ...SIZE, slices: 10 });

/** A dataset as nnU-Net lays it out. */
export async function nnUNet(folder: string, names: readonly string[]): Promise<string> {
  const dataset = path.join(folder, 'Dataset001_Liver');
  await mkdir(path.join(dataset, 'imagesTr'), { recursive: true });
  await mkdir(path.join(dataset, 'labelsTr'), { recursive: true });
  for (const [n, name] of names.entries()) {
    await writeFile(path.join(dataset, `imagesTr/${name}_0000.nii`), PHANTOMS[n]!.image);
    await writeFile(path.join(dataset, `labelsTr/${name}.nii`), PHANTOMS[n]!.label);
  }
  return dataset;
}

export interface Evaluated {
  readonly evaluation: Evaluation;
  readonly exitCode: number;
  readonly lines: readonly string[];
}

/** The command in this process, with the tiny bundle unless masks are given. */
export async function evaluate(
  dataset: string,
  out: string,
  more: Partial<EvaluateOptions> = {},
): Promise<Evaluated> {
  const lines: string[] = [];
  const progress: Progress = { begin() {}, update() {}, line: (text) => lines.push(text) };
  const model = more.predictions === undefined ? { bundle: TINY_BUNDLE, threads: 1 } : {};
  const options = { out, slicesPerJob: 8, force: false, ...model, ...more };
  return { ...(await evaluateCommand(dataset, options, progress)), lines };
}

export const byId = (evaluation: Evaluation, caseId: string): EvaluatedCase =>
  evaluation.cases.find((one) => one.caseId === caseId)!;
