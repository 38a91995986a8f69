import { spawn } from 'node:child_process';
import { createWriteStream } from 'node:fs';
import path from 'node:path';
import { createInterface } from 'node:readline';
import { finished } from 'node:stream/promises';
import { TrainingEvent } from '../../core/contract/training-events.ts';
import { ConfigError, SammixError } from '../../core/errors.ts';

/** What `sammix_train fit` is asked. */
export interface TrainerCall {
  readonly python: string;
  /** Folder of the trainer's sources. */
  readonly trainer: string;
  readonly args: readonly string[];
  /** Where its warnings and a stack go. */
  readonly log: string;
}

/** The trainer's exit codes that are answers (gpu-jobs/train/sammix_train/fit/command.py). */
const ANSWERS: ReadonlySet<number | null> = new Set([0, 3, 143]);

/**
 * Runs the trainer and hands on what it says, to its end. Ctrl-C is passed on to it: it saves where it is
 * and says `stopped`, or, where there is nothing to save, just ends. Should this process be killed, it notices
 * at its next word, saves and ends as well.
 *
 * @returns whether it was interrupted
 * @throws SammixError where it ends without an answer
 */
export async function runTrainer(
  { python, trainer, args, log }: TrainerCall,
  onEvent: (event: TrainingEvent) => void | Promise<void>,
): Promise<boolean> {
  let interrupted = false;
  const child = spawn(python, ['-m', 'sammix_train', 'fit', ...args], {
    stdio: ['ignore', 'pipe', 'pipe'],
    env: {
      ...process.env,
      PYTHONPATH: trainer,
      PYTHONDONTWRITEBYTECODE: '1',
      PYTHONUNBUFFERED: '1',
      ORT_DISABLE_TELEMETRY: '1',
    },
  });
  const restore = passOnInterrupts(() => {
    interrupted = true;
    child.kill('SIGINT');
  });
  const ended = new Promise<{ code: number | null; signal: string | null }>((resolve, reject) => {
    child.on('error', reject);
    child.on('close', (code, signal) => resolve({ code, signal }));
  });
  // Whoever awaits it later must not find it unhandled before.
  ended.catch(() => undefined);
  const written = finished(child.stderr.pipe(createWriteStream(log, { flags: 'a' })));
  try {
    for await (const line of createInterface(child.stdout))
      if (line.startsWith('{')) await onEvent(TrainingEvent.parse(JSON.parse(line)));
    const { code, signal } = await ended;
    await written;
    if (!interrupted && !ANSWERS.has(code)) throw trainerFailed(log, signal ?? `exit code ${code}`);
    return interrupted;
  } catch (error) {
    child.kill('SIGTERM');
    throw error instanceof SammixError ? error : notStarted(python, error);
  } finally {
    restore();
  }
}

/** The command's own listener would end this process before the trainer has saved. */
function passOnInterrupts(interrupt: () => void): () => void {
  const others = process.rawListeners('SIGINT') as NodeJS.SignalsListener[];
  process.removeAllListeners('SIGINT');
  process.on('SIGINT', interrupt);
  return () => {
    process.off('SIGINT', interrupt);
    for (const listener of others) process.on('SIGINT', listener);
  };
}

function notStarted(python: string, cause: unknown): unknown {
  const { code } = cause as NodeJS.ErrnoException;
  if (code !== 'ENOENT' && code !== 'EACCES') return cause;
  return new ConfigError(
    {
      code: 'trainer-not-started',
      subject: python,
      expected: 'a Python that can be run',
      found: code,
      remedy: 'Check --python PATH.',
    },
    { cause },
  );
}

const trainerFailed = (log: string, found: string): SammixError =>
  new SammixError({
    code: 'trainer-failed',
    subject: path.dirname(log),
    expected: 'the training to end',
    found: found === 'SIGKILL' ? 'SIGKILL, as when memory runs out' : found,
    remedy: `See ${log}; the same command goes on from the last save.`,
  });
