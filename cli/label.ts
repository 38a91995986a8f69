import { availableParallelism } from 'node:os';
import { type Command, Option } from 'commander';
import { DirStore } from '../adapters/dir-store.ts';
import { openRuntimeInThread } from '../adapters/onnx-thread.ts';
import { SliceScorer } from '../core/labelling/score-slice.ts';
import { counted } from '../core/page/format.ts';
import { type OpenBundle, openBundle } from '../core/stage/open-bundle.ts';
import {
  DEFAULT_BUNDLE,
  type Finished,
  folderName,
  integer,
  ok,
  positiveInteger,
  report,
  withOutput,
} from './command.ts';
import { EXIT } from './exit-codes.ts';
import {
  type Chosen,
  candidatesOf,
  chooseSlices,
  isOpen,
  knowsTarget,
  saidLabelled,
} from './labelling/candidates.ts';
import { type LabelCase, readLabelSet } from './labelling/label-set.ts';
import { type CaseScores, caseScores, scoreStore } from './labelling/scores.ts';
import { type LabellingOptions, openLabelling } from './labelling/server.ts';
import type { Progress } from './progress.ts';
import { openInBrowser, portNumber } from './view.ts';

/** `sammix label` */
export function define(command: Command): void {
  withOutput(command)
    .argument('<dataset>', "a data set in nnU-Net's layout: scans in imagesTr, labels in labelsTr")
    .requiredOption('--target <name>', 'the label, as dataset.json names it; a+b joins two')
    .option(
      '--propose <n>',
      'print that many slices to label next, and open no page',
      positiveInteger,
    )
    .option('--slices <n>', 'how many labelled slices are the goal', positiveInteger, 50)
    .option('--port <n>', 'port on this machine (default: a free one)', portNumber, 0)
    .option('--open', "open the system's browser", false)
    .addOption(
      new Option('--order <how>', 'by what the model is unsure of, or at random')
        .choices(['next', 'random'])
        .default('next'),
    )
    .option('--seed <n>', 'of --order random', integer, 0)
    .option('-b, --bundle <dir>', 'a model bundle (default: the one that comes with sammix)')
    .option('--cases <ids>', 'only these cases, with commas between them', list)
    .option('--labelled <slices>', 'count these as labelled instead, e.g. case01:12=shown', list)
    .option('--cache <dir>', 'where to keep scores (default: .sammix in the data set)', folderName)
    .addHelpText(
      'after',
      `
Examples:
  $ sammix label scans --target spleen --open
  $ sammix label scans --target spleen --propose 15
  $ sammix label scans --target spleen --propose 15 --bundle my-bundle --json

A bundle of another target proposes slices that differ from each other; one of this target those it is unsure of.
Slices are counted from 0 at the feet. To try an order on a data set that is labelled already, say with
--labelled which slices count (case:slice=shown or =empty), or --labelled none.`,
    )
    .action(async (dataset: string, options: PageOptions) => {
      await report(command, async (progress) => {
        if (options.propose !== undefined)
          return labelCommand(dataset, { ...options, propose: options.propose }, progress);
        const { server, state, stop } = await openLabelling(dataset, options);
        if (options.open) openInBrowser(server.url);
        process.prependListener('SIGINT', () => {
          stop().then(
            () => process.exit(EXIT.ok),
            () => process.exit(EXIT.storage),
          );
        });
        const text = `${state.labelled} of ${state.goal} slices labelled; go on at ${server.url}\nCtrl-C stops it.`;
        return ok({ url: server.url, labelled: state.labelled }, text);
      });
    });
}

const list = (text: string): string[] => text.split(',').filter((part) => part !== '');

type PageOptions = Omit<LabelCommandOptions, 'propose'> &
  LabellingOptions & { readonly propose?: number; readonly open: boolean };

export interface LabelCommandOptions {
  readonly target: string;
  readonly propose: number;
  readonly order: 'next' | 'random';
  readonly seed: number;
  readonly bundle?: string;
  readonly cases?: readonly string[];
  readonly labelled?: readonly string[];
  readonly cache?: string;
}

/** `sammix label`: which slices to label next. */
export async function labelCommand(
  dataset: string,
  options: LabelCommandOptions,
  progress: Progress,
): Promise<Finished> {
  const { target, propose: count, seed } = options;
  const cases = await readLabelSet(dataset, target, options.cases);
  const folder = options.bundle ?? DEFAULT_BUNDLE;
  const bundle = await openBundle(new DirStore(folder), folder);
  const scores = await allScores(dataset, cases, bundle, options.cache, progress);
  const said = options.labelled && saidLabelled(options.labelled, cases);
  const candidates = cases.flatMap((one, at) => candidatesOf(one, scores[at]!, said));
  const open = candidates.filter(isOpen);
  const proposal = chooseSlices(candidates, count, options, bundle);
  const result = {
    target,
    order: options.order,
    ...(options.order === 'random' && { seed }),
    bundle: {
      name: bundle.manifest.name,
      digest: bundle.digest,
      knowsTarget: knowsTarget(bundle, target),
    },
    labelled: candidates.length - open.length,
    open: open.length,
    proposal,
  };
  const summary = `${counted(open.length, 'slice')} to choose from, ${candidates.length - open.length} labelled`;
  return ok(result, [...proposal.map(line), summary].join('\n'));
}

function line(one: Chosen): string {
  const where = `${one.caseId} slice ${one.slice}`;
  if (one.uncertainty === undefined) return `${where}: drawn at random`;
  const digits = (value: number | undefined): string => (value ?? 0).toFixed(2);
  return (
    `${where}: uncertainty ${digits(one.uncertainty)} (shows it ${digits(one.probability)}, doubt of the mask ` +
    `${digits(one.doubt)}), typical ${digits(one.typicality)}, new ${digits(one.novelty)}`
  );
}

async function allScores(
  dataset: string,
  cases: readonly LabelCase[],
  bundle: OpenBundle,
  cache: string | undefined,
  progress: Progress,
): Promise<CaseScores[]> {
  const store = await scoreStore(dataset, bundle.digest, cache);
  const options = { threads: availableParallelism(), providers: ['cpu'] as const };
  let runtime: ReturnType<typeof openRuntimeInThread> | undefined;
  let scorer: SliceScorer | undefined;
  const opened = async (): Promise<SliceScorer> => {
    runtime ??= openRuntimeInThread(Promise.resolve(bundle), options);
    scorer ??= new SliceScorer(bundle.manifest, (await runtime).infer);
    return scorer;
  };
  try {
    const all: CaseScores[] = [];
    for (const [at, one] of cases.entries()) {
      progress.begin(one.caseId, `[${at + 1}/${cases.length}]`);
      all.push(await caseScores(one, bundle.manifest, opened, store));
    }
    return all;
  } finally {
    await (await runtime)?.close();
  }
}
