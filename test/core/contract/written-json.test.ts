import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import type * as z from 'zod';
import { EvaluatedCase, MeasuredCase } from '../../../core/contract/evaluated-case.ts';
import { Evaluation, History } from '../../../core/contract/evaluation.ts';
import { CaseManifest, SlabRecords } from '../../../core/contract/manifest.ts';
import { PromotionDecision } from '../../../core/contract/promotion.ts';
import { CaseReport, FailedReport } from '../../../core/contract/report.ts';
import { RunSummary, SummaryRow } from '../../../core/contract/summary.ts';
import { CaseSources, ViewIndex } from '../../../core/contract/view.ts';
import { evaluationJson, extendHistory } from '../../../core/evaluation/history.ts';
import { summarise } from '../../../core/evaluation/summarise.ts';
import { fromJsonBytes, putJson, toJson, usableJson } from '../../../core/json.ts';
import { summariseRows } from '../../../core/stage/summary.ts';
import {
  EvaluationPlan,
  EvaluationRecord,
  EvaluationRequest,
} from '../../../site/contract/evaluation.ts';
import {
  ActiveBundle,
  JobRecord,
  LabelPointer,
  LatestPointer,
  RunRecord,
} from '../../../site/contract/runs.ts';
import { TrainingRecord } from '../../../site/contract/training.ts';
import { anyOf } from '../../support/any-json.ts';

/** All that is written down: `putJson` and its kin are the only way there. */
const WRITTEN = {
  CaseReport,
  FailedReport,
  RunSummary,
  CaseManifest,
  SlabRecords,
  CaseSources,
  ViewIndex,
  Evaluation,
  History,
  MeasuredCase,
  PromotionDecision,
  RunRecord,
  JobRecord,
  LatestPointer,
  LabelPointer,
  ActiveBundle,
  EvaluationRequest,
  EvaluationPlan,
  EvaluationRecord,
  TrainingRecord,
} as const satisfies Record<string, z.ZodType>;

/** One object in memory. */
function shelf() {
  const kept = new Map<string, Uint8Array>();
  return {
    kept,
    put: async (key: string, body: unknown) => void kept.set(key, body as Uint8Array),
    get: async (key: string) => kept.get(key)!,
  };
}

/** JSON has no -0, and zod leaves out what is undefined. */
const plain = (value: unknown): unknown => JSON.parse(JSON.stringify(value));

/** Puts a number that JSON does not have in the place of some other number; undefined without one. */
function spoil(value: unknown, at: number, by: number): unknown {
  let seen = 0;
  const copy = structuredClone(value);
  const walk = (node: unknown): boolean => {
    if (typeof node !== 'object' || node === null) return false;
    for (const [name, item] of Object.entries(node)) {
      if (typeof item !== 'number') {
        if (walk(item)) return true;
      } else if (seen++ === at) {
        (node as Record<string, unknown>)[name] = by;
        return true;
      }
    }
    return false;
  };
  return walk(copy) ? copy : undefined;
}

describe.each(Object.entries(WRITTEN))('%s', (_, schema: z.ZodType) => {
  // What fields say of each other the form does not show.
  const any = anyOf(schema).filter((value) => schema.safeParse(value).success);

  it('is read back as it was written, whatever its numbers and texts', async () => {
    await fc.assert(
      fc.asyncProperty(any, fc.constantFrom(0, 2), async (value, indent) => {
        const store = shelf();
        await putJson(store, 'key', value, indent as 0 | 2);
        expect(plain(await usableJson(store, 'key', schema))).toEqual(plain(schema.parse(value)));
      }),
      { numRuns: 40 },
    );
  });

  it('is not written where a number is none', async () => {
    await fc.assert(
      fc.asyncProperty(
        any,
        fc.nat(20),
        fc.constantFrom(Number.NaN, Number.POSITIVE_INFINITY, Number.NEGATIVE_INFINITY),
        async (value, at, by) => {
          const spoiled = spoil(value, at, by);
          if (spoiled === undefined) return;
          const store = shelf();
          await expect(putJson(store, 'key', spoiled)).rejects.toThrow(RangeError);
          expect(store.kept.size).toBe(0);
        },
      ),
      { numRuns: 20 },
    );
  });
});

describe('what is computed from hostile rows passes its schema', () => {
  it('summary.json', () => {
    fc.assert(
      fc.property(fc.array(anyOf(SummaryRow), { maxLength: 4 }), (rows) => {
        const bounded = (rows as SummaryRow[]).map((row) => ({
          ...row,
          dice: row.dice === null ? null : Math.max(0, Math.min(1, row.dice)),
        }));
        const summary = summariseRows(bounded, 'digest');
        expect(fromJsonBytes(RunSummary, Buffer.from(toJson(summary)))).toEqual(plain(summary));
      }),
      { numRuns: 100 },
    );
  });

  it('evaluation.json and history.json', () => {
    fc.assert(
      fc.property(fc.array(anyOf(EvaluatedCase), { maxLength: 4 }), (rows) => {
        // No scan has more slices than 31 bits count; of more, the sum would not be exact.
        const bounded = (rows as EvaluatedCase[]).map((row) => ({
          ...row,
          paper: row.paper && { ...row.paper, slices: Math.min(row.paper.slices, 2 ** 31) },
        }));
        const evaluation = summarise(bounded, {
          evaluationId: 'id',
          dataset: 'hostile',
          createdAt: '2026-01-01T00:00:00.000Z',
          sammixVersion: '0',
          bundle: null,
          previous: null,
          leftOut: [],
        } as unknown as Parameters<typeof summarise>[1]);
        fromJsonBytes(Evaluation, Buffer.from(evaluationJson(evaluation)));
        fromJsonBytes(History, Buffer.from(toJson(extendHistory(undefined, evaluation))));
      }),
      { numRuns: 60 },
    );
  });
});
