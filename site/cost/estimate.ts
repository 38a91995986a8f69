import type { InstancePrice } from '../contract/prices.ts';
import { EVERYWHERE, type RegionPrices } from './list-prices.ts';
import {
  assembleSeconds,
  BYTES,
  FUNCTION_GB,
  gpuSecondsOf,
  INSTANCE_IDLE_SECONDS,
  jobsOf,
  requestsOf,
  splitSeconds,
  type Volume,
} from './workload.ts';

/** What is to be estimated: so many volumes at once, at a site so large. */
export interface Rush {
  readonly volumes: number;
  readonly volume: Volume;
  readonly prices: RegionPrices;
  readonly instance: InstancePrice;
  readonly market: 'spot' | 'on-demand';
  /** GPU jobs at once: the site's vCPU ceilings by the vCPUs of a job. */
  readonly instances: number;
  /** Calls of the split and of the assemble function at once. */
  readonly functions: { readonly split: number; readonly assemble: number };
  /** Days for which slabs are kept. */
  readonly workDays: number;
  /** Measured at a site, in place of the assumed time of a T4. */
  readonly gpuSecondsPerVolume?: number;
}

export interface Estimate {
  readonly usd: Readonly<Record<UsdPart, number>>;
  readonly totalUsd: number;
  readonly usdPerVolume: number;
  /** From the first upload to the last report. */
  readonly hours: number;
  /** The part of the site that the others wait for. */
  readonly slowest: keyof Throughput;
  readonly gpuHours: number;
  readonly s3Writes: number;
  readonly s3Reads: number;
  readonly functionCalls: number;
  readonly jobs: number;
  readonly uploadGb: number;
}

export type UsdPart =
  | 'gpu'
  | 'instanceStart'
  | 'functions'
  | 'requests'
  | 'slabs'
  | 'eventsAndQueues';

/** Volumes a second that each part of a site can take. */
export interface Throughput {
  readonly gpu: number;
  readonly split: number;
  readonly assemble: number;
  readonly submit: number;
}

/** Jobs that Batch accepts in a second. */
const SUBMITS_PER_SECOND = 50;

const gpuSecondsPerVolume = (rush: Rush): number =>
  rush.gpuSecondsPerVolume ?? gpuSecondsOf(rush.volume);

export function throughput(rush: Rush): Throughput {
  const { volume, instances, functions } = rush;
  return {
    gpu: instances / gpuSecondsPerVolume(rush),
    split: functions.split / splitSeconds(volume.slices),
    assemble: functions.assemble / assembleSeconds(volume.slices),
    submit: SUBMITS_PER_SECOND,
  };
}

/** Of a volume: its upload, its job's end, the pointer to its run; and what is sent to and asked of their queues. */
const EVENTS = 3;
const MESSAGES = 4 * EVENTS;

export function estimate(rush: Rush): Estimate {
  const { volumes, volume, prices } = rush;
  const { writes, reads } = requestsOf(volume);
  const gpuHours = (volumes * gpuSecondsPerVolume(rush)) / 3600;
  const usd = usdOf(rush, gpuHours, { writes, reads });
  const totalUsd = Object.values(usd).reduce((sum, part) => sum + part, 0);
  const parts = Object.entries(throughput(rush)) as [keyof Throughput, number][];
  const [slowest, perSecond] = parts.reduce((a, b) => (b[1] < a[1] ? b : a));
  const pipelineSeconds =
    INSTANCE_IDLE_SECONDS / 2 + splitSeconds(volume.slices) + assembleSeconds(volume.slices);
  return {
    usd,
    totalUsd,
    usdPerVolume: totalUsd / volumes,
    // A single volume takes all of its stages; of many, the slowest part decides.
    hours: (pipelineSeconds + Math.max(gpuSecondsPerVolume(rush), volumes / perSecond)) / 3600,
    slowest,
    gpuHours,
    s3Writes: volumes * writes,
    s3Reads: volumes * reads,
    functionCalls: EVENTS * volumes,
    jobs: volumes * jobsOf(volume),
    uploadGb: (volumes * volume.slices * BYTES.uploadPerSlice) / 1e9,
  };
  function usdOf(
    { instance, market, instances, workDays }: Rush,
    hours: number,
    requests: { writes: number; reads: number },
  ): Record<UsdPart, number> {
    const hourly = market === 'spot' ? (instance.spot ?? instance.onDemand) : instance.onDemand;
    const started = Math.min(instances, volumes * jobsOf(volume));
    const seconds = {
      split: splitSeconds(volume.slices),
      assemble: assembleSeconds(volume.slices),
    };
    const gbSeconds = seconds.split * FUNCTION_GB.split + seconds.assemble * FUNCTION_GB.assemble;
    const perMillion =
      EVENTS * EVERYWHERE.eventsPerMillion +
      MESSAGES * EVERYWHERE.sqsPerMillion +
      EVENTS * (EVERYWHERE.lambdaPerMillion + EVERYWHERE.tracesPerMillion);
    const slabGb = (volume.slices * BYTES.slabPerSlice) / 1e9;
    return {
      gpu: hours * hourly,
      instanceStart: ((started * INSTANCE_IDLE_SECONDS) / 3600) * hourly,
      functions: volumes * gbSeconds * EVERYWHERE.lambdaGbSecond,
      requests:
        (volumes / 1000) *
        (requests.writes * prices.s3WritesPerThousand + requests.reads * prices.s3ReadsPerThousand),
      slabs: volumes * slabGb * prices.s3GbMonth * (workDays / 30),
      eventsAndQueues: (volumes / 1e6) * perMillion,
    };
  }
}

/** What a site costs in a month in which nothing is uploaded. */
export interface IdleMonth {
  readonly endpoints: number;
  readonly key: number;
  readonly secret: number;
  readonly alarms: number;
  readonly dashboard: number;
  readonly polling: number;
  readonly total: number;
}

const HOURS_OF_MONTH = 730;

/** A mapping asks its queue with five pollers, each for twenty seconds. */
const POLLS_OF_QUEUE = 5 * 3 * 60 * HOURS_OF_MONTH;

export function idleMonth(
  prices: RegionPrices,
  { endpoints, alarms, queues }: { endpoints: number; alarms: number; queues: number },
): IdleMonth {
  const parts = {
    endpoints: endpoints * HOURS_OF_MONTH * prices.endpointHour,
    key: EVERYWHERE.keyMonth,
    secret: EVERYWHERE.secretMonth,
    alarms: alarms * EVERYWHERE.alarmMonth,
    dashboard: EVERYWHERE.dashboardMonth,
    polling: (queues * POLLS_OF_QUEUE * EVERYWHERE.sqsPerMillion) / 1e6,
  };
  return { ...parts, total: Object.values(parts).reduce((sum, part) => sum + part, 0) };
}
