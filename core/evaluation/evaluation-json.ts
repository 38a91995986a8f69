import type { Evaluation } from '../contract/evaluation.ts';

/**
 * `evaluation.json` with one case a line: a comparison of two files shows which cases moved, and a
 * thousand cases with their slices stay readable and small.
 */
export function evaluationJson(evaluation: Evaluation): string {
  const { cases, ...rest } = evaluation;
  const head = JSON.stringify(rest, null, 2).slice(0, -'\n}'.length);
  const lines = cases.map((one) => `    ${JSON.stringify(one)}`);
  return `${head},\n  "cases": [\n${lines.join(',\n')}\n  ]\n}\n`;
}
