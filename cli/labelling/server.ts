import { availableParallelism } from 'node:os';
import type * as z from 'zod';
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
import { type NextSlices, randomSlices, scoredSlices } from './next-slice.ts';
import { scoreStore } from './scores.ts';
import { LabelSession } from './session.ts';
import { openPlace, type PlaceOptions } from './work-place.ts';

export interface LabellingOptions extends PlaceOptions {
  readonly bundle?: string;
  readonly cache?: string;
  readonly order: 'next' | 'random';
  readonly seed: number;
  /** How many labelled slices are the goal. */
  readonly slices?: number;
  /** 0 takes a free port. */
  readonly port: number;
}

export interface OpenLabelling {
  readonly server: ViewServer;
  readonly state: LabelState;
  /** Puts everything into the label files and lets go of the data set. */
  stop(): Promise<void>;
}

/** The goal of a data set; of a run that is corrected it is every slice. */
const FIFTY = 50;

/**
 * `sammix label`: serves the page; a data set, or the results of a run, are labelled by one at a time.
 *
 * @param dataset undefined to correct the masks of `options.from` in their own place
 */
export async function openLabelling(
  dataset: string | undefined,
  options: LabellingOptions,
): Promise<OpenLabelling> {
  const { order, seed } = options;
  const { place, target, cases, unread, release } = await openPlace(dataset, options);
  const folder = options.bundle ?? DEFAULT_BUNDLE;
  const bundle = await openBundle(new DirStore(folder), folder);
  const threads = availableParallelism();
  const runtime = await openRuntimeInThread(Promise.resolve(bundle), {
    threads,
    providers: ['cpu'],
  });
  const { infer } = runtime;
  const goal = options.slices ?? (dataset === undefined ? undefined : FIFTY);
  const session = await LabelSession.start({ target, place, cases, unread, bundle, infer, goal });
  const slices: NextSlices =
    order === 'random'
      ? randomSlices(seed)
      : scoredSlices(cases, {
          target,
          bundle,
          scorer: new SliceScorer(bundle.manifest, infer),
          store: await scoreStore(place.root, bundle.digest, options.cache),
          unread,
        });
  const server = await serveView(await routesOf(session), options.port, actionsOf(session, slices));
  const stop = async (): Promise<void> => {
    await server.close();
    await session.flush();
    await slices.stop();
    await runtime.close();
    await release();
  };
  return { server, state: session.state, stop };
}

const routesOf = async (session: LabelSession): Promise<Map<string, Served>> =>
  new Map<string, Served>([
    ['', pageRoute(await labelPage())],
    [
      'state.json',
      { contentType: 'application/json', open: () => once(toJsonBytes(session.state, 0)) },
    ],
  ]);

const actionsOf = (session: LabelSession, slices: NextSlices): Actions =>
  new Map([
    ['next', async () => toJsonBytes(await slices.next(session.cases), 0)],
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
        const { kinds, ...at } = asked(Saved, body);
        return toJsonBytes(await session.save(at, Buffer.from(kinds, 'base64')), 0);
      },
    ],
  ]);

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
