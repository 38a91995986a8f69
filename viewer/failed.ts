import type { ViewCase, ViewedReport } from '../core/contract/view.ts';
import { byId, element } from './dom.ts';

type Failed = Extract<ViewedReport, { status: 'failed' }>;

/** In place of the picture: why there is none, all that was found, and what to do. */
export function showFailure(report: Failed, { page }: ViewCase): void {
  const { fault, stage, inputName, problems = [] } = report;
  const entry = (term: string, text: string): HTMLElement[] => [
    element('dt', {}, term),
    element('dd', {}, text),
  ];
  const others = problems.filter(({ code }) => code !== fault.code);
  byId('failure').replaceChildren(
    element('h2', {}, `Not segmented: stopped at the stage ${stage}`),
    element(
      'dl',
      {},
      ...entry('Input', inputName),
      ...entry('At fault', fault.subject),
      ...entry('Expected', fault.expected),
      ...entry('Found', fault.found),
      ...entry('What to do', fault.remedy),
    ),
    ...(others.length === 0
      ? []
      : [element('h3', {}, 'Also found'), element('ul', {}, ...others.map(problemItem))]),
    ...(page ? [element('p', {}, element('a', { href: page }, 'The report of the case'))] : []),
  );
  byId('failure').hidden = false;
  document.body.classList.add('failed');
}

const problemItem = ({
  severity,
  code,
  message,
  remedy,
}: NonNullable<Failed['problems']>[number]): HTMLElement =>
  element(
    'li',
    {},
    element('span', { class: `chip ${severity === 'error' ? 'review' : 'info'}` }, severity),
    ` ${code}: ${message}. ${remedy}`,
  );
