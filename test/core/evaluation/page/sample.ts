import type { EvaluatedCase, EvaluatedStatus } from '../../../../core/contract/evaluated-case.ts';
import { Evaluation, type History } from '../../../../core/contract/evaluation.ts';
import { extendHistory } from '../../../../core/evaluation/history.ts';
import { summarise } from '../../../../core/evaluation/summarise.ts';
import { createRandom, type Random } from '../../../../core/random.ts';

/** A made-up cohort that looks like a real one; the same seed gives the same cases. */
export interface CohortOptions {
  readonly cases: number;
  readonly failed?: number;
  readonly missed?: number;
  readonly spurious?: number;
  readonly unusable?: number;
  /** Added to every error of the masks: a worse model. */
  readonly worse?: number;
  /** Added to the scans' intensities: another scanner. */
  readonly huShift?: number;
  readonly seed?: number;
  readonly slices?: number;
}

const DAY_MS = 86_400_000;
const CREATED_AT = '2026-11-20T04:05:06.000Z';

const SCANNERS: [string, ...string[]] = ['Aquilion ONE', 'SOMATOM Force', 'Revolution CT', ''];

export function sampleCases(options: CohortOptions): EvaluatedCase[] {
  const { cases, failed = 0, missed = 0, spurious = 0, unusable = 0 } = options;
  const special: EvaluatedStatus[] = [
    ...new Array<EvaluatedStatus>(failed).fill('failed'),
    ...new Array<EvaluatedStatus>(missed).fill('missed'),
    ...new Array<EvaluatedStatus>(spurious).fill('spurious'),
    ...new Array<EvaluatedStatus>(unusable).fill('label-unusable'),
  ];
  return Array.from({ length: cases }, (_, n) => {
    // One generator per case, so that a change of the model leaves its scan alone.
    const random = createRandom((options.seed ?? 1) * 100_003 + n);
    const place = (n * 7) % cases;
    return sampleCase(n, special[place] ?? 'compared', random, options);
  });
}

/** Sum of uniforms, about normal. */
const bell = (random: Random): number =>
  random.next() + random.next() + random.next() + random.next() - 2;

function sampleCase(
  n: number,
  status: EvaluatedStatus,
  random: Random,
  { worse = 0, huShift = 0, slices = 40 }: CohortOptions,
): EvaluatedCase {
  const patient = Math.floor(n / 1.1);
  const slice = random.pick([0.8, 1, 1.25, 2, 2.5, 3, 5, 5]);
  const labelVolumeMl = 1500 + 350 * bell(random);
  const error = Math.max(
    0.012,
    0.045 + 0.03 * bell(random) + 0.004 * slice + worse * random.next(),
  );
  const hd95Mm = 40 * error ** 1.1 + slice;
  const volumeErrorMl = labelVolumeMl * error * 0.5 * bell(random);
  const numbers =
    status === 'compared' ? measured(error, hd95Mm, volumeErrorMl, labelVolumeMl) : null;
  const isEmpty = status === 'missed' || status === 'spurious';
  const positives = Math.floor(slices * 0.45);
  return {
    caseId: `liver_${String(n).padStart(3, '0')}`,
    patientId: `patient-${patient}`,
    runId: '0123456789abcdef',
    status,
    fault: faultOf(status, n),
    labelVersion: 'sha256:11',
    metrics: isEmpty ? nothingShared(labelVolumeMl, status === 'missed') : numbers,
    paper:
      numbers === null
        ? null
        : { slices: Math.round(slices * 0.3), dice: 1 - error * 0.8, hausdorffPx: 4 + 60 * error },
    predictionVolumeMl:
      status === 'missed' ? 0 : status === 'failed' ? null : labelVolumeMl + volumeErrorMl,
    labelVolumeMl: numbers === null && !isEmpty ? null : status === 'spurious' ? 0 : labelVolumeMl,
    liverSliceRecall: numbers ? 1 - error / 3 : status === 'missed' ? 0 : null,
    liverFreeSliceSpecificity: numbers ? 1 - error / 4 : null,
    scan:
      status === 'failed'
        ? null
        : {
            orientation: random.pick(['LPS', 'LPS', 'RAS', 'LAS']),
            spacingMm: { column: 0.65 + 0.2 * random.next(), row: 0.7, slice },
            description: random.pick(SCANNERS) || null,
            hu: {
              min: -1024,
              max: 1800,
              p01: -1010,
              p50: -80 + 20 * bell(random) + huShift,
              p99: 240,
            },
          },
    scores:
      numbers === null
        ? []
        : Array.from({ length: slices }, (_, k) => {
            const positive = k < positives;
            const at = (positive ? 0.86 : 0.12) + 0.28 * bell(random);
            return { score: Math.max(0, Math.min(1, at)), positive };
          }),
    flags:
      status === 'missed'
        ? ['no-liver-found']
        : error > 0.09
          ? ['slice-jump', 'cam-disagreement']
          : [],
    seconds: status === 'failed' ? null : 20 + 30 * random.next(),
  };
}

function faultOf(status: EvaluatedStatus, n: number): EvaluatedCase['fault'] {
  if (status === 'failed') {
    return {
      code: 'truncated-gzip',
      subject: `liver_${n}.nii.gz`,
      expected: 'a whole gzip stream',
      found: 'its end after 1000 bytes',
      remedy: 'Copy the file again.',
    };
  }
  if (status !== 'label-unusable') return null;
  return {
    code: 'grid-shape',
    subject: `liver_${n}-label.nii.gz`,
    expected: '512 x 512 x 90 voxels',
    found: '512 x 512 x 91 voxels',
    remedy: 'Give the label of this scan.',
  };
}

