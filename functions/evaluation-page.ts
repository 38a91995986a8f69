import { readReport } from '../adapters/finished-report.ts';
import type { S3Store } from '../adapters/s3-store.ts';
import { cloudKeys, cloudRunKeys } from '../core/contract/cloud-keys.ts';
import type { Evaluation, History } from '../core/contract/evaluation.ts';
import type { ReportHref } from '../core/evaluation/page/case-link.ts';
import type { EvaluationPicture } from '../core/evaluation/page/picture.ts';

/** The page of an evaluation, with pictures of its worst cases from their own montages. */
export async function evaluationPage(
  evaluation: Evaluation,
  history: History,
  store: S3Store,
): Promise<string> {
  // The drawing library takes longer to load than a function that finds nothing to do runs.
  const { galleryPictures, renderEvaluation } = await import('../core/evaluation/page/render.ts');
  const pictures: EvaluationPicture[] = [];
  for (const caseId of evaluation.worst) {
    const { runId } = evaluation.cases.find((one) => one.caseId === caseId) ?? {};
    if (!runId) continue;
    const keys = cloudRunKeys(evaluation.dataset, caseId, runId);
    const report = await readReport(store, keys);
    const overlay = await store.getTagged(keys.overlay);
    if (report?.status === 'segmented' && overlay)
      pictures.push(...galleryPictures(report, overlay.body));
  }
  return renderEvaluation(evaluation, history, pictures, reportHref(evaluation));
}

/** The bucket's own layout, so that the links hold in a synchronised copy of it. */
const reportHref =
  (evaluation: Evaluation): ReportHref =>
  ({ caseId, runId }) => {
    if (runId === null) return null;
    const up = '../'.repeat(pageKey(evaluation).split('/').length - 1);
    return up + cloudRunKeys(evaluation.dataset, caseId, runId).reportHtml;
  };

/** Where the page of an evaluation is. */
export const pageKey = ({ dataset, evaluationId }: Evaluation): string =>
  cloudKeys.evaluationFile(dataset, evaluationId, 'evaluation.html');
