import type { Rush } from './estimate.ts';
import { throughput } from './estimate.ts';
import { requestsOf } from './workload.ts';

/** Where a rush of volumes meets a limit of the site or of AWS. */
export interface Limit {
  readonly name: string;
  /** So many volumes uploaded at once meet it. */
  readonly volumes: number;
  /** What happens beyond. */
  readonly effect: string;
  readonly remedy: string;
}

export interface SiteLimits {
  /** Function calls at once that the account lets any function have. */
  readonly accountFunctions: number;
  /** After so long a job that has not ended is given up. */
  readonly deadlineHours: number;
}

const DAY = 86_400;

/** S3 takes so many requests a second below one prefix, and more as it splits busy ones. */
const S3_PER_SECOND = { writes: 3500, reads: 5500 } as const;

/** Jobs that one Batch queue holds before they start. */
const BATCH_QUEUED = 1_000_000;

/** Days for which SQS keeps a message (infra/events.ts). */
const QUEUE_DAYS = 14;

/** Cases of a dataset that the summary gets through in ten minutes: 1.2 ms each, bench/site-scale.ts. */
const SUMMARISED = 400_000;

/** Open runs that the watch looks at in the ten minutes of a call. */
const WATCHED = 100_000;

/** All limits, those that fewest volumes meet first. */
export function limitsOf(rush: Rush, site: SiteLimits): Limit[] {
  const { gpu, split, assemble } = throughput(rush);
  const { writes, reads } = requestsOf(rush.volume);
  const { instances, functions, workDays } = rush;
  const limits: Limit[] = [
    {
      name: 'GPU quota',
      volumes: instances + 1,
      effect: `more wait for one of ${instances} instances (the site file's ceilings; a new account's quota is 0)`,
      remedy:
        'compute.spotMaxVcpus and onDemandMaxVcpus, and the quotas behind them (sammix site doctor)',
    },
    {
      name: 'Lambda concurrency',
      volumes: Math.min(site.accountFunctions, functions.split) + 1,
      effect: `more wait for one of ${Math.min(site.accountFunctions, functions.split)} splits at once`,
      remedy: 'the account limit "Concurrent executions"; the GPU is slower than 20 splits',
    },
    {
      name: 'deadline',
      volumes: Math.floor(gpu * site.deadlineHours * 3600),
      effect: `what has not ended after ${site.deadlineHours} hours is given up and reported as failed`,
      remedy: 'compute.deadlineHours (336 at most), more instances, or uploads in portions',
    },
    {
      name: 'watch',
      volumes: WATCHED,
      effect:
        'a call of the watch ends before it has looked at all open runs: the last are looked at late',
      remedy: 'uploads in portions',
    },
    {
      name: 'summary',
      volumes: SUMMARISED,
      effect: 'the nightly summary of a dataset meets its ten minutes or its memory',
      remedy: 'several datasets',
    },
    {
      name: 'slabs expire',
      volumes: Math.floor(gpu * workDays * DAY),
      effect: `slabs are removed after ${workDays} days, before their job`,
      remedy: 'retention.workDays, more instances',
    },
    {
      name: 'Batch queue',
      volumes: BATCH_QUEUED,
      effect: 'Batch takes no more jobs; uploads wait in their queue for up to 14 days',
      remedy: 'uploads in portions',
    },
    {
      name: 'message retention',
      volumes: Math.floor(Math.min(split, assemble) * QUEUE_DAYS * DAY),
      effect: 'SQS deletes messages after 14 days, and nobody learns of them',
      remedy: 'uploads in portions',
    },
    {
      name: 'S3 request rate',
      // At the pace of the slowest part: what S3 takes in a second, for as long as a day.
      volumes: Math.floor(
        Math.min(S3_PER_SECOND.writes / writes, S3_PER_SECOND.reads / reads) * DAY,
      ),
      effect: 'more in a day would need more than 3 500 writes or 5 500 reads a second',
      remedy: 'none needed: keys are spread by hash, and S3 splits busy prefixes',
    },
  ];
  return limits.sort((a, b) => a.volumes - b.volumes);
}

/** Those that so many volumes meet, and the next that more would meet. */
export function limitsAt(
  limits: readonly Limit[],
  volumes: number,
): { readonly met: Limit[]; readonly next: Limit | undefined } {
  return {
    met: limits.filter((limit) => limit.volumes <= volumes),
    next: limits.find((limit) => limit.volumes > volumes),
  };
}
