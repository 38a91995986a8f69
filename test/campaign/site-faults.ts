import { S3ServiceException } from '@aws-sdk/client-s3';
import { createLog } from '../../adapters/log.ts';
import { CaseReport } from '../../core/contract/report.ts';
import { SammixError } from '../../core/errors.ts';
import type { Random } from '../../core/random.ts';
import { runSegmentJob } from '../../gpu-jobs/infer/segment-job.ts';
import { ObjectCreated } from '../../site/contract/events.ts';
import { cloudKeys, PREFIX } from '../../site/contract/keys.ts';
import { LabelPointer, LatestPointer, RunRecord } from '../../site/contract/runs.ts';
import { imageKey, jobEvent, labelKey, type SubmittedJob, World } from '../site/world.ts';
import { phantomFile } from '../support/case.ts';
import { maskHash, type Scene } from './scene.ts';

/** What the site has to deal with in each chain: two images, the label of one. */
const UPLOADS = (['a', 'b'] as const).map((caseId, at) => ({
  caseId,
  ...phantomFile({ seed: at + 1, columns: 24, rows: 20, slices: 8 }),
}));
const DATASET = 'liver';

/** Something that waits for its turn: a message on a queue, or a job in Batch. */
interface Waiting {
  readonly what: 'split' | 'assemble' | 'failures' | SubmittedJob;
  readonly event?: unknown;
  attempt: number;
}

/** A function that has died may hold its lease; SQS delivers again when it is over. */
const LEASE_OVER_MS = 1_000_000;
const MOST_ATTEMPTS = 12;

/** A site's own handlers and jobs in this process, over a bucket in memory. */
export async function site(): Promise<Scene> {
  const base = await World.open();
  const calm = await new Storm(new World(base.bucket.copy())).toTheEnd();
  return {
    async chain(random, faults, struck) {
      const storm = new Storm(new World(base.bucket.copy()), random);
      for (let n = 0; n < faults; n++) storm.planned.push(random.pick(KINDS));
      storm.struck = struck;
      const masks = await storm.toTheEnd();
      const other = [...calm].filter(([caseId, hash]) => masks.get(caseId) !== hash);
      if (other.length > 0)
        throw new Error(`another mask of ${other.map(([id]) => id).join(', ')}`);
    },
    close: async () => undefined,
  };
}

const KINDS = [
  'S3 fails before',
  'S3 fails after',
  'a function dies',
  'Batch refuses',
  'Batch loses its answer',
  'event twice',
  'event twice at once',
  'a job twice at once',
  'spot reclaim',
  'spot reclaim and kill',
  'lost upload',
  'a job fails for good',
] as const;
type Kind = (typeof KINDS)[number];

/** Of the requests or answers of one function or job. */
type Trouble = 'S3 fails before' | 'S3 fails after' | 'dies';

class Storm {
  private readonly world: World;
  private readonly random: Random | undefined;
  /** Each waits for what it can strike; what never comes is not counted. */
  readonly planned: Kind[] = [];
  struck: (kind: string) => void = () => undefined;
  private readonly waiting: Waiting[] = [];
  private seenJobs = 0;
  /** Called before and after each request that the bucket answers. */
  private weather: (when: 'before' | 'after') => void = () => undefined;

  constructor(world: World, random?: Random) {
    this.world = world;
    this.random = random;
    const answers = world.bucket.answer as unknown as Record<string, (input: never) => unknown>;
    for (const [name, answer] of Object.entries(answers))
      answers[name] = async (input) => {
        this.weather('before');
        const answered = await answer(input);
        this.weather('after');
        return answered;
      };
  }

