import { setTimeout as sleep } from 'node:timers/promises';
import type { Command } from 'commander';
import type { S3Store } from '../../adapters/s3-store.ts';
import { assertSegment } from '../../core/contract/keys.ts';
import { ConfigError } from '../../core/errors.ts';
import { jobControl } from '../../site/batch.ts';
import { parseUpload } from '../../site/contract/keys.ts';
import {
  findTraces,
  type PurgePorts,
  purgeCase,
  QUIET_SECONDS,
  rewrittenOf,
  type Traces,
  versionsOf,
} from '../../site/purge/purge.ts';
import { type CaseName, caseOfKey } from '../../site/purge/traces.ts';
import type { LearntFrom } from '../../site/purge/training.ts';
import { type Finished, report } from '../command.ts';
import { EXIT } from '../exit-codes.ts';
import { openSite, type SiteOptions, siteRegion, withSite } from './open-site.ts';

/** `sammix site purge` */
export function define(command: Command): void {
  withSite(command)
    .argument('<site>', 'name of the site')
    .option('--dataset <name>', "a dataset of the site's file", 'liver')
    .option('--case <id>', 'the case, as its folder in cases/ is called')
    .option('--key <key>', 'or the key of its upload, incoming/<dataset>/images/...')
    .option(
      '--training-data',
      "also remove files of training data that bear the case's name",
      false,
    )
    .option('--yes', 'remove what would otherwise only be shown', false)
    .action(async (name: string, options: SiteOptions & PurgeOptions) => {
      await report(command, async (progress) => {
        const store = await openSite(name, options);
        const wanted = await caseOf(store, options);
        return purge(wanted, options, {
          store,
          jobs: jobControl(siteRegion(name, options)),
          sleep,
          tell: (line) => progress.line(line),
        });
      });
    });
}

export interface PurgeOptions {
  readonly dataset: string;
  readonly case?: string;
  /** Of an upload, instead of dataset and case. */
  readonly key?: string;
  readonly trainingData: boolean;
  readonly yes: boolean;
  /** See `PurgeSettings`. */
  readonly quietSeconds?: number;
}

/** @throws ConfigError where neither a case nor a key that is an upload's is named */
export async function caseOf(
  store: S3Store,
  { dataset, case: caseId, key }: Pick<PurgeOptions, 'dataset' | 'case' | 'key'>,
): Promise<CaseName> {
  if ((caseId === undefined) === (key === undefined)) throw nothingNamed();
  if (caseId !== undefined)
    return {
      dataset: assertSegment(dataset, 'the dataset'),
      caseId: assertSegment(caseId, 'the case'),
    };
  const upload = parseUpload(key!);
  if (!upload) throw noUpload(key!);
  return { dataset: upload.dataset, caseId: await caseOfKey(store, upload, key!) };
}

/** Shows what there is of a case; with `yes` removes it, and shows what is left. */
export async function purge(
  name: CaseName,
  { trainingData, yes, quietSeconds = QUIET_SECONDS }: PurgeOptions,
  ports: PurgePorts,
): Promise<Finished> {
  if (!yes) {
    const found = foundOf(await findTraces(ports.store, name), trainingData);
    const text = [`${name.dataset}/${name.caseId}:`, ...linesOf(found), dryRunLine(found)];
    return { result: { ...name, removed: false, found }, text: text.join('\n'), exitCode: EXIT.ok };
  }
  const { removed, before, left } = await purgeCase(name, { trainingData, quietSeconds }, ports);
  // What has learnt from a file is told by the file: as it was before.
  const { training, dicom } = before;
  const found = {
    ...foundOf(left, trainingData),
    trainings: training.trainings,
    sharedDicom: dicom.shared,
  };
  const isClean = isEmpty(found);
  const text = [
    `${name.dataset}/${name.caseId}: removed ${removed} version(s) of objects`,
    isClean ? 'a new listing finds nothing of it' : 'left:',
    ...linesOf(found),
  ];
  return {
    result: { ...name, removed, left: found },
    text: text.join('\n'),
    exitCode: isClean ? EXIT.ok : EXIT.tracesLeft,
  };
}

