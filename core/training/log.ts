import { TrainingLogLine, type ValidationLine } from '../contract/training-events.ts';

/**
 * The lines of a run's `log.jsonl` as one history. A training that was killed repeats the steps since its
 * last save: what it did first was lost, and does not count.
 */
export function trainingLog(text: string): TrainingLogLine[] {
  const lines: TrainingLogLine[] = [];
  for (const one of text.split('\n')) {
    const line = parsed(one);
    if (line) addLine(lines, line);
  }
  return lines;
}

/** Adds a line to a history, and takes out what it repeats. */
export function addLine(lines: TrainingLogLine[], line: TrainingLogLine): void {
  const isNew = (known: TrainingLogLine): boolean =>
    known.step < line.step || (known.step === line.step && known.kind !== line.kind);
  const kept = lines.filter(isNew);
  lines.splice(0, lines.length, ...kept, line);
}

/** Undefined for a line that was cut off as it was written, and for kinds of other versions. */
function parsed(text: string): TrainingLogLine | undefined {
  try {
    return TrainingLogLine.parse(JSON.parse(text));
  } catch {
    return undefined;
  }
}

export const validationsOf = (lines: readonly TrainingLogLine[]): ValidationLine[] =>
  lines.filter((line) => line.kind === 'validation');

/** The validation whose weights are kept; the first of equal ones. */
export const bestOf = (lines: readonly TrainingLogLine[]): ValidationLine | undefined =>
  validationsOf(lines).reduce<ValidationLine | undefined>(
    (best, line) => (best === undefined || line.dice > best.dice ? line : best),
    undefined,
  );
