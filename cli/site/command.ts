import path from 'node:path';
import { Command } from 'commander';
import { DEFAULT_BUNDLE } from '../default-bundle.ts';
import type { Progress } from '../progress.ts';
import type { SiteOptions } from './open-site.ts';

interface Finished {
  readonly result: unknown;
  readonly text?: string;
  readonly exitCode: number;
}

/** Runs an action and prints its result as the command line asks for (`--json`, `--quiet`). */
export type Report = (
  command: Command,
  action: (progress: Progress) => Promise<Finished>,
) => Promise<void>;

const SITES = path.join(import.meta.dirname, '..', '..', 'infra', 'sites');

/** `sammix site ...`: what a person does with a deployed site. */
export function siteCommand(report: Report): Command {
  const site = new Command('site').description('set up and use a deployment in an AWS account');
  site.addCommand(initCommand(report));
  site.addCommand(registerCommand(report));
  site.addCommand(submitCommand(report));
  site.addCommand(statusCommand(report));
  site.addCommand(fetchCommand(report));
  for (const command of site.commands)
    command
      .option('--json', 'print the result as JSON on stdout and nothing else there', false)
      .option('-q, --quiet', 'print nothing but errors', false);
  for (const command of site.commands.filter((one) => one.name() !== 'init'))
    command
      .option('--region <region>', 'AWS region of the site (default: that of the credentials)')
      .option('--bucket <name>', "the site's bucket (default: found by the site's name)");
  return site;
}

const ok = (result: unknown, text?: string): Finished => ({
  result,
  exitCode: 0,
  ...(text === undefined ? {} : { text }),
});

function initCommand(report: Report): Command {
  return new Command('init')
    .description('write a commented site file with every default')
    .argument('<site>', 'name of the site')
    .option('-d, --dir <dir>', 'folder of site files', SITES)
    .action(async (name: string, options: { dir: string }, command: Command) => {
      const { initSite } = await import('./init.ts');
      const file = path.join(options.dir, `${name}.json`);
      await report(command, async () =>
        ok(
          await initSite(name, file),
          `wrote ${file}\nnext: edit it, then npx cdk deploy -c site=${name}`,
        ),
      );
    });
}

function registerCommand(report: Report): Command {
  return new Command('register')
    .description('verify a model bundle and upload it to a site')
    .argument('<site>', 'name of the site')
    .argument('[bundle]', 'folder of the bundle', DEFAULT_BUNDLE)
    .option('--activate', 'use it for new uploads from now on', false)
    .action(
      async (
        name: string,
        bundle: string,
        options: SiteOptions & { activate: boolean },
        command: Command,
      ) => {
        const [{ openSite }, { registerBundle }] = await Promise.all([
          import('./open-site.ts'),
          import('./register.ts'),
        ]);
        await report(command, async () => {
          const done = await registerBundle(await openSite(name, options), bundle, options);
          return ok(done, `${done.prefix}${done.active ? ' (active)' : ''}`);
        });
      },
    );
}

function submitCommand(report: Report): Command {
  return new Command('submit')
    .description('upload images (and labels) to a site, where they are segmented')
    .argument('<site>', 'name of the site')
    .argument('<inputs...>', 'NIfTI files (.nii, .nii.gz) or folders of them')
    .option('--dataset <name>', "a dataset of the site's file", 'liver')
    .option('-l, --label <path>', 'a label file, or a folder of labels')
    .action(
      async (
        name: string,
        inputs: string[],
        options: SiteOptions & { dataset: string; label?: string },
        command: Command,
      ) => {
        const [{ openSite }, { submitCases }] = await Promise.all([
          import('./open-site.ts'),
          import('./submit.ts'),
        ]);
        await report(command, async (progress) =>
          ok(await submitCases(await openSite(name, options), inputs, options, progress)),
        );
      },
    );
}

function statusCommand(report: Report): Command {
  return new Command('status')
    .description('show what became of the uploads of a site, and what they cost')
    .argument('<site>', 'name of the site')
    .action(async (name: string, options: SiteOptions, command: Command) => {
      const [{ openSite }, { siteStatus, statusText }] = await Promise.all([
        import('./open-site.ts'),
        import('./status.ts'),
      ]);
      await report(command, async () => {
        const status = await siteStatus(await openSite(name, options));
        return ok(status, statusText(status));
      });
    });
}

function fetchCommand(report: Report): Command {
  return new Command('fetch')
    .description('download the newest masks and reports of a site')
    .argument('<site>', 'name of the site')
    .requiredOption('-o, --out <dir>', 'folder for them, one folder a case')
    .option('--dataset <name>', "a dataset of the site's file", 'liver')
    .option('--case <id>', 'only this case')
    .action(
      async (
        name: string,
        options: SiteOptions & { dataset: string; out: string; case?: string },
        command: Command,
      ) => {
        const [{ openSite }, { fetchCases }] = await Promise.all([
          import('./open-site.ts'),
          import('./fetch.ts'),
        ]);
        await report(command, async (progress) =>
          ok(await fetchCases(await openSite(name, options), options, progress)),
        );
      },
    );
}
