import type { FoundJob } from '../batch.ts';

/**
 * When something that was begun counts as lost or late. One rule for whatever a job is started for: an upload,
 * the canary's among them, an evaluation, a training.
 */

export interface Begun {
  /** When it was asked for. */
  readonly askedAt: string;
  /** When a function last took it up. */
  readonly claimedAt: string;
  /** Null while a function has it and no job is started. */
  readonly jobId: string | null;
  /** What Batch says; undefined where it knows no such job (any more). */
  readonly job: FoundJob | undefined;
  /** Hours that its job may take, the wait for an instance included. */
  readonly hours: number;
}

export type Step =
  | { readonly is: 'wait' }
  /** Its job has ended, and whoever should know does not. */
  | { readonly is: 'announce'; readonly status: 'SUCCEEDED' | 'FAILED' }
  /** Its job is still there when its time is over. */
  | { readonly is: 'late'; readonly found: string }
  /** Nobody works on it. */
  | { readonly is: 'lost'; readonly found: string };

/** What a function has taken up comes back from its queue four times, and is a dead letter then. */
const LONGEST_CLAIM_HOURS = 2;

/** Longer than any function works. */
const LONGEST_ATTEMPT_HOURS = 1;

/** How long the end of a job may be on its way before it counts as lost. */
const ANNOUNCEMENT_HOURS = 0.5;

export const hoursSince = (time: string | number, now: Date): number =>
  (now.getTime() - new Date(time).getTime()) / 3.6e6;

/** Whether a function that took something up has given up on it. */
export const isAbandoned = (
  { askedAt, claimedAt }: Pick<Begun, 'askedAt' | 'claimedAt'>,
  now: Date,
): boolean =>
  hoursSince(askedAt, now) > LONGEST_CLAIM_HOURS &&
  hoursSince(claimedAt, now) > LONGEST_ATTEMPT_HOURS;

export function nextStep(begun: Begun, now: Date): Step {
  const { claimedAt, jobId, job, hours } = begun;
  if (jobId === null)
    return isAbandoned(begun, now)
      ? { is: 'lost', found: 'a claim that nobody has worked on for hours' }
      : { is: 'wait' };
  if (!job)
    return hoursSince(claimedAt, now) > ANNOUNCEMENT_HOURS
      ? { is: 'lost', found: 'no such job in Batch any more' }
      : { is: 'wait' };
  const { status, statusReason, stoppedAt } = job;
  if (status === 'SUCCEEDED' || status === 'FAILED')
    return hoursSince(stoppedAt ?? claimedAt, now) > ANNOUNCEMENT_HOURS
      ? { is: 'announce', status }
      : { is: 'wait' };
  if (hoursSince(claimedAt, now) < hours) return { is: 'wait' };
  return { is: 'late', found: `a job that is ${status}${statusReason ? `: ${statusReason}` : ''}` };
}
