import type { S3Store } from '../adapters/s3-store.ts';
import type { ObjectCreated } from './contract/events.ts';
import { cloudKeys } from './contract/keys.ts';
import type { EmitMetrics } from './metrics.ts';

export interface OncePorts {
  readonly store: S3Store;
  readonly emit: EmitMetrics;
}

/**
 * S3 announces an upload at least once. The first announcement that is dealt with leaves a mark; the
 * others cost one HEAD request. A crash before the mark costs another attempt, which every action
 * withstands by itself.
 */
export async function once<Outcome>(
  { detail: { object } }: ObjectCreated,
  { store, emit }: OncePorts,
  action: () => Promise<Outcome>,
): Promise<Outcome | 'duplicate'> {
  const mark = cloudKeys.handled(object.key, object['version-id']);
  if (await store.stat(mark)) {
    emit({ DuplicateEvents: 1 });
    return 'duplicate';
  }
  const outcome = await action();
  await store.put(mark, new Uint8Array(0));
  return outcome;
}
