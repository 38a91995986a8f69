import { execFileSync } from 'node:child_process';
import { existsSync } from 'node:fs';
import fc from 'fast-check';
import { beforeAll, describe, expect, it } from 'vitest';
import { TrainConfig, TrainRequest } from '../../site/contract/training.ts';
import { TRAINER, TRAINER_PYTHON } from './emulator.ts';

/**
 * A request is checked twice: by the site's function with our schema, and by the trainer with its
 * own reader. Both are asked about the same requests.
 */

const hasTrainer = existsSync(TRAINER_PYTHON);
if (!hasTrainer)
  console.log(`\nSKIPPED: both readers of training requests; there is no ${TRAINER_PYTHON}.\n`);

const share = fc.double({ min: 0, max: 1, noNaN: true });
const count = fc.integer({ min: 1, max: 100_000 });
const positive = fc.double({ min: 1e-9, max: 1e6, noNaN: true });
const folder = fc.stringMatching(/^training\/data\/[A-Za-z0-9][A-Za-z0-9._+-]{0,20}\/$/);
const noDots = <T>(arbitrary: fc.Arbitrary<T>) =>
  arbitrary.filter((value) => !String(value).includes('..'));

const FIELDS: Record<keyof TrainConfig, fc.Arbitrary<unknown>> = {
  size: fc.constantFrom('tiny', 'mini', 'small', 'vit_b', 'lite_medsam'),
  labels: fc.oneof(fc.constant('all'), count.map(String)),
  target: fc.constantFrom('liver', 'liver+cancer'),
  adapt: fc.constantFrom('all', 'decoder', 'decoder+classifier', 'lora', 'lora+decoder'),
  views: fc.nat(8),
  unlabelled_slices: fc.nat(1000),
  seed: fc.nat(),
  steps: count,
  minutes: fc.oneof(fc.nat(1000), share),
  labelled_per_step: count,
  negatives_per_step: fc.nat(100),
  unlabelled_per_step: fc.nat(100),
  classifier_positives_per_step: fc.nat(100),
  empty_chance: share,
  learning_rate: fc.oneof(positive, fc.constant(1)),
  weight_decay: share,
  warmup_steps: fc.nat(1000),
  grad_clip: positive,
  pixel_loss: fc.constantFrom('bce', 'focal'),
  all_masks_weight: share,
  lambda_max: share,
  ramp_fraction: share,
  unlabelled_start: share,
  cam_weight: share,
  outline_weight: share,
  real_cam_max: share,
  ema_decay: share,
  real_cam_ramp: share,
  mask_sources: fc.constantFrom('', 'ct1', 'ct1,ct-2'),
  source_shares: fc.constantFrom('', 'ct1=1', 'ct1=.4,ct-2=0.6'),
  negative_shares: fc.constantFrom('', 'ct1=3'),
  small_target_exponent: share,
  small_positive_exponent: share,
  crops_per_step: fc.nat(10),
  clean_share: share,
  overlap: fc.boolean(),
  bfloat16: fc.boolean(),
  evaluate_every_s: positive,
};

const checkpoint = fc.record({
  key: fc.stringMatching(/^models\/[A-Za-z0-9][A-Za-z0-9_-]{0,20}\.(pth|pt|bin|safetensors)$/),
  input: fc.constantFrom('sam', 'unit'),
  licence: fc.string({ minLength: 1, maxLength: 20 }),
});

const good = fc
  .record(
    {
      schemaVersion: fc.constant(1),
      id: noDots(fc.stringMatching(/^[A-Za-z0-9][A-Za-z0-9._+-]{0,40}$/)),
      dataPrefix: noDots(folder),
      checkpoint: fc.option(checkpoint),
      imageSize: fc.option(fc.constantFrom(128, 256, 512, 1024)),
      config: fc.record(FIELDS, { requiredKeys: [] }),
      measureTest: fc.boolean(),
    },
    { requiredKeys: ['schemaVersion', 'id', 'dataPrefix', 'config'] },
  )
  // A SAM checkpoint decides the size, and only with one there is LoRA to adapt.
  .map((request) => {
    const { adapt, ...config } = request.config;
    if (request.checkpoint) return { ...request, config: { ...request.config, size: 'vit_b' } };
    return config.size === 'lite_medsam'
      ? { ...request, imageSize: 256, config }
      : { ...request, config };
  });

type Request = Record<string, unknown> & { config: Record<string, unknown> };

