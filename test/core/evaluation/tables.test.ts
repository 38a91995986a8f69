import { describe, expect, it } from 'vitest';
import { Evaluation, type History } from '../../../core/contract/evaluation.ts';
import { casesCsv } from '../../../core/evaluation/csv.ts';
import { evaluationJson, extendHistory } from '../../../core/evaluation/history.ts';
import { evaluate, row, scanOf } from './rows.ts';

const fault = { code: 'odd', subject: 'a,b', expected: 'x', found: '"y"', remedy: 'z' };

describe('the ranking of the worst', () => {
  it('puts what failed first, then what was missed, then the lowest Dice', () => {
    const { worst } = evaluate([
      row({ caseId: 'fine', dice: 0.9 }),
      row({ caseId: 'poor', dice: 0.2 }),
      row({ caseId: 'poor-and-far', dice: 0.2, hd95Mm: 50 }),
      row({ caseId: 'no-liver', dice: 1, status: 'both-empty' }),
      row({ caseId: 'unlabelled', status: 'unlabelled', labelVersion: null }),
      row({ caseId: 'unusable', status: 'label-unusable' }),
      row({ caseId: 'spurious', dice: 0, hd95Mm: 'inf', status: 'spurious' }),
      row({ caseId: 'missed', dice: 0, hd95Mm: 'inf', status: 'missed' }),
      row({ caseId: 'failed', status: 'failed' }),
    ]);
    expect(worst).toEqual(['failed', 'missed', 'spurious', 'poor-and-far', 'poor', 'fine']);
  });
});

describe('strata', () => {
  it('pool descriptions that only one scan has, and name what is not known', () => {
    const described = (caseId: string, description: string | null) =>
      row({ caseId, dice: 0.5, scan: scanOf(2, { description }) });
    const { strata } = evaluate([
      described('a', 'scanner 1'),
      described('b', 'scanner 1'),
      described('c', 'Time=101500'),
      described('d', 'Time=114500'),
      described('e', null),
      row({ caseId: 'f', status: 'failed' }),
    ]);
    const of = (by: string) =>
      strata.filter((one) => one.by === by).map(({ value, cases }) => [value, cases]);
    expect(of('description')).toEqual([
      ['none', 1],
      ['other', 2],
      ['scanner 1', 2],
      ['unknown', 1],
    ]);
    expect(of('slice-spacing')).toEqual([
      ['1.5-3 mm', 5],
      ['unknown', 1],
    ]);
  });

  it('by description are left out where no description tells cases apart', () => {
    const { strata } = evaluate([row({ caseId: 'a', dice: 0.5, scan: scanOf(2) })]);
    expect(strata.map(({ by }) => by)).toEqual(['slice-spacing', 'orientation']);
  });
});

describe('evaluation.json', () => {
  it('has a line for each case and says the same', () => {
    const evaluation = evaluate([
      row({ caseId: 'a', dice: 0.5, scan: scanOf(2) }),
      row({ caseId: 'b', status: 'failed', fault }),
    ]);
    const text = evaluationJson(evaluation);
    expect(Evaluation.parse(JSON.parse(text))).toEqual(evaluation);
    expect(text.split('\n').filter((line) => line.startsWith('    {"caseId"'))).toHaveLength(2);
    expect(Evaluation.parse(JSON.parse(evaluationJson(evaluate([]))))).toMatchObject({ cases: [] });
  });
});

describe('cases.csv', () => {
  it('has a row for every case, failed ones with the reason', () => {
    const lines = casesCsv([
      row({ caseId: 'a', dice: 0.5, hd95Mm: 'inf', flags: ['x', 'y'] }),
      row({ caseId: 'b', patientId: '=cmd', status: 'failed', fault }),
    ])
      .trimEnd()
      .split('\r\n');
    const [header, a, b] = lines as [string, string, string];
    expect(lines).toHaveLength(3);
    expect(a.split(',')).toHaveLength(header.split(',').length);
    expect(a.split(',')[header.split(',').indexOf('hd95Mm')]).toBe('inf');
    expect(a).toContain(',x y,');
    expect(b).toMatch(/^b,'=cmd,,failed,/);
    expect(b).toMatch(/,"odd: a,b: expected x, found ""y""\. z"$/);
  });
});

describe('a history', () => {
  const at = (day: number, failed = 0) =>
    evaluate(
      [
        row({ caseId: 'a', dice: 0.5 }),
        ...Array.from({ length: failed }, (_, n) => row({ caseId: `x${n}`, status: 'failed' })),
      ],
      {
        evaluationId: `2026010${day}T000000Z-00000000`,
        createdAt: `2026-01-0${day}T00:00:00.000Z`,
      },
    );

  it('grows by one line for each evaluation, oldest first, whatever order they end in', () => {
    const days = [2, 1, 3].reduce<History | undefined>(
      (history, day) => extendHistory(history, at(day)),
      undefined,
    )!;
    expect(days.entries.map(({ createdAt }) => createdAt.slice(0, 10))).toEqual([
      '2026-01-01',
      '2026-01-02',
      '2026-01-03',
    ]);
  });

  it('replaces the line of an evaluation that is added again', () => {
    const twice = extendHistory(extendHistory(undefined, at(1)), at(1, 1));
    expect(twice.entries).toHaveLength(1);
    expect(twice.entries[0]).toMatchObject({
      cases: 2,
      failed: 1,
      dice: { estimate: 0.5 },
      diceWithFailuresAsZero: { estimate: 0.25 },
    });
  });
});
