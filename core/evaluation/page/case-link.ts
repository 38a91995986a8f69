import type { EvaluatedCase, Evaluation } from '../../contract/evaluation.ts';
import { html, type SafeHtml } from '../../report/html.ts';

/** Where a case's own report lies, relative to the page; null where it has none. */
export type ReportHref = (one: Pick<EvaluatedCase, 'caseId' | 'runId'>) => string | null;

/** As `sammix evaluate` lays its folder out. */
export const reportBesidePage: ReportHref = ({ caseId }) =>
  `cases/${encodeURIComponent(caseId)}/report.html`;

/** A case's name, with a link to its report where there is one. */
export type CaseLink = (one: Pick<EvaluatedCase, 'caseId' | 'runId'>) => SafeHtml;

/** Masks made elsewhere have no report of ours. */
export const caseLinks =
  ({ bundle }: Evaluation, hrefOf: ReportHref): CaseLink =>
  (one) => {
    const href = bundle === null ? null : hrefOf(one);
    const name = html`<bdi>${one.caseId}</bdi>`;
    return href === null ? name : html`<a href="${href}">${name}</a>`;
  };
