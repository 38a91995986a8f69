/**
 * Progress for people. On a terminal one line is redrawn, with a bar and the time left; elsewhere
 * (a log, CI) each case writes one plain line when it ends. Always to stderr: stdout is for results.
 */
export interface Progress {
  begin(caseId: string, position: string): void;
  /**
   * `done` of `total` slices (or of another unit) of what is named in `begin`, `kept` of them by an earlier
   * run: what is left is judged by the others.
   */
  update(done: number, total: number, more?: { kept?: number; unit?: string }): void;
  /** Writes a line that stays. */
  line(text: string): void;
}

export const silentProgress: Progress = { begin() {}, update() {}, line() {} };

const BAR_CELLS = 24;
const REDRAW_EVERY_MS = 80;

export function plainProgress(out: NodeJS.WritableStream): Progress {
  return { ...silentProgress, line: (text) => void out.write(`${visible(text)}\n`) };
}

export function terminalProgress(
  out: NodeJS.WriteStream,
  now: () => number = performance.now.bind(performance),
): Progress {
  let label = '';
  let startedMs = 0;
  let drawnMs = 0;
  const clear = (): void => void out.write('\r\x1b[2K');
  // A line that wraps cannot be redrawn: it would be left behind at every step.
  const draw = (text: string): void => void out.write(text.slice(0, (out.columns || 80) - 1));
  return {
    begin(caseId, position) {
      label = [position, visible(caseId)].filter(Boolean).join(' ');
      startedMs = now();
      drawnMs = 0;
      clear();
      draw(`${label}  reading`);
    },
    update(done, total, { kept = 0, unit = 'slices' } = {}) {
      if (done < total && now() - drawnMs < REDRAW_EVERY_MS) return;
      drawnMs = now();
      clear();
      draw(`${label}  ${bar(done, total)} ${done}/${total} ${unit}${left(done, total, kept)}`);
    },
    line(text) {
      clear();
      out.write(`${visible(text)}\n`);
    },
  };

  function left(done: number, total: number, kept: number): string {
    if (done === kept || done === total) return '';
    return `, ${duration(((now() - startedMs) / (done - kept)) * (total - done))} left`;
  }
}

function bar(done: number, total: number): string {
  const filled = total === 0 ? BAR_CELLS : Math.round((done / total) * BAR_CELLS);
  return `[${'#'.repeat(filled)}${'.'.repeat(BAR_CELLS - filled)}]`;
}

/** File names may hold what moves the cursor or colours the terminal: shown, not obeyed. */
export const visible = (text: string): string =>
  text.replace(/[\p{Cc}\u2028\u2029]/gu, (char) =>
    char === '\n' || char === '\t'
      ? char
      : `\\x${char.codePointAt(0)!.toString(16).padStart(2, '0')}`,
  );

/** `42 s`, `3 min 05 s`, `1 h 02 min`. */
export function duration(ms: number): string {
  const seconds = Math.round(ms / 1000);
  if (seconds < 60) return `${seconds} s`;
  const minutes = Math.floor(seconds / 60);
  const two = (value: number): string => String(value).padStart(2, '0');
  if (minutes < 60) return `${minutes} min ${two(seconds % 60)} s`;
  return `${Math.floor(minutes / 60)} h ${two(minutes % 60)} min`;
}

/** Time left for the cases of a command, by those that were computed: kept ones take none. */
export class TimeLeft {
  private computed = 0;
  private spentMs = 0;

  /** One more case is done. */
  add({ resumed, ms }: { readonly resumed: boolean; readonly ms: number }): void {
    if (resumed) return;
    this.computed++;
    this.spentMs += ms;
  }

  /** `, 3 min 05 s left`, or nothing where nobody can tell. */
  text(casesAhead: number): string {
    if (this.computed === 0 || casesAhead === 0) return '';
    return `, ${duration((this.spentMs / this.computed) * casesAhead)} left`;
  }
}

/** What nobody but us can act on: its stack is all there is. */
export const printDefect = (error: unknown): void =>
  void process.stderr.write(
    `sammix: a defect of sammix itself, please report it:\n${error instanceof Error ? error.stack : String(error)}\n`,
  );