/** Each makes a good request bad. */
const SPOIL: readonly ((request: Request) => unknown)[] = [
  (request) => ({ ...request, schemaVersion: 2 }),
  (request) => ({ ...request, id: '../up' }),
  (request) => ({ ...request, id: '' }),
  (request) => ({ ...request, dataPrefix: 'training/data/../cases/' }),
  (request) => ({ ...request, dataPrefix: 'cases/liver/' }),
  (request) => ({ ...request, dataPrefix: 'training/data/no-slash' }),
  (request) => ({ ...request, config: { ...request.config, source_shares: 'ct1' } }),
  (request) => ({ ...request, lables: '50' }),
  (request) => ({ ...request, dataset: 'liver' }),
  (request) => ({ ...request, startFrom: 'active' }),
  ({ dataPrefix: _, ...request }) => ({ ...request, dataset: '../cases', config: {} }),
  ({ dataPrefix: _, ...request }) => ({ ...request, dataset: 'liver', config: { size: 'tiny' } }),
  (request) => ({ ...request, measureTest: 'yes' }),
  (request) => ({ ...request, imageSize: true }),
  (request) => ({ ...request, imageSize: '512' }),
  (request) => ({ ...request, checkpoint: 'models/a.pth' }),
  (request) => ({
    ...request,
    checkpoint: { key: 'incoming/a.pth', input: 'sam', licence: 'MIT' },
  }),
  (request) => ({ ...request, checkpoint: { key: 'models/a.pth', input: 'hu', licence: 'MIT' } }),
  (request) => ({ ...request, checkpoint: { key: 'models/a.pth', input: 'sam' } }),
  (request) => ({
    ...request,
    checkpoint: { key: 'models/a.pth', input: 'sam', licence: 'MIT' },
    config: { ...request.config, size: 'small' },
  }),
  (request) => ({ ...request, imageSize: 512, config: { ...request.config, size: 'lite_medsam' } }),
  ({ dataPrefix: _, ...request }) => request,
  ({ config: _, ...request }) => request,
  (request) => ({ ...request, config: { ...request.config, speed: 1 } }),
  (request) => ({ ...request, config: { ...request.config, labels: 50 } }),
  (request) => ({ ...request, config: { ...request.config, labels: 'many' } }),
  (request) => ({ ...request, config: { ...request.config, size: 'huge' } }),
  (request) => ({ ...request, config: { ...request.config, seed: 1.5 } }),
  (request) => ({ ...request, config: { ...request.config, steps: 0, minutes: 0 } }),
  (request) => ({ ...request, config: { ...request.config, steps: true } }),
  (request) => ({ ...request, config: { ...request.config, overlap: 1 } }),
  (request) => ({ ...request, config: { ...request.config, learning_rate: '1e-4' } }),
  (request) => ({ ...request, config: { ...request.config, pixel_loss: 'l2' } }),
  () => [],
];

const CODE = `
import dataclasses, json, sys
from sammix_train.config import TrainConfig
from sammix_train.job.request import RequestError, parse_request

def verdict(request):
    try:
        parse_request(json.dumps(request), request["id"] if isinstance(request, dict) else "x")
        return None
    except RequestError as error:
        return str(error)

fields = {f.name: f.type.__name__ for f in dataclasses.fields(TrainConfig) if f.name != "model"}
print(json.dumps({"fields": fields, "verdicts": [verdict(one) for one in json.load(sys.stdin)]}))
`;

interface Answer {
  /** Fields of the trainer's configuration and their Python types. */
  readonly fields: Readonly<Record<string, string>>;
  /** Null where the trainer takes the request. */
  readonly verdicts: readonly (string | null)[];
}

function askTrainer(requests: readonly unknown[]): Answer {
  const input = JSON.stringify(requests);
  return JSON.parse(
    execFileSync(TRAINER_PYTHON, ['-B', '-c', CODE], { cwd: TRAINER, input }).toString(),
  );
}

describe.skipIf(!hasTrainer)('the two readers of a training request', () => {
  const requests = fc.sample(good, { numRuns: 300, seed: 5 }) as Request[];
  const spoilt = SPOIL.flatMap((spoil) => requests.slice(0, 5).map((request) => spoil(request)));
  let answer: Answer;
  beforeAll(() => {
    answer = askTrainer([...requests, ...spoilt]);
  });

  it('know the same configuration', () => {
    expect(Object.keys(TrainConfig.shape).sort()).toEqual(Object.keys(answer.fields).sort());
  });

  it('take the same requests', () => {
    for (const [index, request] of requests.entries()) {
      const own = TrainRequest.safeParse(request);
      const text = JSON.stringify(request);
      expect(own.success, `${text}: ${own.error?.message}`).toBe(true);
      expect(answer.verdicts[index], text).toBeNull();
    }
  });

  it('refuse the same requests', () => {
    for (const [index, request] of spoilt.entries()) {
      const text = JSON.stringify(request);
      expect(TrainRequest.safeParse(request).success, text).toBe(false);
      expect(answer.verdicts[requests.length + index], text).toEqual(expect.any(String));
    }
  });
});
