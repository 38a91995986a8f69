import { createHash } from 'node:crypto';
import { stat } from 'node:fs/promises';
import path from 'node:path';
import { DirStore } from '../adapters/dir-store.ts';
import { type BundleDisplay, bundleDisplay, LIVER } from '../core/contract/bundle.ts';
import { type EvaluatedCase, MeasuredCase } from '../core/contract/evaluated-case.ts';
import { runKeys } from '../core/contract/keys.ts';
import { PREDICTION } from '../core/contract/view.ts';
import type { LabelChoice } from '../core/dataset/label-meaning.ts';
import { ConfigError } from '../core/errors.ts';
import { drawPrediction } from '../core/evaluation/prediction.ts';
import { evaluatedCase, measurePrediction, unmeasured } from '../core/evaluation/rows.ts';
import { putJson, usableJson } from '../core/json.ts';
import { wordList } from '../core/page/format.ts';
import { folderOfTarget } from '../core/stage/join-targets.ts';
import { imageName, imageStream, imageVersion } from './case-image.ts';
import { type CaseLabel, caseLabel, type LabelCase } from './cases.ts';
import { fileVersion, isFile, readFile } from './files.ts';
import { findLabels, type LabelOptions, labelChoice } from './labels.ts';
import { closeRun, type ModelOptions, openRun, runLocally } from './local.ts';
import type { Progress } from './progress.ts';
import { openReused, reuseCase } from './reuse.ts';
import { recordSources } from './sources.ts';

/** A case whose label is at hand. */
export interface LabelledInput extends LabelCase {
  readonly label: CaseLabel;
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
  /** What masks made elsewhere are of, where it was said. */
  readonly target?: string | undefined;
  measure(input: LabelledInput): Promise<MeasuredRow>;
  close(): Promise<void>;
}

export interface ModelMaskOptions extends Omit<ModelOptions, 'postprocess'> {
  /** Where `sammix run` has segmented the same images before. */
  readonly reuse?: string;
}

/** Segments every case as `sammix run` does; finished cases in `options.out` are kept. */
export async function modelMasks(
  options: ModelMaskOptions,
  progress: Progress,
): Promise<MaskSource> {
  const from = options.reuse === undefined ? undefined : await openReused(options.reuse);
  const run = await openRun({ ...options, postprocess: true, keepEdited: false }, progress);
  const { bundle } = run;
  return {
    bundle: bundleDisplay(bundle.manifest, bundle.digest),
    async measure(input) {
      if (from && !run.force) await reuseCase(from, run, input);
      const { report, resumed } = await runLocally(run, input, input.label);
      // A case that failed has a label all the same.
      const { version: labelVersion } = await input.label.read(bundle.manifest.target.name);
      const row = evaluatedCase(report, { patientId: input.patientId, labelVersion });
      return { row, resumed };
    },
    close: () => closeRun(run),
  };
}

export interface PredictionOptions extends LabelOptions {
  readonly predictions: string;
  readonly predictionValue?: readonly number[];
  readonly predictionName?: readonly string[];
  readonly force: boolean;
  readonly headerText?: boolean;
}

/**
 * Takes masks from a folder: named as labels are, `<case>/mask.nii.gz`, or as `sammix run` writes them of several
 * targets.
 *
 * @throws ConfigError where the folder does not exist
 */
export async function folderMasks(
  store: DirStore,
  options: PredictionOptions,
  cases: readonly LabelledInput[],
): Promise<MaskSource> {
  const { predictions: folder, force, headerText = false } = options;
  const info = await stat(folder).catch(() => undefined);
  if (!info?.isDirectory()) throw noFolder(folder);
  const usable = cases.filter(({ fault }) => fault === undefined);
  const found = await findLabels(folder, usable, []);
  const choice = predictionChoice(options);
  const target = predictedTarget(options);
  const results = new DirStore(path.resolve(folder));
  const maskOf = async (input: LabelledInput): Promise<CaseLabel | undefined> => {
    const own = await ownMask(results, input.caseId, options.labelName?.[0] ?? LIVER);
    if (own !== undefined) return caseLabel(own ?? undefined, undefined, input, ownChoice(options));
    const inFolder = path.join(results.root, runKeys(input.caseId).mask);
    const file = (await isFile(inFolder)) ? inFolder : found.of(input);
    return caseLabel(file, found.doubt(input), input, choice);
  };
  return {
    bundle: null,
    target,
    measure: async (input) =>
      measureMask(store, input, await maskOf(input), { force, choice, headerText, target }),
    close: () => Promise.resolve(),
  };
}

