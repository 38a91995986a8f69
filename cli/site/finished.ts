import type { Command } from 'commander';
import type { Progress } from '../progress.ts';

/** What an action leaves to print, and the exit code of the command. */
export interface Finished {
  readonly result: unknown;
  readonly text?: string;
  readonly exitCode: number;
}

/** Runs an action and prints its result as the command line asks for (`--json`, `--quiet`). */
export type Report = (
  command: Command,
  action: (progress: Progress) => Promise<Finished>,
) => Promise<void>;

export const ok = (result: unknown, text?: string): Finished => ({
  result,
  exitCode: 0,
  ...(text === undefined ? {} : { text }),
});
