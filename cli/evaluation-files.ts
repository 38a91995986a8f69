import path from 'node:path';
import type * as z from 'zod';
import { DirStore } from '../adapters/dir-store.ts';
import { MeasuredCase } from '../core/contract/evaluated-case.ts';
import { Evaluation, History } from '../core/contract/evaluation.ts';
import { runKeys } from '../core/contract/keys.ts';
import { CaseReport, type SegmentedReport, type ShownSlice } from '../core/contract/report.ts';
import { PREDICTION } from '../core/contract/view.ts';
import type { EvaluationPicture } from '../core/draw/picture.ts';
import { ConfigError } from '../core/errors.ts';
import { casesCsv } from '../core/evaluation/csv.ts';
import { evaluationJson, extendHistory } from '../core/evaluation/history.ts';
import { fromJsonBytes, toJsonBytes, usableJson } from '../core/json.ts';

const EVALUATION = 'evaluation.json';
const HISTORY = 'history.json';

/** What is known of a dataset before it is evaluated again. */
export interface EarlierEvaluation {
  /** What to compare with: the one asked for, else the last one in the output folder. */
  readonly previous: Evaluation | undefined;
  readonly history: History | undefined;
}

/**
 * @param against an `evaluation.json`; the one in `out` unless told
 * @throws ConfigError where a file is damaged, or `out` belongs to another dataset
 */
export async function earlierEvaluation(
  out: DirStore,
  dataset: string,
  against: string | undefined,
): Promise<EarlierEvaluation> {
  const history = await readIfThere(out, HISTORY, History);
  if (history && history.dataset !== dataset) throw otherDataset(out, history.dataset, dataset);
  const last = await readIfThere(out, EVALUATION, Evaluation);
  const known = { history: history && upTo(history, last?.evaluationId) };
  if (against === undefined) return { previous: last, ...known };
  const store = new DirStore(path.dirname(against));
  const previous = await readIfThere(store, path.basename(against), Evaluation);
  if (!previous) throw unreadable(against, 'no such file');
  return { previous, ...known };
}

/** An evaluation that was stopped while it wrote is in the history, and is about to be there again. */
const upTo = (history: History, evaluationId: string | undefined): History => {
  const last = history.entries.findIndex((entry) => entry.evaluationId === evaluationId);
  return last < 0 ? history : { ...history, entries: history.entries.slice(0, last + 1) };
};

/** Everything but the cases' own folders; `evaluation.json` last, so that it stands for them all. */
export async function writeEvaluation(
  out: DirStore,
  evaluation: Evaluation,
  earlier: History | undefined,
): Promise<void> {
  const history = extendHistory(earlier, evaluation);
  // Loaded when needed: the charting library costs more to load than a short command runs.
  const { galleryPicture, predictionPicture, renderEvaluation } = await import(
    '../core/evaluation/page/render.ts'
  );
  const pictures: EvaluationPicture[] = [];
  for (const caseId of evaluation.worst) {
    const [drawn, predicted] =
      evaluation.bundle === null
        ? [undefined, await drawnPrediction(out, caseId)]
        : [await drawnCase(out, caseId)];
    const picture = drawn
      ? galleryPicture(drawn.report, drawn.galleryPng)
      : predicted && predictionPicture(caseId, predicted.gallery, predicted.galleryPng);
    if (picture) pictures.push(picture);
  }
  const page = renderEvaluation(evaluation, history, pictures);
  await out.put('cases.csv', Buffer.from(casesCsv(evaluation.cases)));
  await out.put('evaluation.html', Buffer.from(page));
  await out.put(HISTORY, toJsonBytes(history));
  await out.put(EVALUATION, Buffer.from(evaluationJson(evaluation)));
}

/** Of a mask that was made elsewhere; undefined where it could not be compared. */
async function drawnPrediction(
  out: DirStore,
  caseId: string,
): Promise<{ gallery: readonly ShownSlice[]; galleryPng: Uint8Array } | undefined> {
  const measured = await usableJson(out, `cases/${caseId}/measured.json`, MeasuredCase);
  const { gallery: key } = runKeys(`cases/${caseId}/${PREDICTION.folder}`);
  if (!measured?.gallery || !(await out.stat(key))) return undefined;
  return { gallery: measured.gallery, galleryPng: await out.get(key) };
}

/** Undefined where the case failed. */
async function drawnCase(
  out: DirStore,
  caseId: string,
): Promise<{ report: SegmentedReport; galleryPng: Uint8Array } | undefined> {
  const keys = runKeys(`cases/${caseId}`);
  if (!(await out.stat(keys.gallery))) return undefined;
  // A report that cannot be read costs its picture, not the evaluation.
  const report = await usableJson(out, keys.report, CaseReport);
  if (report?.status !== 'segmented') return undefined;
  return { report, galleryPng: await out.get(keys.gallery) };
}

async function readIfThere<Schema extends z.ZodType>(
  store: DirStore,
  key: string,
  schema: Schema,
): Promise<z.output<Schema> | undefined> {
  if (!(await store.stat(key))) return undefined;
  const bytes = await store.get(key);
  try {
    return fromJsonBytes(schema, bytes);
  } catch (cause) {
    throw unreadable(
      path.join(store.root, key),
      'one that is damaged or of another version',
      cause,
    );
  }
}

const unreadable = (file: string, found: string, cause?: unknown): ConfigError =>
  new ConfigError(
    {
      code: 'bad-evaluation',
      subject: file,
      expected: 'the result of an earlier sammix evaluate',
      found,
      remedy: 'Name another file, or remove it to start anew.',
    },
    { cause },
  );

const otherDataset = (out: DirStore, found: string, dataset: string): ConfigError =>
  new ConfigError({
    code: 'other-dataset',
    subject: out.root,
    expected: `evaluations of ${dataset}, or an empty folder`,
    found: `those of ${found}`,
    remedy: 'Choose an output folder of its own for each dataset.',
  });
