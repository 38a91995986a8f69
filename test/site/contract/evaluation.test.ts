import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import {
  casesOfChild,
  EvaluationId,
  type EvaluationPlan,
  EvaluationRequest,
  evaluateJobName,
  evaluationId,
  type PlannedCase,
  partsOfJobName,
  shardsByCase,
  shardsOf,
} from '../../../site/contract/evaluation.ts';

const REQUEST = EvaluationRequest.parse({
  schemaVersion: 1,
  dataset: 'liver',
  bundle: 'active',
  promote: false,
  requestedAt: '2026-01-04T03:00:00.123Z',
});

function planOf(works: readonly PlannedCase['work'][], casesPerJob: number) {
  const cases = works.map((work, n) => ({ caseId: `c${n}`, work })) as PlannedCase[];
  return { cases, casesPerJob } as EvaluationPlan;
}

describe('the jobs of a plan', () => {
  it('are as few array jobs as 25 000 cases need, the last child with the rest', () => {
    const plan = planOf(Array(25_000).fill('compute'), 1);
    expect(shardsOf(plan, 10_000)).toEqual([
      { firstChild: 0, children: 10_000 },
      { firstChild: 10_000, children: 10_000 },
      { firstChild: 20_000, children: 5_000 },
    ]);
    const packed = planOf(Array(25_000).fill('compute'), 8);
    expect(shardsOf(packed, 10_000)).toEqual([{ firstChild: 0, children: 3_125 }]);
    expect(casesOfChild(planOf(Array(17).fill('compute'), 8), 2)).toHaveLength(1);
  });

  it('take every case that is to be computed exactly once, and no other', () => {
    const works = fc.array(fc.constantFrom('reuse', 'compute', 'impossible'), { maxLength: 60 });
    fc.assert(
      fc.property(
        works,
        fc.integer({ min: 1, max: 9 }),
        fc.integer({ min: 2, max: 5 }),
        (w, n, max) => {
          const plan = planOf(w as PlannedCase['work'][], n);
          const shardOf = shardsByCase(plan, max);
          const taken = shardsOf(plan, max).flatMap(({ firstChild, children }, shard) =>
            Array.from({ length: children }, (_, child) =>
              casesOfChild(plan, firstChild + child),
            ).flatMap((cases) => {
              expect(cases.length).toBeGreaterThan(0);
              for (const { caseId } of cases) expect(shardOf.get(caseId)).toBe(shard);
              return cases;
            }),
          );
          expect(taken).toEqual(plan.cases.filter(({ work }) => work === 'compute'));
        },
      ),
    );
  });
});

describe('the id of an evaluation', () => {
  it('is the same for the same request, and another for every other', () => {
    const digest = 'a'.repeat(64);
    const id = evaluationId(REQUEST, digest);
    expect(EvaluationId.parse(id)).toMatch(/^20260104T030000Z-/);
    expect(evaluationId({ ...REQUEST }, digest)).toBe(id);
    const others = [
      evaluationId(REQUEST, 'b'.repeat(64)),
      evaluationId({ ...REQUEST, promote: true }, digest),
      evaluationId({ ...REQUEST, dataset: 'other' }, digest),
      evaluationId({ ...REQUEST, requestedAt: '2026-01-04T03:00:00.124Z' }, digest),
    ];
    expect(new Set([id, ...others]).size).toBe(5);
  });

  it('comes back from the name of its job', () => {
    const id = evaluationId(REQUEST, 'a'.repeat(64));
    expect(partsOfJobName(evaluateJobName(id, 12))).toEqual({ id, shard: 12 });
    expect(partsOfJobName('segment-0123456789abcdef')).toBeUndefined();
    // Batch: 128 letters, digits, hyphens and underscores.
    expect(evaluateJobName(id, 999)).toMatch(/^[A-Za-z0-9_-]{1,128}$/);
  });
});