  /** Uploads all, lets everything happen in any order, and looks at the end. */
  async toTheEnd(): Promise<Map<string, string>> {
    for (const { caseId, image } of UPLOADS) await this.upload(caseId, image);
    const [first] = UPLOADS;
    const label = await this.world.upload(labelKey(`${first!.caseId}.nii`), first!.label);
    this.waiting.push({ what: 'assemble', event: label, attempt: 1 });
    while (this.waiting.length > 0) await this.step();
    await this.world.deliver('watch', { source: 'sammix.watch' });
    return this.mustBeWhole();
  }

  private async upload(caseId: string, image: Uint8Array): Promise<void> {
    const event = await this.world.upload(imageKey(`${caseId}.nii`), image);
    this.waiting.push({ what: 'split', event, attempt: 1 });
  }

  private async step(): Promise<void> {
    const at = this.random?.integer(0, this.waiting.length - 1) ?? 0;
    const [next] = this.waiting.splice(at, 1) as [Waiting];
    if (next.attempt > MOST_ATTEMPTS) throw new Error(`${nameOf(next)} does not end`);
    const kind = this.planned[0];
    if (kind !== undefined && this.canStrike(kind, next)) {
      this.struck(kind);
      this.planned.shift();
      await this.strike(kind, next);
    } else await this.attempt(next);
    for (const job of this.world.jobs.slice(this.seenJobs))
      this.waiting.push({ what: job, attempt: 1 });
    this.seenJobs = this.world.jobs.length;
  }

  private canStrike(kind: Kind, { what }: Waiting): boolean {
    if (kind.startsWith('S3 fails')) return true;
    if (kind.startsWith('Batch') || kind === 'lost upload') return what === 'split';
    const ofFunctions = kind.startsWith('event') || kind === 'a function dies';
    return ofFunctions === (typeof what === 'string');
  }

  private async strike(kind: Kind, next: Waiting): Promise<void> {
    switch (kind) {
      case 'S3 fails before':
      case 'S3 fails after':
        return this.attempt(next, kind);
      case 'a function dies':
      case 'spot reclaim and kill':
        return this.attempt(next, 'dies');
      case 'spot reclaim':
        return this.reclaimed(next);
      case 'Batch refuses':
      case 'Batch loses its answer':
        this.world.onSubmit = async (job) => {
          this.world.onSubmit = async () => undefined;
          if (kind === 'Batch loses its answer') this.world.jobs.push(job);
          throw serviceError('ServerException');
        };
        return this.attempt(next);
      case 'event twice':
        this.waiting.push({ ...next });
        return this.attempt(next);
      case 'event twice at once':
      case 'a job twice at once':
        await Promise.all([this.attempt(next), this.attempt({ ...next })]);
        return;
      case 'a job fails for good':
        // One of two jobs of the run, says Batch, while the other is still to run.
        this.waiting.push({
          what: 'failures',
          event: jobEvent(runOf(next), 'FAILED', 'Host EC2 terminated'),
          attempt: 1,
        });
        return this.attempt(next);
      case 'lost upload':
        return this.lostUpload(next);
    }
  }

  /** Removed before its turn comes, and uploaded again. */
  private async lostUpload(next: Waiting): Promise<void> {
    const { key, 'version-id': version } = ObjectCreated.parse(next.event).detail.object;
    const lost = UPLOADS.find(({ caseId }) => imageKey(`${caseId}.nii`) === key)!;
    await this.world.store.remove(key);
    this.world.bucket.forget(key, version);
    await this.attempt(next);
    await this.upload(lost.caseId, lost.image);
  }

  /** SIGTERM: the slab in work is finished, the job ends, and Batch tries again. */
  private async reclaimed(next: Waiting): Promise<void> {
    const stop = new AbortController();
    let requests = this.random?.integer(1, 40) ?? 1;
    this.weather = () => {
      requests -= 1;
      if (requests === 0) stop.abort();
    };
    await this.attempt(next, undefined, stop.signal);
  }

