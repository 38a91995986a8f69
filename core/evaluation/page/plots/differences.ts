import type { EvaluationComparison } from '../../../contract/evaluation.ts';
import { html } from '../../../report/html.ts';
import { dataTable } from '../data-table.ts';
import { changeText, differenceText } from '../format.ts';
import { stratumKind, stratumShort, stratumValue } from '../words.ts';
import type { Plot } from './figure.ts';
import { drawForest } from './forest.ts';
import { FEW_STEPS, LEAST_DICE_SPAN, scaleAround } from './scale.ts';

/** Paired difference of Dice to the earlier evaluation, overall and by kind of scan. */
export function differencesPlot(comparison: EvaluationComparison): Plot | null {
  const { diceDifference, strata, patients } = comparison;
  if (diceDifference.estimate === null) return null;
  const note = (estimate: number | null, count: number): string =>
    estimate === null ? `n = ${count}` : `${changeText(estimate, 3)}, n = ${count}`;
  const rows = [
    {
      name: 'All patients',
      interval: diceDifference,
      note: note(diceDifference.estimate, patients),
    },
    ...strata.map((stratum) => ({
      name: stratumShort(stratum),
      interval: stratum.diceDifference,
      note: note(stratum.diceDifference.estimate, stratum.patients),
    })),
  ];
  const ends = rows
    .flatMap(({ interval: { lower, upper, estimate } }) => [lower, upper, estimate, 0])
    .filter((value) => value !== null);
  return {
    key: 'differences',
    title: 'Change of Dice by kind of scan',
    summary:
      'Mean of Dice now minus Dice before over the same patients, failures as 0. Right of the dashed ' +
      'line is better than before; an interval that crosses it is undecided.',
    svg: drawForest(rows, {
      key: 'df',
      axisName: 'Dice now − before',
      axis: scaleAround(Math.min(...ends), Math.max(...ends), {
        mostSteps: FEW_STEPS,
        leastSpan: LEAST_DICE_SPAN,
      }),
      reference: 0,
    }),
    data: dataTable(
      'Change of Dice, this minus earlier',
      ['Group', 'Patients', 'Mean difference [interval]'],
      [
        ['All', patients, differenceText(diceDifference, 3)],
        ...strata.map((stratum) => [
          html`${stratumKind(stratum.by)} <bdi>${stratumValue(stratum.value)}</bdi>`,
          stratum.patients,
          differenceText(stratum.diceDifference, 3),
        ]),
      ],
    ),
  };
}
