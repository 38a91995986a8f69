import { readFile } from 'node:fs/promises';
import path from 'node:path';
import { type Command, Option } from 'commander';
import type { S3Store } from '../../adapters/s3-store.ts';
import { ConfigError } from '../../core/errors.ts';
import { putJson } from '../../core/json.ts';
import { cloudKeys, PREFIX } from '../../site/contract/keys.ts';
import { parseTrainRequest, type TrainRequest } from '../../site/contract/training.ts';
import { ok, report } from '../command.ts';
import { openSite, type SiteOptions, withSite } from './open-site.ts';

/** `sammix site train` */
export function define(command: Command): void {
  withSite(command)
    .argument('<site>', 'name of the site')
    .argument('[request]', 'a request file (gpu-jobs/train/REPRODUCE.md); options describe others')
    .option('--data <folder>', 'folder below training/data/ in the bucket (default: liver)')
    .addOption(
      new Option(
        '--dataset <name>',
        "fit the target's active bundle to the labelled uploads of one of the site's datasets",
      ).conflicts(['data', 'size']),
    )
    .option('--target <name>', 'the class of the labels to segment (default: liver)')
    .option(
      '--start-from <prefix>',
      'with --dataset: fit this registered bundle, models/NAME/DIGEST',
    )
    .option('--labels <count>', 'labelled slices to learn from, or "all"')
    .option('--size <size>', 'tiny, small or vit_b')
    .option('--steps <count>', 'length of the training')
    .option('--minutes <count>', 'length in minutes instead (with --dataset 20, unless said)')
    .option('--seed <number>', 'seeds weights, the draw of labels and sampling')
    .option('--id <id>', 'name of the training (default: made from the options and the time)')
    .action(
      async (name: string, request: string | undefined, options: SiteOptions & TrainOptions) => {
        await report(command, async () => {
          const wanted =
            request === undefined ? trainRequestOf(options) : await readTrainRequest(request);
          const done = await requestTraining(await openSite(name, options), wanted);
          return ok(done, `requested ${done.id}; see sammix site status ${name}`);
        });
      },
    );
}

export interface TrainOptions {
  readonly id?: string;
  /** Folder below `training/data/`. */
  readonly data?: string;
  /** Or the uploads of a dataset. */
  readonly dataset?: string;
  readonly target?: string;
  readonly startFrom?: string;
  readonly minutes?: string;
  readonly labels?: string;
  readonly size?: string;
  readonly steps?: string;
  readonly seed?: string;
}

export interface RequestedTraining {
  readonly id: string;
  readonly key: string;
}

/** Reads a request from a file, whose name without `.json` is the id. */
export async function readTrainRequest(file: string): Promise<TrainRequest> {
  const text = await readFile(file, 'utf8').catch((cause: unknown) => {
    throw new ConfigError(
      {
        code: 'no-training-request',
        subject: file,
        expected: 'a training request, see gpu-jobs/train/REPRODUCE.md',
        found: 'no file that can be read',
        remedy: 'Check the path, or describe the training by options (--labels, --size, ...).',
      },
      { cause },
    );
  });
  return parseTrainRequest(text, path.basename(file, '.json'));
}

/** A request from options; without an id, labels, size and time make one. */
export function trainRequestOf(options: TrainOptions, now: Date = new Date()): TrainRequest {
  const {
    data = 'liver',
    dataset,
    target,
    startFrom,
    labels,
    size,
    steps,
    minutes,
    seed,
  } = options;
  const stamp = now.toISOString().slice(0, 19).replaceAll(/[-:]/g, '');
  const id = options.id ?? ['labels', labels ?? 'all', dataset ?? size ?? 'small', stamp].join('-');
  const config = {
    ...(target === undefined ? {} : { target }),
    ...(labels === undefined ? {} : { labels }),
    ...(size === undefined ? {} : { size }),
    ...(steps === undefined ? {} : { steps: Number(steps) }),
    ...(minutes === undefined ? {} : { minutes: Number(minutes) }),
    ...(seed === undefined ? {} : { seed: Number(seed) }),
  };
  const learnsFrom =
    dataset === undefined ? { dataPrefix: `${PREFIX.trainingData}${data}/` } : { dataset };
  const start = startFrom === undefined ? {} : { startFrom };
  const request = { schemaVersion: 1, id, ...learnsFrom, ...start, config };
  return parseTrainRequest(JSON.stringify(request), id);
}

/** Uploads a request; the site starts the job by itself. */
export async function requestTraining(
  store: S3Store,
  request: TrainRequest,
): Promise<RequestedTraining> {
  const key = cloudKeys.trainingRequest(request.id);
  await putJson(store, key, request);
  return { id: request.id, key };
}
