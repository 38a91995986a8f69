import type { Feeds, Inferred } from '../core/ports.ts';
import type { LoadedGraph, Provider } from './onnx-session.ts';

/** What adapters/onnx-thread.ts and its thread say to each other. */
export type Request =
  | {
      readonly kind: 'load';
      readonly bytes: Uint8Array;
      readonly provider: Provider;
      readonly threads: number;
    }
  | { readonly kind: 'run'; readonly graphs: readonly LoadedGraph[]; readonly feeds: Feeds }
  | { readonly kind: 'release'; readonly graph: LoadedGraph };

export type Reply = { readonly id: number } & (
  | { readonly loaded: LoadedGraph }
  | { readonly inferred: Inferred }
  | { readonly failure: string }
  | object
);

/** Int32 of shared memory: 1 while this thread is in ONNX Runtime, and 1 once it must not enter again. */
export const THREAD_STATE = { busy: 0, closing: 1, length: 2 } as const;
