import { casesOfChild, readPlan, writeEvaluationJob } from '../../site/evaluation/records.ts';
import { evaluateCase } from './evaluate-case.ts';
import { JobModel, type ModelOptions } from './job-model.ts';
import type { SegmentJobPorts } from './segment-job.ts';

export interface EvaluateJob extends ModelOptions {
  readonly evaluationId: string;
  /** Counted over all array jobs of the evaluation. */
  readonly child: number;
  readonly attempt: number;
}

/**
 * Segments and reports one child's cases of an evaluation, one after the other, with one model. A
 * case that fails ends in a failure report and the next begins. `interrupted` leaves finished cases
 * and slabs for the next attempt.
 */
export async function runEvaluateJob(
  job: EvaluateJob,
  ports: SegmentJobPorts,
): Promise<'done' | 'interrupted'> {
  const startedMs = performance.now();
  const { plan } = await readPlan(ports.store, job.evaluationId);
  const cases = await casesOfChild(ports.store, plan, job.child);
  const model = new JobModel(plan.bundle, job, ports);
  let [slabsDone, slabsSkipped, interrupted] = [0, 0, false];
  try {
    for (const [index, planned] of cases.entries()) {
      interrupted = ports.stop.aborted;
      if (interrupted) break;
      const outcome = await evaluateCase(planned, plan, model, ports);
      slabsDone += outcome.slabsDone;
      slabsSkipped += outcome.slabsSkipped;
      interrupted = outcome.state === 'interrupted';
      ports.log.info('case', { index, state: outcome.state, slabs: outcome.slabsDone });
      if (interrupted) break;
    }
    const attempt = { index: job.child, attempt: job.attempt };
    const account = model.account(attempt, startedMs, { slabsDone, slabsSkipped });
    await writeEvaluationJob(ports.store, job.evaluationId, account);
  } finally {
    await model.close();
  }
  return interrupted ? 'interrupted' : 'done';
}
