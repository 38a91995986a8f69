import { RETRIES } from '../../adapters/aws-clients.ts';
import { jobControl } from '../batch.ts';
import type { SiteContext } from '../context.ts';
import type { WatchEnv } from '../contract/env.ts';
import type { JobStateChange, WatchEvent } from '../contract/events.ts';
import { JOB_NAME } from '../contract/keys.ts';
import { watchEvaluations } from './evaluations.ts';
import type { WatchPorts } from './ports.ts';
import { watchRuns } from './runs.ts';
import { watchTrainings } from './trainings.ts';

/**
 * Whatever a job is started for ends in a report or a reason, also where the event that should have brought it
 * there was lost, or a job waits for an instance that never comes. Events alone cannot show their own absence:
 * this looks, on a schedule, at everything that has not ended. The rule is in `deadline.ts`.
 */

/** A message of the schedule looks at everything; one of Batch says that a queue is blocked. */
export async function watch(event: WatchEvent, context: SiteContext<WatchEnv>): Promise<void> {
  const { log, emit } = context;
  if (event.source === 'aws.batch') {
    emit({ QueueBlocked: 1 });
    return log.warn('queue-blocked', { reason: event.detail.statusReason });
  }
  const [ports, now] = [portsOf(context), new Date()];
  const seen = [
    await watchRuns(ports, now),
    await watchEvaluations(ports, now),
    await watchTrainings(ports, now),
  ];
  const sum = (of: 'open' | 'overdue') => seen.reduce((total, one) => total + one[of], 0);
  emit({ RunsOpen: sum('open'), RunsOverdue: sum('overdue') });
}

const jobs = jobControl();

/** With clients that are loaded when they are needed: on a quiet site nothing is open. */
function portsOf({ env, store, log, emit }: SiteContext<WatchEnv>): WatchPorts {
  return {
    store,
    hours: {
      run: env.SAMMIX_DEADLINE_HOURS,
      evaluation: env.SAMMIX_EVALUATION_HOURS,
      training: env.SAMMIX_TRAINING_HOURS,
    },
    log,
    emit,
    jobs,
    announce: async (event) => {
      const { SendMessageCommand, SQSClient } = await import('@aws-sdk/client-sqs');
      await new SQSClient(RETRIES).send(
        new SendMessageCommand({
          QueueUrl: queueOf(event, env),
          MessageBody: JSON.stringify(event),
        }),
      );
    },
  };
}

/** Where the rules of infra/ send the end of a job of this name. */
function queueOf({ detail: { jobName, status } }: JobStateChange, env: WatchEnv): string {
  if (jobName.startsWith(JOB_NAME.evaluate)) return env.SAMMIX_EVALUATIONS_QUEUE;
  if (jobName.startsWith(JOB_NAME.train)) return env.SAMMIX_TRAININGS_QUEUE;
  return status === 'SUCCEEDED' ? env.SAMMIX_RESULTS_QUEUE : env.SAMMIX_FAILURES_QUEUE;
}