  /** What fails comes back. */
  private async attempt(next: Waiting, trouble?: Trouble, stop?: AbortSignal): Promise<void> {
    const now = Date.now;
    if (next.attempt > 1) Date.now = () => now() + LEASE_OVER_MS;
    if (trouble) this.weather = this.weatherOf(trouble);
    try {
      if ((await this.work(next, stop)) === 'interrupted') this.again(next);
    } catch (error) {
      if (!isExpected(error)) throw error;
      this.again(next);
    } finally {
      this.weather = () => undefined;
      Date.now = now;
    }
  }

  private again(next: Waiting): void {
    this.waiting.push({ ...next, attempt: next.attempt + 1 });
  }

  private async work(next: Waiting, stop = new AbortController().signal): Promise<string> {
    const { world } = this;
    if (typeof next.what === 'string') {
      const said = await world.deliver(next.what, next.event);
      return said.includes('in-progress') ? 'interrupted' : 'done';
    }
    const runId = runOf(next);
    const log = createLog('job', 'north', () => undefined);
    for (let index = 0; index < next.what.children; index++) {
      const job = { runId, index, attempt: next.attempt, providers: ['cpu'], threads: 1 } as const;
      const outcome = await runSegmentJob(job, {
        store: world.store,
        below: world.bucket.below,
        log,
        stop,
      });
      if (outcome === 'interrupted') return outcome;
    }
    this.waiting.push({ what: 'assemble', event: jobEvent(runId, 'SUCCEEDED'), attempt: 1 });
    return 'done';
  }

  private weatherOf(trouble: Trouble): Storm['weather'] {
    let requests = this.random?.integer(1, 30) ?? 1;
    return (when) => {
      if (when === (trouble === 'S3 fails after' ? 'after' : 'before')) requests -= 1;
      const strikes = trouble === 'dies' ? requests <= 0 : requests === 0;
      if (!strikes) return;
      if (trouble !== 'dies') requests = Number.POSITIVE_INFINITY;
      throw serviceError('InternalError');
    };
  }

  private async mustBeWhole(): Promise<Map<string, string>> {
    const { world } = this;
    const masks = new Map<string, string>();
    for (const { caseId } of UPLOADS) {
      const pointer = LatestPointer.parse(await world.json(cloudKeys.latest(DATASET, caseId)));
      const report = CaseReport.parse(await world.json(`${pointer.prefix}/report.json`));
      if (report.status !== 'segmented') throw new Error(`${caseId} failed: ${report.fault.code}`);
      if (caseId === UPLOADS[0]!.caseId && !report.comparison)
        throw new Error(`${caseId} was not compared with its label`);
      masks.set(caseId, maskHash(await world.store.get(`${pointer.prefix}/mask.nii.gz`)));
    }
    for (const key of world.bucket.keys(PREFIX.runs)) {
      if (!/^runs\/[0-9a-f]{16}\.json$/.test(key)) continue;
      const { state } = RunRecord.parse(await world.json(key));
      if (state !== 'reported' && state !== 'withdrawn') throw new Error(`${key} is ${state}`);
    }
    LabelPointer.parse(await world.json(cloudKeys.labelPointer(DATASET, UPLOADS[0]!.caseId)));
    const open = world.bucket.keys(PREFIX.open);
    if (open.length > 0) throw new Error(`still open: ${open.join(', ')}`);
    for (const key of world.bucket.keys()) if (key.endsWith('.json')) await world.json(key);
    return masks;
  }
}

const nameOf = ({ what }: Waiting): string => (typeof what === 'string' ? what : what.name);

const runOf = ({ what }: Waiting): string => (what as SubmittedJob).environment.SAMMIX_RUN_ID!;

/** A failure of the weather, or what the site makes of one; anything else is a defect. */
const isExpected = (error: unknown): boolean =>
  error instanceof SammixError || error instanceof S3ServiceException;

const serviceError = (name: string): S3ServiceException =>
  new S3ServiceException({
    name,
    message: name,
    $fault: 'server',
    $metadata: { httpStatusCode: 500 },
  });
