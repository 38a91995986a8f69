import type { Log } from '../../adapters/log.ts';
import { openRuntime, type Provider, type Runtime } from '../../adapters/onnx.ts';
import { peakMemoryMiB } from '../../adapters/provenance.ts';
import type { S3Store } from '../../adapters/s3-store.ts';
import type { RunKeys } from '../../core/contract/keys.ts';
import type { Machine } from '../../core/contract/report.ts';
import { BundleError } from '../../core/errors.ts';
import type { BlobStore } from '../../core/ports.ts';
import { type OpenBundle, openBundle } from '../../core/stage/open-bundle.ts';
import type { SlabModel } from '../../core/stage/segment.ts';
import { SlabQueue } from '../../core/stage/slab-queue.ts';
import type { JobRecord } from '../../site/contract/runs.ts';

export interface ModelOptions {
  readonly providers: readonly Provider[];
  readonly threads: number;
  /** What the job runs on; null where the instance has not said so. */
  readonly machine?: Machine | null;
}

export interface ModelPorts {
  readonly below: (prefix: string) => S3Store;
  readonly log: Log;
}

export interface SlabPorts {
  readonly store: BlobStore;
  readonly log: Log;
  /** Aborted when the instance is taken away: slabs in work are finished, no other is begun. */
  readonly stop: AbortSignal;
}

/** Segments slabs by the job's model, and says of each that it was done. */
export const slabQueue = (
  keys: RunKeys,
  model: JobModel,
  { store, log, stop }: SlabPorts,
): SlabQueue =>
  new SlabQueue(keys, {
    store,
    stop,
    model: () => model.openModel(),
    onSlab: ({ reused, records: { index, slices, seconds } }) => {
      if (!reused) log.info('slab', { index, slices: slices.length, seconds: seconds.total });
    },
  });

/**
 * The bundle of a job: fetched and verified when it is first asked for, its graphs opened when the
 * first slab needs them, both kept for the life of the job.
 */
export class JobModel {
  private readonly expected: { readonly prefix: string; readonly digest: string };
  private readonly options: ModelOptions;
  private readonly ports: ModelPorts;
  private bundle: Promise<OpenBundle> | undefined;
  private runtime: Promise<Runtime> | undefined;
  /** Of the graphs, once they are open. */
  private provider: string | undefined;
  private loadSeconds = 0;

  constructor(
    expected: { readonly prefix: string; readonly digest: string },
    options: ModelOptions,
    ports: ModelPorts,
  ) {
    this.expected = expected;
    this.options = options;
    this.ports = ports;
  }

  /** @throws BundleError where it is incomplete, damaged or not the one that the work began with */
  openBundle(): Promise<OpenBundle> {
    this.bundle ??= this.timed(() => this.fetch());
    return this.bundle;
  }

  async openModel(): Promise<SlabModel> {
    const bundle = await this.openBundle();
    this.runtime ??= this.timed(() => this.start(bundle));
    const { infer, backend } = await this.runtime;
    return { manifest: bundle.manifest, infer, backend };
  }

  /** The job's own account of an attempt that began at `startedMs`. */
  account(
    attempt: Pick<JobRecord, 'index' | 'attempt'>,
    startedMs: number,
    slabs: Pick<JobRecord, 'slabsDone' | 'slabsSkipped'>,
  ): JobRecord {
    return {
      schemaVersion: 1,
      ...attempt,
      backend: this.provider ?? 'none',
      machine: this.options.machine ?? null,
      loadSeconds: this.loadSeconds,
      totalSeconds: (performance.now() - startedMs) / 1000,
      ...slabs,
      peakMemoryMiB: peakMemoryMiB(),
    };
  }

  async close(): Promise<void> {
    const runtime = await this.runtime?.catch(() => undefined);
    await runtime?.close();
  }

  private async timed<T>(load: () => Promise<T>): Promise<T> {
    const startedMs = performance.now();
    const loaded = await load();
    this.loadSeconds += (performance.now() - startedMs) / 1000;
    return loaded;
  }

  private async fetch(): Promise<OpenBundle> {
    const { prefix, digest } = this.expected;
    const bundle = await openBundle(this.ports.below(`${prefix}/`), prefix);
    if (bundle.digest === digest) return bundle;
    throw new BundleError({
      code: 'bundle-changed',
      subject: prefix,
      expected: `the digest ${digest}, as when the work began`,
      found: bundle.digest,
      remedy: 'Bundles are registered under their digest and never changed: register it again.',
    });
  }

  private async start(bundle: OpenBundle): Promise<Runtime> {
    const runtime = await openRuntime(bundle, this.options);
    const backend = runtime.backend.provider;
    this.provider = backend;
    this.ports.log.info('loaded', { backend });
    return runtime;
  }
}
