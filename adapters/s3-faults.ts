/** What the answers of S3 and of the network mean. */

export type Action = 'read' | 'write' | 'list' | 'remove';

const PAST = { read: 'read', write: 'written', remove: 'removed' } as const;

export const expectation = (action: Action): string =>
  `an object that can be ${action === 'list' ? 'listed' : PAST[action]}`;

/** Of Node's sockets, and of the SDK where it gives up waiting for one. */
const CONNECTION = /^(ECONN\w+|EPIPE|ETIMEDOUT|EAI_AGAIN|ENETUNREACH|EHOSTUNREACH|TimeoutError)$/;

/** The network's fault, not S3's answer: a reset in the middle of a body has no metadata of S3. */
export function isConnectionError(cause: unknown): boolean {
  if (!(cause instanceof Error)) return false;
  const { code } = cause as NodeJS.ErrnoException;
  return CONNECTION.test(code ?? '') || CONNECTION.test(cause.name) || cause.message === 'aborted';
}

export const nameOf = (cause: unknown): string => (cause instanceof Error ? cause.name : 'unknown');

export const isServiceError = (cause: unknown): boolean =>
  typeof cause === 'object' && cause !== null && '$metadata' in cause;

export const isRefusal = (cause: unknown): boolean =>
  ['AccessDenied', 'Forbidden', '403'].includes(nameOf(cause));

export const isMissing = (cause: unknown): boolean =>
  ['NoSuchKey', 'NotFound', 'NoSuchVersion'].includes(nameOf(cause)) ||
  (isServiceError(cause) &&
    (cause as { $metadata: { httpStatusCode?: number } }).$metadata.httpStatusCode === 404 &&
    nameOf(cause) !== 'NoSuchBucket');
