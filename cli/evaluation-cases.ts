import { createHash } from 'node:crypto';
import { stat } from 'node:fs/promises';
import path from 'node:path';
import type { DirStore } from '../adapters/dir-store.ts';
import { type BundleDisplay, bundleDisplay } from '../core/contract/bundle.ts';
import { type EvaluatedCase, MeasuredCase } from '../core/contract/evaluation.ts';
import { ConfigError } from '../core/errors.ts';
import { evaluatedCase, measurePrediction } from '../core/evaluation/rows.ts';
import { getJson } from '../core/json.ts';
import type { LabelInput } from '../core/stage/compare.ts';
import { imageName, imageVersion, openImage } from './case-image.ts';
import { fileVersion, isFile, readFile } from './files.ts';
import type { CaseInput } from './inputs.ts';
import { labelFinder } from './labels.ts';
import { closeRun, labelInput, type ModelOptions, openRun, runLocally } from './local.ts';
import type { Progress } from './progress.ts';

/** A case whose label is at hand. */
export interface LabelledInput extends CaseInput {
  readonly label: string;
  readonly patientId: string;
}

export interface MeasuredRow {
  readonly row: EvaluatedCase;
  /** True where an earlier evaluation had measured the same and nothing was computed. */
  readonly resumed: boolean;
}

/** Where the masks of an evaluation come from: a model, or a folder. */
export interface MaskSource {
  /** Null where the masks were made elsewhere. */
  readonly bundle: BundleDisplay | null;
  measure(input: LabelledInput): Promise<MeasuredRow>;
  close(): Promise<void>;
}

const fileInput = (file: string): Omit<LabelInput, 'version'> => ({
  name: path.basename(file),
  open: () => readFile(file),
});

/** Segments every case as `sammix run` does; finished cases in `options.out` are kept. */
export async function modelMasks(
  options: Omit<ModelOptions, 'postprocess'>,
  progress: Progress,
): Promise<MaskSource> {
  const run = await openRun({ ...options, postprocess: true }, progress);
  const { bundle } = run;
  return {
    bundle: bundleDisplay(bundle.manifest, bundle.digest),
    async measure(input) {
      const { report, resumed } = await runLocally(run, input, input.label);
      // A case that failed has a label all the same.
      const { version: labelVersion } = await labelInput(input.label);
      const row = evaluatedCase(report, { patientId: input.patientId, labelVersion });
      return { row, resumed };
    },
    close: () => closeRun(run),
  };
}

/**
 * Takes masks from a folder: named as labels are, or `<case>/mask.nii.gz` as `sammix run` writes them.
 *
 * @throws ConfigError where the folder does not exist
 */
export async function folderMasks(
  store: DirStore,
  folder: string,
  cases: readonly CaseInput[],
  force: boolean,
): Promise<MaskSource> {
  const info = await stat(folder).catch(() => undefined);
  if (!info?.isDirectory()) throw noFolder(folder);
  const find = await labelFinder(folder, cases);
  const maskOf = async (input: CaseInput): Promise<string | undefined> => {
    const own = path.join(path.resolve(folder), input.caseId, 'mask.nii.gz');
    return (await isFile(own)) ? own : find(input);
  };
  return {
    bundle: null,
    measure: async (input) => measureMask(store, input, await maskOf(input), force),
    close: () => Promise.resolve(),
  };
}

async function measureMask(
  store: DirStore,
  input: LabelledInput,
  mask: string | undefined,
  force: boolean,
): Promise<MeasuredRow> {
  const { caseId, patientId, image, pairedImage, dicom } = input;
  const key = `${caseId}/measured.json`;
  const files = [dicom ? undefined : image, pairedImage, mask, input.label];
  const inputsVersion = await versionOfAll(
    files.filter((file) => file !== undefined),
    dicom ? [(await imageVersion(input)).version] : [],
  );
  const kept = force ? undefined : await measuredBefore(store, key, inputsVersion);
  if (kept) return { row: { ...kept, patientId }, resumed: true };
  const drawn = mask === undefined ? undefined : fileInput(mask);
  const row = await measurePrediction({
    caseId,
    patientId,
    image: {
      name: imageName(input),
      open: () => openImage(input).source,
      openPaired: pairedImage === undefined ? undefined : () => readFile(pairedImage),
    },
    prediction: drawn,
    label: await labelInput(input.label),
  });
  const measured: MeasuredCase = { schemaVersion: 1, inputsVersion, case: row };
  await store.put(key, Buffer.from(`${JSON.stringify(measured)}\n`));
  return { row, resumed: false };
}

async function versionOfAll(
  files: readonly string[],
  contents: readonly string[],
): Promise<string> {
  const versions: string[] = [...contents];
  for (const file of files) versions.push(path.basename(file), await fileVersion(file));
  return createHash('sha256').update(JSON.stringify(versions)).digest('hex').slice(0, 16);
}

async function measuredBefore(
  store: DirStore,
  key: string,
  inputsVersion: string,
): Promise<EvaluatedCase | undefined> {
  if (!(await store.stat(key))) return undefined;
  try {
    const measured = await getJson(store, key, MeasuredCase);
    return measured.inputsVersion === inputsVersion ? measured.case : undefined;
  } catch {
    return undefined; // Damaged: the case is measured again.
  }
}

const noFolder = (folder: string): ConfigError =>
  new ConfigError({
    code: 'bad-predictions',
    subject: folder,
    expected: 'a folder of masks',
    found: 'no folder that can be read',
    remedy: 'Name the folder that holds the masks.',
  });
