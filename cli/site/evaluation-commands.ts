import { Command } from 'commander';
import { EXIT } from '../exit-codes.ts';
import { ok, type Report } from './finished.ts';
import type { SiteOptions } from './open-site.ts';

export function evaluateCommand(report: Report): Command {
  return new Command('evaluate')
    .description('measure a bundle on the labelled cases of a dataset of a site')
    .argument('<site>', 'name of the site')
    .option('--dataset <name>', "a dataset of the site's file", 'liver')
    .option(
      '--bundle <prefix>',
      'a registered bundle, models/<name>/<digest> (default: the active)',
    )
    .option('--wait', 'stay until the evaluation is there', false)
    .action(
      async (
        name: string,
        options: SiteOptions & { dataset: string; bundle?: string; wait: boolean },
        command: Command,
      ) => {
        const [{ openSite }, { evaluateSite }] = await Promise.all([
          import('./open-site.ts'),
          import('./evaluate.ts'),
        ]);
        await report(command, async (progress) => {
          const done = await evaluateSite(await openSite(name, options), options, progress);
          return ok(done, `evaluations/${done.dataset}/${done.evaluationId}/`);
        });
      },
    );
}

export function promoteCommand(report: Report): Command {
  return new Command('promote')
    .description(
      'measure a candidate beside the active bundle, and activate it if the gate lets it',
    )
    .argument('<site>', 'name of the site')
    .argument('<bundle>', 'the candidate, models/<name>/<digest>')
    .option('--dataset <name>', 'the held-out dataset that decides', 'liver')
    .option('--no-wait', 'come back at once; the site decides by itself')
    .action(
      async (
        name: string,
        prefix: string,
        options: SiteOptions & { dataset: string; wait: boolean },
        command: Command,
      ) => {
        const [{ openSite }, { promoteBundle, promotionText }] = await Promise.all([
          import('./open-site.ts'),
          import('./promote.ts'),
        ]);
        await report(command, async (progress) => {
          const done = await promoteBundle(
            await openSite(name, options),
            prefix,
            options,
            progress,
          );
          const exitCode = done.decision?.promoted === false ? EXIT.refused : EXIT.ok;
          return { ...ok(done, promotionText(done)), exitCode };
        });
      },
    );
}

export function rollbackCommand(report: Report): Command {
  return new Command('rollback')
    .description('go back to the bundle that was active before')
    .argument('<site>', 'name of the site')
    .option('--reason <text>', 'recorded with the activation', 'rolled back by hand')
    .action(async (name: string, options: SiteOptions & { reason: string }, command: Command) => {
      const [{ openSite }, { rollBack }] = await Promise.all([
        import('./open-site.ts'),
        import('./rollback.ts'),
      ]);
      await report(command, async () => {
        const done = await rollBack(await openSite(name, options), options.reason);
        return ok(done, `${done.to} is active again, instead of ${done.from}`);
      });
    });
}
