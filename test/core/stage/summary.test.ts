import { describe, expect, it } from 'vitest';
import type { FailedReport } from '../../../core/contract/report.ts';
import type { SummaryRow } from '../../../core/contract/summary.ts';
import { summarise, summaryCsv } from '../../../core/stage/summary.ts';

const failed = (caseId: string, found = 'nothing'): FailedReport => ({
  schemaVersion: 1,
  status: 'failed',
  caseId,
  runId: null,
  createdAt: '2026-01-01T00:00:00.000Z',
  provenance: { sammixVersion: '0', backend: null, node: 'v0', platform: 'test' },
  inputName: `${caseId}.nii`,
  stage: 'split',
  fault: { code: 'not-nifti', subject: 'x', expected: 'a volume', found, remedy: 'Go.' },
});

const row = (changes: Partial<SummaryRow>): SummaryRow => ({
  caseId: 'a',
  status: 'segmented',
  resumed: false,
  volumeMl: 1,
  flags: [],
  dice: null,
  hd95Mm: null,
  seconds: 1,
  reason: null,
  ...changes,
});

const csvOf = (...cases: SummaryRow[]): string =>
  summaryCsv({
    schemaVersion: 1,
    bundleDigest: '',
    cases,
    segmented: 0,
    failed: 0,
    skipped: 0,
    meanDice: null,
    meanDiceFailuresAsZero: null,
  });

describe('summary', () => {
  it('counts failures, with their reason', () => {
    const cases = ['a', 'b'].map((id) => ({ report: failed(id), resumed: false, seconds: 1 }));
    expect(summarise(cases, 'digest')).toMatchObject({
      segmented: 0,
      failed: 2,
      meanDice: null,
      cases: [{ caseId: 'a', reason: 'not-nifti: expected a volume, found nothing' }, {}],
    });
  });

  it('quotes what CSV needs quoted, and disarms formulas', () => {
    const [, line] = csvOf(row({ caseId: '=1+1', reason: 'a "b", c', flags: ['x', 'y'] })).split(
      '\r\n',
    );
    expect(line).toBe(`'=1+1,segmented,false,1,,,x y,1,"a ""b"", c",,,,,,,`);
  });

  it('writes an infinite distance as inf', () => {
    expect(csvOf(row({ dice: 0, hd95Mm: 'inf' }))).toContain(
      'a,segmented,false,1,0,inf,,1,,,,,,,,',
    );
  });
});
