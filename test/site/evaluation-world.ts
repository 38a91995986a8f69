import { createLog } from '../../adapters/log.ts';
import type { Notice } from '../../adapters/sns.ts';
import { Evaluation } from '../../core/contract/evaluation.ts';
import { PromotionPolicy } from '../../core/contract/promotion.ts';
import { runEvaluateJob } from '../../gpu-jobs/infer/evaluate-job.ts';
import { bundleReader } from '../../site/bundles.ts';
import {
  type EvaluationRecord,
  EvaluationRequest,
  evaluateJobName,
} from '../../site/contract/evaluation.ts';
import type { JobStateChange, ObjectCreated } from '../../site/contract/events.ts';
import { cloudKeys } from '../../site/contract/keys.ts';
import { type FinishPorts, finishEvaluation } from '../../site/evaluation/finish.ts';
import { startEvaluation } from '../../site/evaluation/start.ts';
import { phantomFile } from '../support/case.ts';
import { imageKey, labelKey, World } from './world.ts';

/** Phantoms of a few slices: what is tested is what becomes of them. */
const SIZE = { columns: 48, rows: 40, slices: 8 };

export interface SubmittedShard {
  readonly id: string;
  readonly shard: number;
  readonly firstChild: number;
  readonly children: number;
}

/** A site's evaluations over a bucket in memory; jobs run when a test says so. */
export class EvaluationWorld {
  readonly site: World;
  readonly submitted: SubmittedShard[] = [];
  readonly notices: Notice[] = [];
  readonly logs: string[] = [];
  policy = PromotionPolicy.parse({ minimumPatients: 2 });
  casesPerJob = 2;
  private readonly log = createLog('test', 'north', (line) => this.logs.push(line));

  private constructor(site: World) {
    this.site = site;
  }

  static async open(): Promise<EvaluationWorld> {
    return new EvaluationWorld(await World.open());
  }

  get store() {
    return this.site.store;
  }

  /** Uploads labelled phantoms; only labels are dealt with, so that no prediction exists yet. */
  async addCases(...seeds: readonly number[]): Promise<void> {
    for (const seed of seeds) {
      const { image, label } = phantomFile({ seed, ...SIZE });
      await this.site.upload(imageKey(`c${seed}.nii`), image);
      await this.site.label(await this.site.upload(labelKey(`c${seed}.nii`), label));
    }
  }

  /** Returns the ids of what was started. */
  start(request: Partial<EvaluationRequest> = {}): Promise<string[]> {
    return startEvaluation(
      EvaluationRequest.parse({
        schemaVersion: 1,
        dataset: 'liver',
        bundle: 'active',
        promote: false,
        requestedAt: '2026-01-04T03:00:00Z',
        ...request,
      }),
      { casesPerJob: this.casesPerJob, slicesPerSlab: 4, leaseSeconds: 900 },
      {
        store: this.store,
        bundle: bundleReader(this.store, 'active'),
        submit: (record, shard) => this.submit(record, shard),
        log: this.log,
      },
    );
  }

  /** What Batch answers. */
  submit = async (record: EvaluationRecord, shard: number): Promise<string> => {
    const { evaluationId: id, jobs } = record;
    const { firstChild, children } = jobs[shard]!;
    this.submitted.push({ id, shard, firstChild, children });
    return `job-${shard}`;
  };

  /** All children of a shard, in this process. */
  async runJobs({ id, firstChild, children }: SubmittedShard, stop = new AbortController().signal) {
    const outcomes: string[] = [];
    for (let child = firstChild; child < firstChild + children; child++)
      outcomes.push(
        await runEvaluateJob(
          { evaluationId: id, child, attempt: 1, providers: ['cpu'], threads: 1 },
          { store: this.store, below: this.site.bucket.below, log: this.log, stop },
        ),
      );
    return outcomes;
  }

  /** Announces the end of a shard. */
  end(
    { id, shard }: SubmittedShard,
    status: 'SUCCEEDED' | 'FAILED' = 'SUCCEEDED',
    reason?: string,
  ) {
    const event: JobStateChange = {
      source: 'aws.batch',
      'detail-type': 'Batch Job State Change',
      detail: {
        jobId: `job-${shard}`,
        jobName: evaluateJobName(id, shard),
        status,
        ...(reason === undefined ? {} : { statusReason: reason }),
      },
    };
    return finishEvaluation(event, this.finishPorts());
  }

  /** Announces that there was nothing to compute. */
  async ready(id: string): Promise<void> {
    const key = cloudKeys.evaluationReady(id);
    const event: ObjectCreated = {
      source: 'aws.s3',
      'detail-type': 'Object Created',
      time: '2026-01-01T00:00:00Z',
      detail: {
        bucket: { name: 'bucket' },
        object: { key, size: 3, 'version-id': this.site.bucket.versionOf(key) },
      },
    };
    return finishEvaluation(event, this.finishPorts());
  }

  /** Runs and ends everything that was submitted and is open. */
  async finishAll(): Promise<void> {
    for (const shard of this.submitted.splice(0)) {
      await this.runJobs(shard);
      await this.end(shard);
    }
  }

  async evaluation(id: string): Promise<Evaluation> {
    const key = cloudKeys.evaluationFile('liver', id, 'evaluation.json');
    return Evaluation.parse(await this.json(key));
  }

  async json(key: string): Promise<unknown> {
    return JSON.parse(Buffer.from(await this.store.get(key)).toString('utf8'));
  }

  private finishPorts(): FinishPorts {
    return {
      store: this.store,
      policy: this.policy,
      leaseSeconds: 900,
      usdPerGpuHour: 0.5,
      site: 'north',
      bucket: 'bucket',
      region: 'eu-central-1',
      notify: async (notice) => void this.notices.push(notice),
      log: this.log,
      emit: (values) => {
        for (const [name, value] of Object.entries(values) as [keyof typeof values, number][])
          this.site.metrics.set(name, (this.site.metrics.get(name) ?? 0) + value);
      },
    };
  }
}
