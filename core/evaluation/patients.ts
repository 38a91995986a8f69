import type { EvaluatedCase } from '../contract/evaluated-case.ts';
import type { EstimateInterval } from '../contract/evaluation.ts';
import { groupBy } from '../group-by.ts';
import { quantile } from '../metrics/quantile.ts';
import { createRandom } from '../random.ts';

/** Byte order, so that every machine and locale lists the same. */
export const byText = (a: string, b: string): number => (a < b ? -1 : a > b ? 1 : 0);

export const inCaseOrder = (cases: readonly EvaluatedCase[]): EvaluatedCase[] =>
  [...cases].sort((a, b) => byText(a.caseId, b.caseId));

/**
 * A case that belongs into every mean: it has a label that can be compared with, whatever became of the
 * mask. A label that cannot says nothing of the mask: such a case is counted and listed, not measured.
 */
export const isLabelled = ({ labelVersion, status }: EvaluatedCase): boolean =>
  labelVersion !== null && status !== 'label-unusable';

/** The cases of each patient; patients by id, their cases in the order given. */
export function casesOfPatients(cases: readonly EvaluatedCase[]): EvaluatedCase[][] {
  const groups = groupBy(cases, ({ patientId }) => patientId);
  return [...groups].sort(([a], [b]) => byText(a, b)).map(([, group]) => group);
}

/** Each patient's mean of a value over its cases; patients without the value are left out. */
export function patientMeans(
  cases: readonly EvaluatedCase[],
  of: (one: EvaluatedCase) => number | null,
): number[] {
  return casesOfPatients(cases).flatMap((group) => {
    const values = group.map(of).filter((value) => value !== null);
    if (values.length === 0) return [];
    return [values.reduce((sum, value) => sum + value, 0) / values.length];
  });
}

/** A case without a mask counts as no overlap at all. */
export function diceOrZero({ metrics }: EvaluatedCase): number {
  return typeof metrics?.dice === 'number' ? metrics.dice : 0;
}

export interface BootstrapPlan {
  readonly draws: number;
  readonly confidence: number;
  readonly seed: number;
}

export const DEFAULT_BOOTSTRAP: BootstrapPlan = { draws: 2000, confidence: 0.95, seed: 0 };

export const NO_ESTIMATE: EstimateInterval = { estimate: null, lower: null, upper: null };

/**
 * Percentile bootstrap (Efron and Tibshirani 1993) over patients: patients are drawn with replacement, all
 * scans and slices of one together, because resampling slices would pretend that neighbours are
 * independent. Same seed, same interval, on every machine. For many statistics at once: a draw is kept
 * as how often it holds each patient, so that a statistic costs a pass over patients (or their
 * sorted slices) and no copies.
 */
export class PatientBootstrap {
  readonly plan: BootstrapPlan;
  private patients = -1;
  private counts = new Uint16Array(0);

  constructor(plan: BootstrapPlan = DEFAULT_BOOTSTRAP) {
    this.plan = plan;
  }

  /** Mean over patients, one value each. */
  mean(values: readonly number[]): EstimateInterval {
    return this.ratio(
      values,
      values.map(() => 1),
    );
  }

  /** Sum of `parts` over sum of `wholes`, one of each per patient. */
  ratio(parts: readonly number[], wholes: readonly number[]): EstimateInterval {
    return this.statistic(parts.length, (times) => {
      let [part, whole] = [0, 0];
      for (let p = 0; p < times.length; p++) {
        part += times[p]! * parts[p]!;
        whole += times[p]! * wholes[p]!;
      }
      return whole === 0 ? Number.NaN : part / whole;
    });
  }

  /**
   * Any statistic of `patients` patients; `of` is told how often each is drawn. Draws for which it is
   * no finite number (an AUC without positives) are left out of the interval.
   */
  statistic(patients: number, of: (times: Uint16Array) => number): EstimateInterval {
    if (patients === 0) return NO_ESTIMATE;
    const estimate = of(new Uint16Array(patients).fill(1));
    if (!Number.isFinite(estimate)) return NO_ESTIMATE;
    const counts = this.draw(patients);
    const values: number[] = [];
    for (let at = 0; at < counts.length; at += patients) {
      const value = of(counts.subarray(at, at + patients));
      if (Number.isFinite(value)) values.push(value);
    }
    const tail = (1 - this.plan.confidence) / 2;
    const [lower, upper] = [quantile(values, tail), quantile(values, 1 - tail)];
    return { estimate, lower, upper };
  }

  /** Draws x patients; made once for all statistics over as many patients. */
  private draw(patients: number): Uint16Array {
    if (this.patients === patients) return this.counts;
    const random = createRandom(this.plan.seed);
    const counts = new Uint16Array(this.plan.draws * patients);
    for (let at = 0; at < counts.length; at += patients)
      for (let n = 0; n < patients; n++) counts[at + random.integer(0, patients - 1)]!++;
    this.patients = patients;
    this.counts = counts;
    return counts;
  }
}
