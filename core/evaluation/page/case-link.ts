import type { Evaluation } from '../../contract/evaluation.ts';
import { html, type SafeHtml } from '../../report/html.ts';

/** Where the case's own report lies beside the page. */
const reportHref = (caseId: string): string => `cases/${encodeURIComponent(caseId)}/report.html`;

/** Masks made elsewhere have no report of ours beside the page. */
export const caseLink = ({ bundle }: Evaluation, caseId: string): SafeHtml =>
  bundle === null
    ? html`<bdi>${caseId}</bdi>`
    : html`<a href="${reportHref(caseId)}"><bdi>${caseId}</bdi></a>`;
