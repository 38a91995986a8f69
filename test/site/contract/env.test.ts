import { describe, expect, it } from 'vitest';
import { type ZodMiniType, z } from 'zod/mini';
import {
  AssembleEnv,
  count,
  filled,
  ordinal,
  SegmentJobEnv,
  SummaryEnv,
} from '../../../site/contract/env.ts';

const says = (schema: ZodMiniType, value: unknown) =>
  schema.safeParse(value).error?.issues.map((issue) => issue.message);

describe('the environment of functions and jobs', () => {
  it('refuses a variable that is absent or empty, and says what it should be', () => {
    expect(says(filled(), undefined)).toEqual(['expected text']);
    expect(says(filled(), '')).toEqual(['expected text']);
    expect(filled().parse('site-a')).toBe('site-a');
  });

  it.each(['0', '-1', '1.5', 'many', undefined])('refuses %s as a count', (text) => {
    expect(says(count(), text)).toContain('expected a whole number of at least 1');
  });

  it('reads numbers from text', () => {
    expect(count().parse('12')).toBe(12);
    expect(ordinal().parse('0')).toBe(0);
    expect(says(ordinal(), '-1')).toEqual(['expected a whole number of at least 0']);
  });

  it('takes a plain job as the first attempt of child 0', () => {
    const env = SegmentJobEnv().parse({
      SAMMIX_SITE: 'site-a',
      SAMMIX_BUCKET: 'bucket',
      SAMMIX_PROVIDERS: 'cuda,cpu',
      SAMMIX_THREADS: '4',
      SAMMIX_MACHINE: '/etc/sammix',
      SAMMIX_RUN_ID: '0123456789abcdef',
      SAMMIX_TRACE_ID: '1-0-0',
    });
    expect(env).toMatchObject({ AWS_BATCH_JOB_ARRAY_INDEX: 0, AWS_BATCH_JOB_ATTEMPT: 1 });
    expect(says(z.pick(SegmentJobEnv(), { SAMMIX_RUN_ID: true }), { SAMMIX_RUN_ID: 'x' })).toEqual([
      'expected 16 hexadecimal digits',
    ]);
  });

  it('reads a list of datasets', () => {
    const env = { SAMMIX_SITE: 'site-a', SAMMIX_BUCKET: 'bucket', SAMMIX_DATASETS: '["a","b"]' };
    expect(SummaryEnv().parse(env).SAMMIX_DATASETS).toEqual(['a', 'b']);
    const said = z.pick(SummaryEnv(), { SAMMIX_DATASETS: true });
    for (const bad of ['a,b', '{"a":1}'])
      expect(says(said, { SAMMIX_DATASETS: bad })).toEqual(['expected names of datasets, as JSON']);
  });

  it('says what it wanted of the labels', () => {
    const said = z.pick(AssembleEnv(), { SAMMIX_LABELS: true });
    expect(said.parse({})).toEqual({ SAMMIX_LABELS: {} });
    for (const bad of ['[', '{"liver":{"values":["six"]}}'])
      expect(says(said, { SAMMIX_LABELS: bad })).toEqual([
        'expected what is liver by dataset, as JSON',
      ]);
  });
});