/**
 * The mask of a case that `sammix run` has made, of several targets that of the given one; null where it
 * made others only, undefined where it made none.
 */
async function ownMask(
  results: DirStore,
  caseId: string,
  target: string,
): Promise<string | null | undefined> {
  const folder = await folderOfTarget(results, caseId, target);
  if (folder === undefined) return null;
  const { report, mask } = runKeys(folder);
  if (!(await results.stat(report))) return undefined;
  return (await results.stat(mask)) ? path.join(results.root, mask) : null;
}

const PREDICTION_OPTIONS = { value: '--prediction-value', name: '--prediction-name' };

/** What is said of the labels holds for the masks, unless something is said of them. */
function predictionChoice(options: PredictionOptions): LabelChoice {
  const { predictionValue, predictionName } = options;
  if (predictionValue || predictionName) return ownChoice(options);
  return { ...labelChoice(options), options: PREDICTION_OPTIONS };
}

/** What the masks are of, where the options say it: they name the liver where they say nothing. */
function predictedTarget(options: PredictionOptions): string | undefined {
  const names = options.predictionName ?? options.labelName;
  if (names && names.length > 0) return wordList(names);
  const values = options.labelValue ?? options.predictionValue;
  return values?.length ? `class ${wordList(values.map(String))}` : undefined;
}

/** A mask of sammix has one class, whatever the labels call it. */
const ownChoice = ({
  predictionValue: values,
  predictionName: names,
}: PredictionOptions): LabelChoice => ({ values, names, options: PREDICTION_OPTIONS });

interface MeasureOptions {
  readonly force: boolean;
  readonly choice: LabelChoice;
  readonly headerText: boolean;
  readonly target: string | undefined;
}

async function measureMask(
  store: DirStore,
  input: LabelledInput,
  mask: CaseLabel | undefined,
  { force, choice, headerText, target }: MeasureOptions,
): Promise<MeasuredRow> {
  const { caseId, patientId, image, pairedImage, dicom } = input;
  const label = await input.label.read();
  const failed = { ...unmeasured('failed', caseId, patientId), labelVersion: label.version };
  if (input.fault) return { row: { ...failed, fault: input.fault }, resumed: false };
  const key = `${caseId}/measured.json`;
  const files = [dicom ? undefined : image, pairedImage, mask?.file].filter(
    (file) => typeof file === 'string',
  );
  const inputsVersion = await versionOfAll(files, [
    label.version,
    JSON.stringify(choice),
    // Those of before pictures were drawn, and named by their target, are measured again.
    'with pictures of a target',
    ...(dicom ? [(await imageVersion(input)).version] : []),
    ...(headerText ? ['header text'] : []),
  ]);
  const before = force ? undefined : await usableJson(store, key, MeasuredCase);
  if (before?.inputsVersion === inputsVersion)
    return { row: { ...before.case, patientId }, resumed: true };
  const opened = {
    name: imageName(input),
    open: () => imageStream(input),
    ...(pairedImage && { openPaired: () => readFile(pairedImage) }),
  };
  const prediction = await mask?.read();
  const measured = await measurePrediction({
    caseId,
    patientId,
    image: opened,
    prediction,
    label,
    headerText,
  });
  const { row, compared } = measured;
  const drawn = runKeys(`${caseId}/${PREDICTION.folder}`);
  const gallery =
    compared && (await drawPrediction(measured, compared, opened, target, drawn, store));
  if (gallery) await recordSources(store, drawn, input, input.label.file ?? undefined);
  const kept: MeasuredCase = {
    schemaVersion: 1,
    inputsVersion,
    case: row,
    ...(gallery && { gallery }),
  };
  await putJson(store, key, kept, 0);
  return { row, resumed: false };
}

async function versionOfAll(files: readonly string[], besides: readonly string[]): Promise<string> {
  const versions: string[] = [...besides];
  for (const file of files) versions.push(path.basename(file), await fileVersion(file));
  return createHash('sha256').update(JSON.stringify(versions)).digest('hex').slice(0, 16);
}

const noFolder = (folder: string): ConfigError =>
  new ConfigError({
    code: 'bad-predictions',
    subject: folder,
    expected: 'a folder of masks',
    found: 'no folder that can be read',
    remedy: 'Name the folder that holds the masks.',
  });
