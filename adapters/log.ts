import { $ZodError } from 'zod/v4/core';
import { BundleError, ConfigError, SammixError } from '../core/errors.ts';

/**
 * Structured logs of the functions and jobs: one JSON object a line on standard output. The fields
 * are a closed set of ids, codes and numbers, because anything else (a key, a file name, an error's
 * text) may hold a patient's name.
 */
export interface LogFields {
  readonly runId?: string;
  readonly traceId?: string;
  readonly jobId?: string;
  readonly evaluationId?: string;
  /** A hash, see `uploadHash` in site/contract/keys.ts. */
  readonly uploadId?: string;
  readonly messageId?: string;
  readonly stage?: string;
  readonly code?: string;
  readonly reason?: string;
  readonly backend?: string;
  readonly state?: string;
  readonly index?: number;
  readonly count?: number;
  readonly slices?: number;
  readonly slabs?: number;
  readonly bytes?: number;
  readonly seconds?: number;
  readonly mebibytes?: number;
  readonly usd?: number;
}

export interface Log {
  info(event: string, fields?: LogFields): void;
  warn(event: string, fields?: LogFields): void;
  /** Logs what kind of error it is and where it was thrown, not its text. */
  error(event: string, cause: unknown, fields?: LogFields): void;
  /** The same log with these fields on every line. */
  with(fields: LogFields): Log;
}

type Write = (line: string) => void;

const toStandardOutput: Write = (line) => process.stdout.write(`${line}\n`);

export function createLog(
  service: string,
  site: string,
  write: Write = toStandardOutput,
  bound: LogFields = {},
): Log {
  const line = (level: string, event: string, fields: LogFields | object) =>
    write(
      JSON.stringify({
        timestamp: new Date().toISOString(),
        level,
        service,
        site,
        event,
        ...bound,
        ...fields,
      }),
    );
  return {
    info: (event, fields = {}) => line('info', event, fields),
    warn: (event, fields = {}) => line('warn', event, fields),
    error: (event, cause, fields = {}) =>
      line('error', event, { ...fields, error: describeError(cause) }),
    with: (fields) => createLog(service, site, write, { ...bound, ...fields }),
  };
}

/** What a person needs to find the cause where no code says it; none of these texts quotes a key or a file. */
const HARMLESS = [
  /^Region is missing$/,
  /^Could not load credentials from any providers$/,
  /^(connect|read|write) E[A-Z]+( [0-9.:a-f]+)?$/,
];

/** The environment and bundles are the site's own; other texts may hold the name of a patient's file. */
const saysNothingOfData = (cause: Error): boolean =>
  (cause instanceof ConfigError && cause.code === 'bad-environment') ||
  cause instanceof BundleError ||
  HARMLESS.some((text) => text.test(cause.message));

/** Under which AWS finds the call, and what it answered. */
function serviceAnswer(cause: Error): Pick<ErrorDescription, 'status' | 'requestId'> {
  const { $metadata } = cause as { $metadata?: { httpStatusCode?: number; requestId?: string } };
  const { httpStatusCode: status, requestId } = $metadata ?? {};
  return {
    ...(status === undefined ? {} : { status }),
    ...(requestId === undefined ? {} : { requestId }),
  };
}

interface ErrorDescription {
  readonly name: string;
  readonly code?: string;
  /** Only where it cannot name anything of a case. */
  readonly message?: string;
  readonly status?: number;
  readonly requestId?: string;
  /** Paths of the fields that did not have the expected form. */
  readonly fields?: readonly string[];
  readonly at?: readonly string[];
  readonly cause?: ErrorDescription;
}

/** Name, code and stack frames; messages and subjects stay out where they can quote file names. */
function describeError(cause: unknown, depth = 0): ErrorDescription {
  if (!(cause instanceof Error)) return { name: typeof cause };
  const frames = (cause.stack ?? '').split('\n').filter((frame) => /^\s+at /.test(frame));
  return {
    name: cause.name,
    ...(cause instanceof SammixError ? { code: cause.code } : {}),
    ...(saysNothingOfData(cause) ? { message: cause.message } : {}),
    ...serviceAnswer(cause),
    ...(cause instanceof $ZodError
      ? { fields: cause.issues.slice(0, 5).map((issue) => issue.path.join('.')) }
      : {}),
    at: frames.slice(0, 5).map((frame) => frame.trim()),
    ...(cause.cause !== undefined && depth < 3
      ? { cause: describeError(cause.cause, depth + 1) }
      : {}),
  };
}
