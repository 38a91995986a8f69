import type { Command } from 'commander';
import type { S3Store } from '../../adapters/s3-store.ts';
import { ConfigError } from '../../core/errors.ts';
import { type ActiveState, goBack, recordPersonalDecision } from '../../site/bundles.ts';
import { cloudKeys } from '../../site/contract/keys.ts';
import { ok, report } from '../command.ts';
import { activeOf } from './evaluate.ts';
import { openSite, type SiteOptions, withSite } from './open-site.ts';
import { changedMeanwhile } from './register.ts';

/** `sammix site rollback` */
export function define(command: Command): void {
  withSite(command)
    .argument('<site>', 'name of the site')
    .option('--reason <text>', 'recorded with the activation', 'rolled back by hand')
    .option('--target <name>', "of this further target (default: the site's main one)")
    .action(async (name: string, options: SiteOptions & RollbackOptions) => {
      await report(command, async () => {
        const site = await openSite(name, options);
        const done = await rollBack(site, options.reason, options.target);
        return ok(done, `${done.to} is active again, instead of ${done.from}`);
      });
    });
}

interface RollbackOptions {
  readonly reason: string;
  readonly target?: string;
}

export interface RolledBack {
  /** Prefixes of the bundles. */
  readonly from: string;
  readonly to: string;
  readonly decisionKey: string;
}

/**
 * Returns to the bundle that was active before the present one, and writes down that and why. Done
 * twice it goes back twice.
 *
 * @throws ConfigError where there is nothing to go back to
 */
export async function rollBack(
  store: S3Store,
  reason: string,
  target?: string,
): Promise<RolledBack> {
  const state = await activeOf(store, target);
  const { active } = state;
  const [previous] = active?.before ?? [];
  if (!active || !previous) throw nothingBefore(state);
  const why = { code: 'rolled-back' as const, message: reason };
  const key = await recordPersonalDecision(store, previous, active, why);
  if (!(await goBack(store, state, key))) throw changedMeanwhile(previous);
  return { from: active.prefix, to: previous.prefix, decisionKey: key };
}

const nothingBefore = ({ active, target }: ActiveState): ConfigError =>
  new ConfigError({
    code: 'nothing-to-go-back-to',
    subject: cloudKeys.activeBundleOf(target),
    expected: 'a bundle that was active before',
    found: active === undefined ? 'no active bundle' : `only ${active.prefix}`,
    remedy: 'Register a bundle, or activate one with "sammix site register --force".',
  });
