import type { Fault } from '../../core/errors.ts';
import { PREFIX, trainingHash, trainJobName } from '../contract/keys.ts';
import type { TrainingRecord } from '../contract/training.ts';
import { failTraining } from '../training/end.ts';
import { readTraining, type TaggedTraining } from '../training/records.ts';
import { nextStep } from './deadline.ts';
import { endOf, type Seen, type WatchPorts } from './ports.ts';

/** Trainings are few: all their records are read. Each ends in a candidate, or in a reason beside its request. */
export async function watchTrainings(ports: WatchPorts, now: Date): Promise<Seen> {
  const seen = { open: 0, overdue: 0 };
  for await (const { key } of ports.store.list(PREFIX.trainingJobs)) {
    const hash = key.slice(PREFIX.trainingJobs.length).replace(/\.json$/, '');
    const found = await readTraining(ports.store, hash);
    if (!found || found.record.endedAt !== null) continue;
    seen.open += 1;
    if (await watchTraining(found, ports, now)) seen.overdue += 1;
  }
  return seen;
}

/** Whether its time was over. */
async function watchTraining(
  found: TaggedTraining,
  ports: WatchPorts,
  now: Date,
): Promise<boolean> {
  const { id, requestedAt: askedAt, claimedAt, jobId, traceId } = found.record;
  const job = jobId === null ? undefined : (await ports.jobs.find([jobId])).get(jobId);
  const hours = ports.hours.training;
  const step = nextStep({ askedAt, claimedAt, jobId, job, hours }, now);
  const log = ports.log.with({ traceId });
  const name = trainJobName(trainingHash(id));
  switch (step.is) {
    case 'wait':
      return false;
    case 'announce':
      await ports.announce(endOf(jobId!, name, step.status, job?.statusReason));
      log.warn('end-announced-again', { state: step.status });
      return false;
    case 'late':
      // Its end is announced as of any job.
      await ports.jobs.terminate(jobId!, `the deadline of ${hours} hours has passed`);
      log.warn('stopped-at-deadline', { jobId: jobId! });
      return true;
    case 'lost':
      await failTraining(found, null, lost(found.record, step.found), ports);
      return true;
  }
}

const lost = ({ id }: TrainingRecord, found: string): Fault => ({
  code: 'training-lost',
  subject: `the training ${id}`,
  expected: 'a job that trains',
  found,
  remedy: 'Upload the request again: it goes on from its last checkpoint.',
});
