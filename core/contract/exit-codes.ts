/**
 * How a job ends, for Batch's `evaluateOnExit`: only what another attempt can change is retried.
 */
export const EXIT = {
  done: 0,
  /** A defect of ours, with a stack in the log. */
  defect: 1,
  /** Bad input, bundle or settings: the same on every attempt. */
  refused: 3,
  /** sysexits' EX_TEMPFAIL: storage did not answer. */
  tryAgain: 75,
  /** 128 + SIGTERM: the instance is being taken away. */
  interrupted: 143,
} as const;