type Metrics = NonNullable<EvaluatedCase['metrics']>;

function measured(error: number, hd95Mm: number, volumeErrorMl: number, labelMl: number): Metrics {
  const dice = 1 - error;
  const nsd = (toleranceMm: number): number => Math.max(0, 1 - (error * 3.2) / toleranceMm);
  return {
    dice,
    iou: dice / (2 - dice),
    volumeErrorMl,
    volumeErrorPercent: (100 * volumeErrorMl) / labelMl,
    hdMm: hd95Mm * 4,
    hd95Mm,
    assdMm: hd95Mm / 4,
    labelToPredictionMm: hd95Mm / 4.2,
    predictionToLabelMm: hd95Mm / 3.8,
    nsd1Mm: nsd(1),
    nsd2Mm: nsd(2),
    nsd3Mm: nsd(3),
    monaiHdMm: hd95Mm * 4.1,
    monaiHd95Mm: hd95Mm * 1.1,
  };
}

const nothingShared = (labelMl: number, missed: boolean): Metrics => ({
  dice: 0,
  iou: 0,
  volumeErrorMl: missed ? -labelMl : labelMl,
  volumeErrorPercent: missed ? -100 : 'inf',
  hdMm: 'inf',
  hd95Mm: 'inf',
  assdMm: 'inf',
  labelToPredictionMm: 'inf',
  predictionToLabelMm: 'inf',
  nsd1Mm: 0,
  nsd2Mm: 0,
  nsd3Mm: 0,
  monaiHdMm: 'inf',
  monaiHd95Mm: 'inf',
});

const SAMPLE_BUNDLE = {
  name: 'sam-mix-tinyvit',
  digest: 'ab'.repeat(32),
  classifierThreshold: 0.3,
  windowHu: [-160, 240] as [number, number],
  sliceSizePx: 256,
  licences: ['LiTS: CC BY-NC-ND 4.0', 'TinyViT weights: Apache-2.0'],
};

/** Parsed by the contract, so that a change of the contract shows up here. */
export function sampleEvaluation(
  cases: readonly EvaluatedCase[],
  changes: Partial<Parameters<typeof summarise>[1]> = {},
): Evaluation {
  return Evaluation.parse(
    summarise(cases, {
      evaluationId: 'e-20261120T040506',
      dataset: 'site-validation',
      createdAt: CREATED_AT,
      sammixVersion: '0.1.0',
      bundle: SAMPLE_BUNDLE,
      bootstrap: { draws: 200, confidence: 0.95, seed: 0 },
      ...changes,
    }),
  );
}

/** 60 cases with failures, a better model than before, other scans than before, eight runs. */
export function sampleCohort(): { evaluation: Evaluation; history: History } {
  const mix = { cases: 60, missed: 2, spurious: 1, unusable: 1 };
  const earlier = Array.from({ length: 7 }, (_, run) =>
    sampleEvaluation(
      sampleCases({ ...mix, failed: run < 3 ? 4 : 3, worse: run < 4 ? 0.06 : 0.03, huShift: run }),
      {
        evaluationId: `e-run-${run}`,
        createdAt: new Date(Date.parse(CREATED_AT) - (7 - run) * 7 * DAY_MS).toISOString(),
        bundle: { ...SAMPLE_BUNDLE, digest: (run < 4 ? 'cd' : 'ef').repeat(32) },
      },
    ),
  );
  const cases = sampleCases({ ...mix, failed: 3, huShift: 18 });
  const evaluation = sampleEvaluation(cases, { previous: earlier.at(-1) });
  const history = [...earlier, evaluation].reduce<History | undefined>(extendHistory, undefined)!;
  return { evaluation, history };
}

/** Everything that ends a tag, an attribute, a script or a style, and turns text around. */
export const HOSTILE = `"></script><script>window.broken=1</script><img src=x onerror='window.broken=1'><svg onload=window.broken=1>\u202e&amp;</style>`;

/** A cohort in which every text from outside is hostile. */
export function hostileCohort(): { evaluation: Evaluation; history: History } {
  const hostile = sampleCases({ cases: 6, failed: 1, missed: 1, unusable: 1 }).map((one, n) => ({
    ...one,
    caseId: `${n}${HOSTILE}`,
    patientId: `${n % 4}${HOSTILE}`,
    flags: [...one.flags, HOSTILE],
    fault: one.fault && {
      code: HOSTILE,
      subject: HOSTILE,
      expected: HOSTILE,
      found: HOSTILE,
      remedy: HOSTILE,
    },
    scan: one.scan && { ...one.scan, description: n % 2 === 0 ? HOSTILE : `b${HOSTILE}` },
  }));
  const facts = {
    evaluationId: HOSTILE,
    dataset: HOSTILE,
    sammixVersion: HOSTILE,
    bundle: { ...SAMPLE_BUNDLE, name: HOSTILE, digest: HOSTILE, licences: [HOSTILE] },
  };
  const worse = hostile.map((one) =>
    one.metrics
      ? { ...one, metrics: { ...one.metrics, dice: (one.metrics.dice as number) / 2 } }
      : one,
  );
  const createdAt = new Date(Date.parse(CREATED_AT) - DAY_MS).toISOString();
  const previous = sampleEvaluation(worse, {
    ...facts,
    createdAt,
    evaluationId: `b${HOSTILE}`,
    bundle: { ...facts.bundle, digest: `b${HOSTILE}` },
  });
  const evaluation = sampleEvaluation(hostile, { ...facts, previous });
  const history = [previous, evaluation].reduce<History | undefined>(extendHistory, undefined)!;
  return { evaluation, history };
}
