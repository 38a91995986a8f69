import { availableParallelism } from 'node:os';
import path from 'node:path';
import type * as z from 'zod';
import { lockFolder } from '../../adapters/dir-lock.ts';
import { DirStore } from '../../adapters/dir-store.ts';
import { openRuntimeInThread } from '../../adapters/onnx-thread.ts';
import {
  type Actions,
  type Served,
  serveView,
  type ViewServer,
} from '../../adapters/view-server.ts';
import { BoxAsked, type LabelState, Saved, SliceOfCase } from '../../core/contract/label-page.ts';
import { ConfigError } from '../../core/errors.ts';
import { fromJsonBytes, toJsonBytes } from '../../core/json.ts';
import { SliceScorer } from '../../core/labelling/score-slice.ts';
import { openBundle } from '../../core/stage/open-bundle.ts';
import { labelPage } from '../../viewer/build.ts';
import { DEFAULT_BUNDLE } from '../command.ts';
import { once, pageRoute } from '../view.ts';
import { candidatesOf, chooseSlices } from './candidates.ts';
import { readLabelSet, scansOf } from './label-set.ts';
import { type CaseScores, caseScores, scoreStore } from './scores.ts';
import { drawnValues, LabelSession } from './session.ts';

export interface LabellingOptions {
  readonly target: string;
  readonly bundle?: string;
  readonly cases?: readonly string[];
  readonly cache?: string;
  readonly order: 'next' | 'random';
  readonly seed: number;
  /** How many labelled slices are the goal. */
  readonly slices: number;
  /** 0 takes a free port. */
  readonly port: number;
}

export interface OpenLabelling {
  readonly server: ViewServer;
  readonly state: LabelState;
  /** Puts everything into the label files and lets go of the data set. */
  stop(): Promise<void>;
}

/** `sammix label`: serves the page; a data set is labelled by one at a time. */
export async function openLabelling(
  root: string,
  options: LabellingOptions,
): Promise<OpenLabelling> {
  const { target, order } = options;
  // Nothing is written into a folder that is no data set.
  await scansOf(root, options.cases);
  const release = await lockFolder(path.join(root, '.sammix'));
  const values = await drawnValues(root, target);
  const cases = await readLabelSet(root, target, options.cases);
  const folder = options.bundle ?? DEFAULT_BUNDLE;
  const bundle = await openBundle(new DirStore(folder), folder);
  const threads = availableParallelism();
  const runtime = await openRuntimeInThread(Promise.resolve(bundle), {
    threads,
    providers: ['cpu'],
  });
  const { infer } = runtime;
  const session = await LabelSession.start({
    root,
    target,
    values,
    cases,
    bundle,
    infer,
    goal: options.slices,
  });

  // Scan by scan, while the first slices are drawn already; what is scored is chosen from.
  const scored: CaseScores[] = [];
  let stopped = false;
  const store = await scoreStore(root, bundle.digest, options.cache);
  const scorer = new SliceScorer(bundle.manifest, infer);
  const scoring: Promise<void>[] = [];
  for (const one of cases) {
    const before = scoring.at(-1) ?? Promise.resolve();
    const own = before.then(async () => {
      if (!stopped) scored.push(await caseScores(one, bundle.manifest, async () => scorer, store));
    });
    own.catch(() => undefined);
    scoring.push(own);
  }
  const next = async () => {
    await (order === 'random' ? scoring.at(-1) : scoring[0]);
    const candidates = session.cases.flatMap((one, at) =>
      scored[at] === undefined ? [] : candidatesOf(one, scored[at], undefined),
    );
    const [first] = chooseSlices(candidates, 1, options, bundle);
    if (!first) return null;
    const { caseId, slice, uncertainty, novelty } = first;
    if (uncertainty === undefined || novelty === undefined)
      return { caseId, slice, why: 'Drawn at random.' };
    const heard =
      scored.length < cases.length
        ? ` Chosen from ${scored.length} of ${cases.length} scans so far.`
        : '';
    const why = `Uncertainty ${uncertainty.toFixed(2)}, unlike labelled ones ${novelty.toFixed(2)}.${heard}`;
    return { caseId, slice, why };
  };

  const page = await labelPage();
  const routes = new Map<string, Served>([
    ['', pageRoute(page)],
    [
      'state.json',
      { contentType: 'application/json', open: () => once(toJsonBytes(session.state, 0)) },
    ],
  ]);
  const actions: Actions = new Map([
    ['next', async () => toJsonBytes(await next(), 0)],
    ['slice', async (body: Uint8Array) => session.slice(asked(SliceOfCase, body))],
    [
      'box',
      async (body: Uint8Array) => {
        const { box, hint, ...at } = asked(BoxAsked, body);
        return session.draw(at, box, hint === null ? undefined : Buffer.from(hint, 'base64'));
      },
    ],
    [
      'save',
      async (body: Uint8Array) => {
        const { mask, ...at } = asked(Saved, body);
        return toJsonBytes(await session.save(at, Buffer.from(mask, 'base64')), 0);
      },
    ],
  ]);
  const server = await serveView(routes, options.port, actions);
  const stop = async (): Promise<void> => {
    stopped = true;
    await server.close();
    await session.flush();
    await Promise.allSettled(scoring);
    await runtime.close();
    await release();
  };
  return { server, state: session.state, stop };
}

function asked<Schema extends z.ZodType>(schema: Schema, body: Uint8Array): z.output<Schema> {
  try {
    return fromJsonBytes(schema, body);
  } catch (cause) {
    throw new ConfigError(
      {
        code: 'bad-request',
        subject: 'the page',
        expected: 'a request of this version of sammix',
        found: 'another',
        remedy: 'Load the page again.',
      },
      { cause },
    );
  }
}