/** What a search has found, as the command prints it. */
interface Found {
  readonly runs: readonly string[];
  /** Versions and delete markers that go, by the folder of the bucket in which they are. */
  readonly versions: Readonly<Record<string, number>>;
  readonly bytes: number;
  /** Shared objects from which the case is taken. */
  readonly evaluations: readonly string[];
  readonly patients: boolean;
  readonly summary: boolean;
  /** Training data that bear the name and stay unless asked for; tables that name it. */
  readonly copies: readonly string[];
  readonly tables: readonly string[];
  /** What cannot be undone: bundles keep what they have learnt. */
  readonly trainings: readonly LearntFrom[];
  readonly rewritten: number;
  /** Keys of uploads of DICOM that hold other cases too, and stay. */
  readonly sharedDicom: readonly string[];
}

function foundOf(traces: Traces, trainingData: boolean): Found {
  const { own, dicom, shared, training } = traces;
  const versions: Record<string, number> = {};
  const going = versionsOf(traces, trainingData);
  for (const { key } of going) {
    const folder = `${key.slice(0, key.indexOf('/'))}/`;
    versions[folder] = (versions[folder] ?? 0) + 1;
  }
  return {
    runs: own.runIds,
    versions,
    bytes: going.reduce((sum, { bytes }) => sum + bytes, 0),
    evaluations: shared.evaluations,
    patients: shared.patients,
    summary: shared.summary,
    copies: trainingData ? [] : [...new Set(training.copies.map(({ key }) => key))],
    tables: training.tables,
    trainings: training.trainings,
    rewritten: rewrittenOf(traces),
    sharedDicom: dicom.shared,
  };
}

const isEmpty = ({ versions, rewritten, copies, tables }: Found): boolean =>
  Object.keys(versions).length + rewritten + copies.length + tables.length === 0;

function linesOf(found: Found): string[] {
  const lines = Object.entries(found.versions).map(
    ([folder, count]) => `  ${folder.padEnd(14)} ${count} version(s)`,
  );
  if (found.evaluations.length > 0)
    lines.push(`  taken out of evaluations: ${found.evaluations.join(', ')}`);
  if (found.patients) lines.push('  taken out of patients.csv');
  if (found.summary) lines.push('  taken out of the summary');
  for (const key of found.sharedDicom)
    lines.push(`  holds its images and other cases, and goes with the last of them: ${key}`);
  for (const key of found.copies)
    lines.push(`  bears its name, removed only with --training-data: ${key}`);
  for (const key of found.tables) lines.push(`  names it, edit or remove it by hand: ${key}`);
  for (const { id, state, bundlePrefix, isActive } of found.trainings)
    lines.push(
      `  learnt from it and cannot be purged: training ${id} (${state}${bundlePrefix === null ? '' : `, ${bundlePrefix}`}${isActive ? ', the active bundle' : ''})`,
    );
  return lines;
}

const dryRunLine = (found: Found): string =>
  isEmpty(found)
    ? 'nothing of it is there'
    : 'nothing was changed; --yes removes all versions for good';

const nothingNamed = (): ConfigError =>
  new ConfigError({
    code: 'no-case-named',
    subject: 'the command line',
    expected: 'either --case or --key',
    found: 'none or both of them',
    remedy: 'Name the case by its folder below cases/<dataset>/, or by the key of its upload.',
  });

const noUpload = (key: string): ConfigError =>
  new ConfigError({
    code: 'not-an-upload',
    subject: key,
    expected: 'incoming/<dataset>/images/<file> or incoming/<dataset>/labels/<file>',
    found: 'another key',
    remedy: 'Give the key as it was uploaded.',
  });
