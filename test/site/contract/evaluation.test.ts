import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import {
  EvaluationId,
  EvaluationRequest,
  evaluateJobName,
  evaluationId,
  partsOfChild,
  partsOfJobName,
  shardOfChild,
  shardsOf,
} from '../../../site/contract/evaluation.ts';

const REQUEST = EvaluationRequest.parse({
  schemaVersion: 1,
  dataset: 'liver',
  bundle: 'active',
  promote: false,
  requestedAt: '2026-01-04T03:00:00.123Z',
});

describe('the jobs of a plan', () => {
  it('are as few array jobs as 25 000 children need, the last with the rest', () => {
    expect(shardsOf({ children: 25_000 }, 10_000)).toEqual([
      { firstChild: 0, children: 10_000 },
      { firstChild: 10_000, children: 10_000 },
      { firstChild: 20_000, children: 5_000 },
    ]);
    expect(shardsOf({ children: 3_125 }, 10_000)).toEqual([{ firstChild: 0, children: 3_125 }]);
    expect(shardsOf({ children: 0 }, 10_000)).toEqual([]);
  });

  it('have every child in exactly one array job', () => {
    fc.assert(
      fc.property(fc.integer({ min: 0, max: 99 }), fc.integer({ min: 2, max: 9 }), (n, max) => {
        const taken = shardsOf({ children: n }, max).flatMap(({ firstChild, children }, shard) =>
          Array.from({ length: children }, (_, child) => {
            expect(shardOfChild(firstChild + child, max)).toBe(shard);
            return firstChild + child;
          }),
        );
        expect(taken).toEqual(Array.from({ length: n }, (_, child) => child));
      }),
    );
  });

  it('find a child whose cases lie in two parts, with one between that has nothing to compute', () => {
    const parts = [
      { cases: 4, children: [0, 3] as [number, number] },
      { cases: 4, children: null },
      { cases: 4, children: [3, 5] as [number, number] },
    ];
    expect([0, 3, 5, 6].map((child) => partsOfChild({ parts }, child))).toEqual([
      [0],
      [0, 2],
      [2],
      [],
    ]);
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
