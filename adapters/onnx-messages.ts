import type { Feeds } from '../core/ports.ts';
import type { GraphSession, Provider } from './onnx-session.ts';

/** What adapters/onnx-thread.ts and its thread say to each other. */
export type Request =
  | {
      readonly kind: 'create';
      readonly bytes: Uint8Array;
      readonly provider: Provider;
      readonly threads: number;
    }
  | {
      readonly kind: 'run';
      readonly session: number;
      readonly feeds: Feeds;
      /** Inputs that are outputs of another session's last run, and so are in the thread already. */
      readonly kept: Readonly<Record<string, KeptTensor>>;
    }
  | { readonly kind: 'release'; readonly session: number };

export interface KeptTensor {
  readonly session: number;
  readonly output: string;
}

/** What `create` answers. */
export type Created = Pick<GraphSession, 'inputNames' | 'outputNames' | 'onnxRuntimeVersion'> & {
  readonly session: number;
};

export type Reply = { readonly id: number } & (
  | { readonly created: Created }
  | { readonly tensors: Feeds }
  | { readonly failure: string }
  | object
);

/** Int32 of shared memory: 1 while this thread is in ONNX Runtime, and 1 once it must not enter again. */
export const THREAD_STATE = { busy: 0, closing: 1, length: 2 } as const;
