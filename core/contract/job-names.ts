/** Job names carry the run's id and nothing of the patient. */
export const segmentJobName = (runId: string): string => `segment-${runId}`;

export function runIdOfJobName(jobName: string): string | undefined {
  return /^segment-([0-9a-f]{16})$/.exec(jobName)?.[1];
}

/** `hash`: see `trainingHash`. */
export const trainJobName = (hash: string): string => `train-${hash}`;

export function trainingHashOfJobName(jobName: string): string | undefined {
  return /^train-([0-9a-f]{16})$/.exec(jobName)?.[1];
}
