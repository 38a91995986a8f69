/** What `sammix site doctor` says of one thing that a site needs. */
export interface Finding {
  /** Names the thing; the same in every run, for programs. */
  readonly check: string;
  /**
   * `well`; `warning`: works, but not as the site file means it; `problem`: something does not work;
   * `unknown`: could not be looked at, and so is not known to be well.
   */
  readonly verdict: 'well' | 'warning' | 'problem' | 'unknown';
  /** What was found. */
  readonly found: string;
  /** Why it matters; null where all is well. */
  readonly because: string | null;
  /** The command, or the change of the site file, that mends it; null where there is nothing to mend. */
  readonly mend: string | null;
}

/** The answer to a question to AWS (or to this machine), or why there is none. */
export type Asked<T> = { readonly answer: T } | { readonly noAnswer: NoAnswer };

export interface NoAnswer {
  /** What has to be allowed for it: an IAM action. */
  readonly action: string;
  /** The error's name and message. */
  readonly reason: string;
}

export const well = (check: string, found: string): Finding => ({
  check,
  verdict: 'well',
  found,
  because: null,
  mend: null,
});

export const fault = (
  check: string,
  verdict: 'warning' | 'problem',
  found: string,
  because: string,
  mend: string,
): Finding => ({ check, verdict, found, because, mend });

/** Judges an answer; a question without one is a finding of its own. */
export function judged<T>(
  check: string,
  asked: Asked<T>,
  judge: (answer: T) => Finding | readonly Finding[],
): readonly Finding[] {
  if ('answer' in asked) return [judge(asked.answer)].flat();
  const { action, reason } = asked.noAnswer;
  return [
    {
      check,
      verdict: 'unknown',
      found: `no answer (${reason})`,
      because: 'What cannot be looked at is not known to be well.',
      mend: `Let these credentials do ${action} (docs/security.md, "Policies"), and ask again.`,
    },
  ];
}

/** Whether nothing has to be mended or looked at by other means; warnings let it pass. */
export const isFit = (findings: readonly Finding[]): boolean =>
  findings.every(({ verdict }) => verdict === 'well' || verdict === 'warning');
