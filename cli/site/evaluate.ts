import type { Command } from 'commander';
import type { S3Store } from '../../adapters/s3-store.ts';
import type { Evaluation } from '../../core/contract/evaluation.ts';
import { FaultSchema } from '../../core/contract/fault.ts';
import { BundleError, ConfigError } from '../../core/errors.ts';
import { getJson, putJson } from '../../core/json.ts';
import { type ActiveState, activeFor, readActive, readBundle } from '../../site/bundles.ts';
import { EvaluationRequest, evaluationId } from '../../site/contract/evaluation.ts';
import { cloudKeys, uploadsBelow } from '../../site/contract/keys.ts';
import { readEvaluationRecord } from '../../site/evaluation/records.ts';
import { readEvaluation } from '../../site/evaluation/rows.ts';
import { ok, report } from '../command.ts';
import type { Progress } from '../progress.ts';
import { openSite, type SiteOptions, withSite } from './open-site.ts';

/** `sammix site evaluate` */
export function define(command: Command): void {
  withSite(command)
    .argument('<site>', 'name of the site')
    .option('--dataset <name>', "a dataset of the site's file", 'liver')
    .option(
      '--bundle <prefix>',
      'a registered bundle, models/<name>/<digest> (default: the active)',
    )
    .option('--target <name>', 'the active bundle of this further target of the site')
    .option('--wait', 'stay until the evaluation is there', false)
    .action(async (name: string, options: SiteOptions & EvaluateSiteOptions) => {
      await report(command, async (progress) => {
        const done = await evaluateSite(await openSite(name, options), options, progress);
        return ok(done, `${cloudKeys.evaluation(done.dataset, done.evaluationId)}/`);
      });
    });
}

export interface EvaluateSiteOptions {
  readonly dataset: string;
  /** Prefix of a registered bundle; the active one where it is left out. */
  readonly bundle?: string;
  /** Whose active bundle; the main target's where it is left out. */
  readonly target?: string;
  /** Stays until the evaluation is there. */
  readonly wait: boolean;
}

export interface RequestedEvaluation {
  readonly evaluationId: string;
  readonly dataset: string;
  readonly digest: string;
  readonly requestedAt: string;
}

/**
 * Asks a site for an evaluation, and waits for it where that is wanted.
 *
 * @throws ConfigError where the dataset has no label, BundleError where there is no such bundle
 */
export async function evaluateSite(
  store: S3Store,
  options: EvaluateSiteOptions,
  progress: Progress,
): Promise<RequestedEvaluation & { readonly evaluation: Evaluation | null }> {
  const prefix = options.bundle ?? (await activePrefix(store, options.target));
  const asked = await requestEvaluation(store, options.dataset, prefix, false);
  progress.line(`asked for evaluation ${asked.evaluationId}`);
  if (!options.wait) return { ...asked, evaluation: null };
  const evaluation = await poll(() => finished(store, asked, progress));
  return { ...asked, evaluation };
}

/** What is active for a target that was named, or for the main one. */
export const activeOf = (store: S3Store, target: string | undefined): Promise<ActiveState> =>
  target === undefined ? readActive(store) : activeFor(store, target);

/** Writes the request, which starts the evaluation. */
export async function requestEvaluation(
  store: S3Store,
  dataset: string,
  prefix: string,
  promote: boolean,
): Promise<RequestedEvaluation> {
  const { digest } = await readBundle(store, prefix);
  await refuseUnlabelled(store, dataset);
  const requestedAt = new Date().toISOString();
  const request = EvaluationRequest.parse({
    schemaVersion: 1,
    dataset,
    bundle: prefix,
    promote,
    requestedAt,
  });
  const id = evaluationId(request, digest);
  await putJson(store, cloudKeys.evaluationRequest(id), request);
  return { evaluationId: id, dataset, digest, requestedAt };
}

async function activePrefix(store: S3Store, target: string | undefined): Promise<string> {
  const { active, ...state } = await activeOf(store, target);
  if (active) return active.prefix;
  throw new BundleError({
    code: 'no-bundle-at-site',
    subject: cloudKeys.activeBundleOf(state.target),
    expected: 'an active bundle',
    found: 'none',
    remedy: 'Run "sammix site register <site> --activate", or name one with --bundle.',
  });
}

async function refuseUnlabelled(store: S3Store, dataset: string): Promise<void> {
  for await (const _ of store.list(uploadsBelow(dataset, 'labels'))) return;
  throw new ConfigError({
    code: 'nothing-labelled',
    subject: dataset,
    expected: `labels below ${uploadsBelow(dataset, 'labels')}`,
    found: 'none',
    remedy: 'Upload labels ("sammix site submit ... --label ..."), or name another dataset.',
  });
}

async function finished(
  store: S3Store,
  { dataset, evaluationId: id }: RequestedEvaluation,
  progress: Progress,
): Promise<Evaluation | undefined> {
  const record = await readEvaluationRecord(store, id);
  if (record?.state === 'failed') throw await givenUp(store, dataset, id);
  if (record?.state === 'done') return readEvaluation(store, dataset, id);
  const jobs = record?.jobs ?? [];
  const ended = jobs.filter((job) => job.ended !== null).length;
  progress.update(ended, Math.max(1, jobs.length));
  return undefined;
}

/** An evaluation that the site has given up. */
export const givenUp = async (store: S3Store, dataset: string, id: string): Promise<ConfigError> =>
  new ConfigError(await getJson(store, cloudKeys.evaluationReason(dataset, id), FaultSchema));

const POLL_SECONDS = 3;

/** Looks until there is something. What is waited for goes on by itself if this is interrupted. */
export async function poll<T>(look: () => Promise<T | undefined>): Promise<T> {
  for (;;) {
    const found = await look();
    if (found !== undefined) return found;
    await new Promise((resolve) => setTimeout(resolve, POLL_SECONDS * 1000));
  }
}
