import type { Command } from 'commander';
import type { S3Store } from '../../adapters/s3-store.ts';
import { PromotionDecision } from '../../core/contract/promotion.ts';
import { ConfigError } from '../../core/errors.ts';
import { fromJsonBytes } from '../../core/json.ts';
import { activeFor, readBundle } from '../../site/bundles.ts';
import { cloudKeys } from '../../site/contract/keys.ts';
import { readEvaluationRecord } from '../../site/evaluation/records.ts';
import { ok, report } from '../command.ts';
import { EXIT } from '../exit-codes.ts';
import type { Progress } from '../progress.ts';
import { givenUp, poll, type RequestedEvaluation, requestEvaluation } from './evaluate.ts';
import { openSite, type SiteOptions, withSite } from './open-site.ts';

/** `sammix site promote` */
export function define(command: Command): void {
  withSite(command)
    .argument('<site>', 'name of the site')
    .argument('<bundle>', 'the candidate, models/<name>/<digest>')
    .option('--dataset <name>', 'the held-out dataset that decides', 'liver')
    .option('--no-wait', 'come back at once; the site decides by itself')
    .action(
      async (
        name: string,
        prefix: string,
        options: SiteOptions & { dataset: string; wait: boolean },
      ) => {
        await report(command, async (progress) => {
          const site = await openSite(name, options);
          const done = await promoteBundle(site, prefix, options, progress);
          return { ...ok(done, promotionText(done)), exitCode: exitCodeOf(done) };
        });
      },
    );
}

/** Of a candidate that nobody has waited for, nothing is wrong yet. */
export const exitCodeOf = ({ decision }: Pick<Promotion, 'decision'>): number =>
  decision?.promoted === false ? EXIT.refused : EXIT.ok;

export interface PromoteOptions {
  readonly dataset: string;
  /** Stays until the gate has decided. */
  readonly wait: boolean;
}

export interface Promotion extends RequestedEvaluation {
  readonly decisionKey: string;
  /** Null where nobody waited for it. */
  readonly decision: PromotionDecision | null;
}

/**
 * Asks the site to measure a registered bundle beside the active one of its target and to let the gate decide. The
 * site decides and activates by itself; predictions that exist are used again.
 *
 * @throws ConfigError where the bundle is the active one, BundleError where there is no such bundle
 */
export async function promoteBundle(
  store: S3Store,
  prefix: string,
  { dataset, wait }: PromoteOptions,
  progress: Progress,
): Promise<Promotion> {
  const { digest, manifest } = await readBundle(store, prefix);
  const { active } = await activeFor(store, manifest.target.name);
  if (active?.digest === digest) throw alreadyActive(prefix);
  const asked = await requestEvaluation(store, dataset, prefix, true);
  const decisionKey = cloudKeys.decision(asked.requestedAt, digest);
  progress.line(`asked for evaluation ${asked.evaluationId}; the decision will be ${decisionKey}`);
  if (!wait) return { ...asked, decisionKey, decision: null };
  const decision = await poll(async () => {
    const found = await store.getTagged(decisionKey);
    const record = await readEvaluationRecord(store, asked.evaluationId);
    if (!found && record?.state === 'failed')
      throw await givenUp(store, dataset, asked.evaluationId);
    return found && fromJsonBytes(PromotionDecision, found.body);
  });
  return { ...asked, decisionKey, decision };
}

export function promotionText({ decision, decisionKey, evaluationId }: Promotion): string {
  if (!decision) return `evaluation ${evaluationId} is on its way; then see ${decisionKey}`;
  return [
    decision.promoted
      ? 'promoted: it is the active bundle of its target now'
      : 'refused: the active bundle stays',
    ...decision.reasons.map(({ code, message }) => `  ${code}: ${message}`),
    `  ${decisionKey}`,
  ].join('\n');
}

const alreadyActive = (prefix: string): ConfigError =>
  new ConfigError({
    code: 'already-active',
    subject: prefix,
    expected: 'a bundle that is not the active one',
    found: 'the active one',
    remedy: 'There is nothing to do.',
  });
