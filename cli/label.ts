import { availableParallelism } from 'node:os';
import { type Command, Option } from 'commander';
import { DirStore } from '../adapters/dir-store.ts';
import { openRuntimeInThread } from '../adapters/onnx-thread.ts';
import { ConfigError } from '../core/errors.ts';
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
  chooseAtRandom,
  chooseSlices,
  isOpen,
  knowsTarget,
  type Labels,
  saidLabelled,
} from './labelling/candidates.ts';
import { type LabelCase, readable, readLabelSet, type Unread } from './labelling/label-set.ts';
import { type CaseScores, caseScores, scoreStore, unscored } from './labelling/scores.ts';
import { type LabellingOptions, openLabelling } from './labelling/server.ts';
import type { Progress } from './progress.ts';
import { openInBrowser, portNumber } from './view.ts';

/** `sammix label` */
export function define(command: Command): void {
  withOutput(command)
    .argument('[dataset]', "a data set in nnU-Net's layout: scans in imagesTr, labels in labelsTr")
    .option('--target <name>', 'the label, as dataset.json names it')
    .option(
      '--from <results>',
      'start from the masks of a sammix run; without a data set they are corrected where they lie',
      folderName,
    )
    .option(
      '--propose <n>',
      'print that many slices to label next, and open no page',
      positiveInteger,
    )
    .option(
      '--slices <n>',
      'how many labelled slices are the goal (default: 50; of --from alone all)',
      positiveInteger,
    )
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
  $ sammix label scans --target liver --from results
  $ sammix label --from results --target spleen

A bundle of another target proposes slices that differ from each other; one of this target those it is unsure of.
Slices are counted from 0 at the feet. To try an order on a data set that is labelled already, say with
--labelled which slices count (case:slice=shown or =empty), or --labelled none.`,
    )
    .action(async (dataset: string | undefined, options: PageOptions) => {
      await report(command, async (progress) => {
        if (options.propose !== undefined) return propose(dataset, options, progress);
        return openPage(dataset, options, progress);
      });
    });
}

async function openPage(
  dataset: string | undefined,
  options: PageOptions,
  progress: Progress,
): Promise<Finished> {
  const { server, state, stop } = await openLabelling(dataset, options);
  for (const { caseId, why } of state.unread) progress.line(`NOT READ ${caseId}: ${why}`);
  if (options.open) openInBrowser(server.url);
  // In place of the command line's own listener, which would not wait for what is drawn to be written.
  process.removeAllListeners('SIGINT');
  process.once('SIGINT', () => {
    stop().then(
      () => process.exit(EXIT.ok),
      () => process.exit(EXIT.storage),
    );
  });
  const { labelled, goal, unread, target } = state;
  const after =
    dataset === undefined
      ? `\nThe next sammix run with the same inputs measures what was corrected.`
      : '';
  const text = `${labelled} of ${goal} slices labelled; go on at ${server.url}\nCtrl-C stops it.${after}`;
  return ok({ url: server.url, target, labelled, goal, unread }, text);
}

const list = (text: string): string[] => text.split(',').filter((part) => part !== '');

interface PageOptions extends LabellingOptions {
  readonly propose?: number;
  readonly labelled?: readonly string[];
  readonly open: boolean;
}

/** @throws ConfigError without a data set, or with the masks of a run, which say nothing of what is worth labelling */
function propose(
  dataset: string | undefined,
  { target, propose: count, from, ...options }: PageOptions,
  progress: Progress,
): Promise<Finished> {
  if (dataset !== undefined && target !== undefined && from === undefined)
    return labelCommand(dataset, { ...options, target, propose: count! }, progress);
  throw new ConfigError({
    code: 'propose-without-dataset',
    subject: '--propose',
    expected: 'a data set and --target, without --from',
    found: dataset === undefined ? 'no data set' : from === undefined ? 'no --target' : '--from',
    remedy: 'Call it so: sammix label scans --target spleen --propose 15.',
  });
}

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

/** `sammix label --propose`: which slices to label next. */
export async function labelCommand(
  dataset: string,
  options: LabelCommandOptions,
  progress: Progress,
): Promise<Finished> {
  const { target, order, seed, labelled } = options;
  const { cases, unread: before } = await readLabelSet(dataset, target, options.cases);
  const unread = [...before];
  const folder = options.bundle ?? DEFAULT_BUNDLE;
  const bundle = await openBundle(new DirStore(folder), folder);
  const said = labelled && saidLabelled(labelled, cases);
  const work = { dataset, cases, bundle, said, unread };
  const { proposal, open, done } =
    order === 'random' ? drawn(work, options) : await chosen(work, options, progress);
  const result = {
    target,
    order,
    ...(order === 'random' && { seed }),
    bundle: {
      name: bundle.manifest.name,
      digest: bundle.digest,
      knowsTarget: knowsTarget(bundle, target),
    },
    labelled: done,
    open,
    proposal,
    unread,
  };
  const summary = `${counted(open, 'slice')} to choose from, ${done} labelled`;
  const lost = unread.map(({ caseId, why }) => `NOT READ ${caseId}: ${why}`);
  const text = [...proposal.map(line), summary, ...lost].join('\n');
  return { result, text, exitCode: unread.length > 0 ? EXIT.someCasesFailed : EXIT.ok };
}

interface Work {
  readonly dataset: string;
  readonly cases: readonly LabelCase[];
  readonly bundle: OpenBundle;
  readonly said: Labels | undefined;
  readonly unread: Unread[];
}

interface Proposal {
  readonly proposal: readonly Chosen[];
  readonly open: number;
  readonly done: number;
}

/** Without a look at the scans. */
function drawn({ cases, said }: Work, { propose, seed }: LabelCommandOptions): Proposal {
  const all = cases.flatMap((one) => candidatesOf(one, unscored(one), said));
  const open = all.filter(isOpen).length;
  return { proposal: chooseAtRandom(all, propose, seed), open, done: all.length - open };
}

async function chosen(
  { dataset, cases, bundle, said, unread }: Work,
  { propose, target, cache }: LabelCommandOptions,
  progress: Progress,
): Promise<Proposal> {
  const store = await scoreStore(dataset, bundle.digest, cache);
  const scores = await allScores(cases, bundle, store, unread, progress);
  const all = [...scores].flatMap(([one, found]) => candidatesOf(one, found, said));
  const open = all.filter(isOpen).length;
  const proposal = chooseSlices(all, propose, target, bundle);
  return { proposal, open, done: all.length - open };
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
  cases: readonly LabelCase[],
  bundle: OpenBundle,
  store: DirStore,
  unread: Unread[],
  progress: Progress,
): Promise<Map<LabelCase, CaseScores>> {
  const options = { threads: availableParallelism(), providers: ['cpu'] as const };
  let runtime: ReturnType<typeof openRuntimeInThread> | undefined;
  let scorer: SliceScorer | undefined;
  const opened = async (): Promise<SliceScorer> => {
    runtime ??= openRuntimeInThread(Promise.resolve(bundle), options);
    scorer ??= new SliceScorer(bundle.manifest, (await runtime).infer);
    return scorer;
  };
  try {
    const all = new Map<LabelCase, CaseScores>();
    for (const [at, one] of cases.entries()) {
      progress.begin(one.caseId, `[${at + 1}/${cases.length}]`);
      const scores = await readable(one.caseId, unread, () =>
        caseScores(one, bundle.manifest, opened, store),
      );
      if (scores) all.set(one, scores);
    }
    return all;
  } finally {
    await (await runtime)?.close();
  }
}
