import path from 'node:path';
import { Command } from 'commander';
import { DEFAULT_BUNDLE } from '../default-bundle.ts';
import { evaluateCommand, promoteCommand, rollbackCommand } from './evaluation-commands.ts';
import { ok, type Report } from './finished.ts';
import type { SiteOptions } from './open-site.ts';
import type { RegisterOptions } from './register.ts';
import type { SubmitOptions } from './submit.ts';
import type { TrainOptions } from './train.ts';

const SITES = path.join(import.meta.dirname, '..', '..', 'infra', 'sites');

/** `sammix site ...`: what a person does with a deployed site. */
export function siteCommand(report: Report): Command {
  const site = new Command('site').description('set up and use a deployment in an AWS account');
  site.addCommand(initCommand(report));
  site.addCommand(registerCommand(report));
  site.addCommand(submitCommand(report));
  site.addCommand(trainCommand(report));
  site.addCommand(statusCommand(report));
  site.addCommand(fetchCommand(report));
  site.addCommand(viewCommand(report));
  site.addCommand(evaluateCommand(report));
  site.addCommand(promoteCommand(report));
  site.addCommand(rollbackCommand(report));
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
    .option('--activate', "use it for new uploads from now on, as the site's first bundle", false)
    .option('--force <reason>', 'activate it past the gate, and record why')
    .action(
      async (
        name: string,
        bundle: string,
        options: SiteOptions & RegisterOptions,
        command: Command,
      ) => {
        const [{ openSite }, { registerBundle }, { recordCanary }] = await Promise.all([
          import('./open-site.ts'),
          import('./register.ts'),
          import('./record-canary.ts'),
        ]);
        await report(command, async () => {
          const site = await openSite(name, options);
          // Before it can become active, so that the first canary already has its reference.
          await recordCanary(site, bundle);
          const done = await registerBundle(site, bundle, options);
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
    .option('--patients <csv>', 'columns case and patient, where patients have several cases')
    .action(
      async (
        name: string,
        inputs: string[],
        options: SiteOptions & SubmitOptions,
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

function trainCommand(report: Report): Command {
  return new Command('train')
    .description('start a training at a site; its bundle becomes a candidate for promotion')
    .argument('<site>', 'name of the site')
    .argument('[request]', 'a request file (gpu-jobs/train/REPRODUCE.md); options describe others')
    .option('--data <folder>', 'folder below training/data/ in the bucket', 'liver')
    .option('--labels <count>', 'labelled slices to learn from, or "all"')
    .option('--size <size>', 'tiny, small or vit_b')
    .option('--steps <count>', 'length of the training')
    .option('--seed <number>', 'seeds weights, the draw of labels and sampling')
    .option('--id <id>', 'name of the training (default: made from the options and the time)')
    .action(
      async (
        name: string,
        request: string | undefined,
        options: SiteOptions & TrainOptions,
        command: Command,
      ) => {
        const [{ openSite }, { readTrainRequest, requestTraining, trainRequestOf }] =
          await Promise.all([import('./open-site.ts'), import('./train.ts')]);
        await report(command, async () => {
          const wanted =
            request === undefined ? trainRequestOf(options) : await readTrainRequest(request);
          const done = await requestTraining(await openSite(name, options), wanted);
          return ok(done, `requested ${done.id}; see sammix site status ${name}`);
        });
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

function viewCommand(report: Report): Command {
  return new Command('view')
    .description('print a short-lived address of the viewer with cases of a site')
    .argument('<site>', 'name of the site')
    .argument('[cases...]', 'cases (default: the newest of the dataset)')
    .option('--dataset <name>', "a dataset of the site's file", 'liver')
    .option('--minutes <n>', 'how long the address works, 1 to 720', Number, 15)
    .action(
      async (
        name: string,
        cases: string[],
        options: SiteOptions & { dataset: string; minutes: number },
        command: Command,
      ) => {
        const [{ openSite }, { viewSite, siteViewText }, { viewerPage }] = await Promise.all([
          import('./open-site.ts'),
          import('./view.ts'),
          import('../../viewer/build.ts'),
        ]);
        await report(command, async () => {
          const [site, page] = await Promise.all([openSite(name, options), viewerPage()]);
          const view = await viewSite(site, page, cases, options);
          return ok(view, siteViewText(view));
        });
      },
    );
}
