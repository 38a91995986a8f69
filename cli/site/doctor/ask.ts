import type { Asked } from '../../../site/doctor/finding.ts';

/** Asks, and keeps the reason where there is no answer: one question that is refused hides no other. */
export async function ask<T>(action: string, question: () => Promise<T>): Promise<Asked<T>> {
  try {
    return { answer: await question() };
  } catch (error) {
    return { noAnswer: { action, reason: reasonOf(error) } };
  }
}

const reasonOf = (error: unknown): string =>
  error instanceof Error ? `${error.name}: ${error.message.split('\n')[0]}` : 'unknown';

/** What AWS answers where there is nothing of the name: an answer, not a failure to look. */
export async function orNone<T>(
  names: readonly string[],
  question: () => Promise<T>,
): Promise<T | null> {
  try {
    return await question();
  } catch (error) {
    if (error instanceof Error && names.includes(error.name)) return null;
    throw error;
  }
}
