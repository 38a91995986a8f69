import type { Evaluation } from '../../../contract/evaluation.ts';
import { html } from '../../../report/html.ts';
import { dataTable } from '../data-table.ts';
import { estimateText, numberText } from '../format.ts';
import { stratumKind, stratumShort, stratumValue } from '../words.ts';
import type { Plot } from './figure.ts';
import { drawForest, type ForestRow } from './forest.ts';
import { FEW_STEPS, ratioScale } from './scale.ts';

/** Dice of the groups of cases that share a trait, beside the mean of all. */
export function strataPlot(evaluation: Evaluation): Plot | null {
  const { strata, metrics, patients } = evaluation;
  const overall = metrics.find(({ name }) => name === 'dice')?.meanWithWorst;
  if (strata.length === 0 || !overall) return null;
  const note = (estimate: number | null, count: number): string =>
    `${numberText(estimate, 2)}, n = ${count}`;
  const rows = [
    { name: 'All cases', interval: overall, note: note(overall.estimate, patients) },
    ...strata.map((stratum) => ({
      name: stratumShort(stratum),
      interval: stratum.diceWithFailuresAsZero,
      note: note(stratum.diceWithFailuresAsZero.estimate, stratum.patients),
    })),
  ];
  return {
    key: 'strata',
    title: 'Dice by kind of scan',
    summary:
      'Mean Dice with failures as 0 and its interval over patients, for cases that share a trait of ' +
      'the scan; n counts patients. The dashed line is the mean of all cases. A triangle at the left ' +
      'edge is a group without any usable mask: “unknown” holds the cases whose scan could not be read.',
    svg: drawForest(rows, {
      key: 'st',
      axisName: 'Dice, failures as 0',
      axis: axisOf(rows),
      reference: overall.estimate,
    }),
    data: dataTable(
      'Dice by kind of scan, failures as 0',
      ['Group', 'Cases', 'Patients', 'Mean [interval]'],
      strata.map(({ by, value, cases, patients: count, diceWithFailuresAsZero }) => [
        html`${stratumKind(by)} <bdi>${stratumValue(value)}</bdi>`,
        cases,
        count,
        estimateText(diceWithFailuresAsZero, 3),
      ]),
    ),
  };
}

/** Groups that failed as a whole would squeeze all others against the far end. */
function axisOf(rows: readonly ForestRow[]) {
  const ends = rows.flatMap(({ interval: { lower, upper, estimate } }) =>
    estimate !== null && estimate > 0 ? [estimate, lower ?? estimate, upper ?? estimate] : [],
  );
  return ends.length === 0
    ? ratioScale(0, 1, FEW_STEPS)
    : ratioScale(Math.min(...ends), Math.max(...ends), FEW_STEPS);
}
