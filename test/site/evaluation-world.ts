import { Evaluation } from '../../core/contract/evaluation.ts';
import { runEvaluateJob } from '../../gpu-jobs/infer/evaluate-job.ts';
import {
  EvaluationRequest,
  evaluateJobName,
  partsOfJobName,
} from '../../site/contract/evaluation.ts';
import { cloudKeys, JOB_NAME } from '../../site/contract/keys.ts';
import { phantomFile } from '../support/case.ts';
import { endOfJob, imageKey, labelKey, World } from './world.ts';

/** Phantoms of a few slices: what is tested is what becomes of them. */
export const SIZE = { columns: 24, rows: 20, slices: 8 };

/** One array job of an evaluation. */
export interface SubmittedShard {
  readonly id: string;
  readonly shard: number;
  readonly firstChild: number;
  readonly children: number;
}

/** A site's evaluations; jobs run when a test says so. */
export class EvaluationWorld extends World {
  private ended = 0;

  /** Uploads labelled phantoms; only labels are dealt with, so that no prediction exists yet. */
  async addCases(...seeds: readonly number[]): Promise<void> {
    for (const seed of seeds) {
      const { image, label } = phantomFile({ seed, ...SIZE });
      await this.upload(imageKey(`c${seed}.nii`), image);
      await this.label(await this.upload(labelKey(`c${seed}.nii`), label));
    }
  }

  /** Asks as the schedule does; returns the ids of what was started. */
  async evaluate(request: Partial<EvaluationRequest> = {}): Promise<string[]> {
    const detail = EvaluationRequest.parse({
      schemaVersion: 1,
      dataset: 'liver',
      bundle: 'active',
      promote: false,
      requestedAt: '2026-01-04T03:00:00Z',
      ...request,
    });
    const before = this.logs.length;
    await this.deliver('evaluate-start', {
      source: 'sammix.evaluation',
      'detail-type': 'Evaluation Requested',
      detail,
    });
    return this.logs
      .slice(before)
      .map((line) => JSON.parse(line) as { event: string; evaluationId: string })
      .filter(({ event }) => event === 'evaluation-started')
      .map(({ evaluationId }) => evaluationId);
  }

  /** The array jobs of evaluations whose end no test has announced. */
  get shards(): SubmittedShard[] {
    return this.jobs
      .filter(({ name }) => name.startsWith(JOB_NAME.evaluate))
      .slice(this.ended)
      .map(({ name, children, environment }) => ({
        ...partsOfJobName(name)!,
        firstChild: Number(environment.SAMMIX_FIRST_CHILD),
        children,
      }));
  }

  /** All children of a shard, in this process. */
  async runShard(
    { id, firstChild, children }: SubmittedShard,
    stop = new AbortController().signal,
  ) {
    const outcomes: string[] = [];
    for (let child = firstChild; child < firstChild + children; child++)
      outcomes.push(
        await runEvaluateJob(
          { evaluationId: id, child, attempt: 1, providers: ['cpu'], threads: 1 },
          { store: this.store, below: this.bucket.below, log: this.log(), stop },
        ),
      );
    return outcomes;
  }

  /** Announces the end of a shard. */
  end(
    { id, shard }: SubmittedShard,
    status: 'SUCCEEDED' | 'FAILED' = 'SUCCEEDED',
    statusReason?: string,
  ) {
    const event = endOfJob(evaluateJobName(id, shard), status, { statusReason });
    return this.deliver('evaluate-finish', event);
  }

  /** Announces that there was nothing to compute. */
  ready = (id: string) =>
    this.deliver('evaluate-finish', this.created(cloudKeys.evaluationReady(id)));

  /** Runs and ends everything that was submitted and is open. */
  async finishAll(): Promise<void> {
    for (const shard of this.shards) {
      await this.runShard(shard);
      await this.end(shard);
      this.ended += 1;
    }
  }

  async evaluation(id: string): Promise<Evaluation> {
    const key = cloudKeys.evaluationFile('liver', id, 'evaluation.json');
    return Evaluation.parse(await this.json(key));
  }
}
