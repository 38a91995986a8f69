/**
 * Progress for people. On a terminal one line is redrawn, with a bar and the time left; elsewhere
 * (a log, CI) each case writes one plain line when it ends. Always to stderr: stdout is for results.
 */
export interface Progress {
  /** `done` of `total` slices of the case named in `begin`. */
  begin(caseId: string, position: string): void;
  update(done: number, total: number): void;
  /** Writes a line that stays. */
  line(text: string): void;
}

export const silentProgress: Progress = { begin() {}, update() {}, line() {} };

const BAR_CELLS = 24;
const REDRAW_EVERY_MS = 80;

export function plainProgress(out: NodeJS.WritableStream): Progress {
  return { ...silentProgress, line: (text) => void out.write(`${text}\n`) };
}

export function terminalProgress(
  out: NodeJS.WriteStream,
  now: () => number = performance.now.bind(performance),
): Progress {
  let label = '';
  let startedMs = 0;
  let drawnMs = 0;
  const clear = (): void => void out.write('\r\x1b[2K');
  return {
    begin(caseId, position) {
      label = `${position} ${caseId}`;
      startedMs = now();
      drawnMs = 0;
      clear();
      out.write(`${label}  reading`);
    },
    update(done, total) {
      if (done < total && now() - drawnMs < REDRAW_EVERY_MS) return;
      drawnMs = now();
      clear();
      out.write(`${label}  ${bar(done, total)} ${done}/${total} slices${left(done, total)}`);
    },
    line(text) {
      clear();
      out.write(`${text}\n`);
    },
  };

  function left(done: number, total: number): string {
    if (done === 0 || done === total) return '';
    return `, ${duration(((now() - startedMs) / done) * (total - done))} left`;
  }
}

export function bar(done: number, total: number): string {
  const filled = total === 0 ? BAR_CELLS : Math.round((done / total) * BAR_CELLS);
  return `[${'#'.repeat(filled)}${'.'.repeat(BAR_CELLS - filled)}]`;
}

/** `42 s`, `3 min 05 s`, `1 h 02 min`. */
export function duration(ms: number): string {
  const seconds = Math.round(ms / 1000);
  if (seconds < 60) return `${seconds} s`;
  const minutes = Math.floor(seconds / 60);
  const two = (value: number): string => String(value).padStart(2, '0');
  if (minutes < 60) return `${minutes} min ${two(seconds % 60)} s`;
  return `${Math.floor(minutes / 60)} h ${two(minutes % 60)} min`;
}
