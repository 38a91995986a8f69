import type { BundleDisplay } from '../contract/bundle.ts';
import { type EvaluatedCase, EvaluatedStatus } from '../contract/evaluated-case.ts';
import type { EstimateInterval, Evaluation } from '../contract/evaluation.ts';
import { fromExtended } from '../contract/panel.ts';
import { summariseClassification } from './classification.ts';
import { compareEvaluations } from './compare.ts';
import { driftSignals } from './drift.ts';
import { metricSummaries, volumeAgreement, worstCases } from './metric-summaries.ts';
import {
  type BootstrapPlan,
  casesOfPatients,
  DEFAULT_BOOTSTRAP,
  inCaseOrder,
  isLabelled,
  PatientBootstrap,
  patientMeans,
} from './patients.ts';
import { summariseStrata } from './strata.ts';

export interface EvaluationFacts {
  readonly evaluationId: string;
  readonly dataset: string;
  /** ISO 8601, UTC. */
  readonly createdAt: string;
  readonly sammixVersion: string;
  /** Null where the masks were made elsewhere. */
  readonly bundle: BundleDisplay | null;
  /** What masks made elsewhere are of, where it was said. */
  readonly target?: string | undefined;
  /** The evaluation to compare with. */
  readonly previous?: Evaluation | undefined;
  readonly bootstrap?: BootstrapPlan;
  /** How many rows have kept their slices' scores, where not all have. */
  readonly scoredCases?: number | undefined;
  readonly leftOut?: Evaluation['leftOut'];
}

/**
 * An evaluation of a dataset from the rows of its cases. Pure and deterministic: the same rows in any
 * order give the same numbers on every machine.
 */
export function summarise(rows: readonly EvaluatedCase[], facts: EvaluationFacts): Evaluation {
  const cases = inCaseOrder(rows);
  const labelled = cases.filter(isLabelled);
  const plan = facts.bootstrap ?? DEFAULT_BOOTSTRAP;
  const bootstrap = new PatientBootstrap(plan);
  const { bundle, previous } = facts;
  return {
    schemaVersion: 1,
    evaluationId: facts.evaluationId,
    dataset: facts.dataset,
    createdAt: facts.createdAt,
    sammixVersion: facts.sammixVersion,
    bundle,
    ...(facts.target !== undefined && { target: facts.target }),
    counts: countsByStatus(cases),
    patients: casesOfPatients(cases).length,
    bootstrap: { draws: plan.draws, confidence: plan.confidence, seed: plan.seed },
    metrics: metricSummaries(labelled, bootstrap),
    paper: summarisePaper(labelled, bootstrap),
    liverSliceRecall: sliceShare(labelled, 'liverSliceRecall', bootstrap),
    liverFreeSliceSpecificity: sliceShare(labelled, 'liverFreeSliceSpecificity', bootstrap),
    classification:
      bundle && summariseClassification(labelled, bundle.classifierThreshold, bootstrap),
    ...(facts.scoredCases !== undefined && { scoredCases: facts.scoredCases }),
    volumes: volumeAgreement(labelled),
    strata: summariseStrata(labelled, bootstrap),
    worst: worstCases(labelled),
    comparison: previous ? compareEvaluations(cases, previous, bootstrap) : null,
    drift: previous ? driftSignals(cases, previous.cases) : [],
    ...(facts.leftOut && { leftOut: facts.leftOut }),
    cases,
  };
}

function countsByStatus(cases: readonly EvaluatedCase[]): Evaluation['counts'] {
  const counts = Object.fromEntries(EvaluatedStatus.options.map((status) => [status, 0]));
  for (const { status } of cases) counts[status]!++;
  return counts as Evaluation['counts'];
}

/** Means over slices: a case weighs as many as it has, and a drawn patient brings all of its own. */
function summarisePaper(
  labelled: readonly EvaluatedCase[],
  bootstrap: PatientBootstrap,
): Evaluation['paper'] {
  const measured = labelled.flatMap((one) => (one.paper ? [{ ...one, paper: one.paper }] : []));
  if (measured.length === 0) return null;
  const patients = casesOfPatients(measured) as (typeof measured)[];
  const slices = patients.map((group) => total(group.map(({ paper }) => paper.slices)));
  const mean = (value: (paper: (typeof measured)[number]['paper']) => number): EstimateInterval =>
    bootstrap.ratio(
      patients.map((group) => total(group.map(({ paper }) => paper.slices * value(paper)))),
      slices,
    );
  return {
    slices: total(slices),
    dice: mean((paper) => paper.dice ?? 0),
    hausdorffPx: mean((paper) => fromExtended(paper.hausdorffPx ?? 0)),
    leftOut: labelled.length - measured.length,
  };
}

/** No mask finds no slice and may be trusted to leave none alone. */
const sliceShare = (
  labelled: readonly EvaluatedCase[],
  share: 'liverSliceRecall' | 'liverFreeSliceSpecificity',
  bootstrap: PatientBootstrap,
): EstimateInterval =>
  bootstrap.mean(patientMeans(labelled, (one) => (one.metrics === null ? 0 : one[share])));

const total = (values: readonly number[]): number => values.reduce((sum, value) => sum + value, 0);
