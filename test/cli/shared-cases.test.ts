import { existsSync, readdirSync } from 'node:fs';
import { readFile } from 'node:fs/promises';
import path from 'node:path';
import { describe, expect, it } from 'vitest';
import { collectCases } from '../../cli/cases.ts';
import { checkCommand } from '../../cli/check.ts';
import { DEFAULT_BUNDLE } from '../../cli/command.ts';
import { evaluateCommand } from '../../cli/evaluate.ts';
import { EXIT } from '../../cli/exit-codes.ts';
import { findInputs } from '../../cli/inputs.ts';
import { silentProgress } from '../../cli/progress.ts';
import { runCommand } from '../../cli/run.ts';
import { CaseReport } from '../../core/contract/report.ts';
import { uploadCaseId } from '../../core/dataset/case-id.ts';
import { TINY_BUNDLE, temporaryFolder } from '../support/case.ts';
import { sharedFolder } from '../support/shared.ts';

const CASES = sharedFolder('cases', 'real files that once failed');
const at = (...names: string[]): string => path.join(CASES ?? '', ...names);

/** Says of a folder what its NOTE.txt says is right. */
const EXPECTED: Record<string, (folder: string) => Promise<void>> = {
  // A label of many classes with their names; and masks of another tool with as many.
  'P01-multiorgan-nnunet': async (folder) => {
    const { cases } = await evaluated(at(folder), { bundle: DEFAULT_BUNDLE });
    expect(cases[0]).toMatchObject({ status: 'compared' });
    expect(cases[0]!.labelMeaning).toMatch(/^label 5 of 0-/);
    // All organs together gave .50; how good the model is, is measured elsewhere.
    expect(cases[0]!.metrics!.dice).toBeGreaterThan(0.85);
  },
  'P01-multiorgan-predictions': async (folder) => {
    const { cases } = await evaluated(at(folder, 'ds'), { predictions: at(folder, 'pred') });
    expect(cases[0]!.predictionMeaning).toMatch(/^label 5 of 0-/);
    expect(cases[0]!.metrics!.dice).toBeCloseTo(0.981, 3);
  },
  'P02-ids-0001': async (folder) => {
    const ids = ['word_0002', 'word_0009', 'word_0010', 'word_0150'];
    expect(await pairs(folder)).toEqual(
      Object.fromEntries(ids.map((id) => [id, `labelsTr/${id}.nii.gz`])),
    );
  },
  // The whole way is walked in test/site/case-ids.test.ts.
  'P03-site-two-patients': async () => {
    for (const [a, b] of [
      ['s0001/ct.nii', 's0002/ct.nii'],
      ['张三.nii', '李四.nii'],
      ['pat 1.nii', 'pat-1.nii'],
      ['sub-01/CT/image.nii', 'sub-02/CT/image.nii'],
    ])
      expect(uploadCaseId(a!.split('/'))).not.toBe(uploadCaseId(b!.split('/')));
  },
  'P04-STS_001_CT_2': noAbdomen,
  'P04-STS_008_CT_2': noAbdomen,
  'P04-STS_012_CT_3': noAbdomen,
  'P05-raw-ge': (folder) => refused(at(folder, 'ct.nii.gz'), 'not-hu'),
  'P06-mr-nan': (folder) => refused(at(folder), 'not-hu'),
  'P06-mr-minus1024': (folder) => refused(at(folder), 'not-hu'),
  'P07-scout-sagittal': (folder) => refused(at(folder), 'projection'),
  'P08-sparse': (folder) => refused(at(folder), 'sparse-slices'),
  'P09-sform-vs-pixdim': (folder) => refused(at(folder, 'ct.nii.gz'), 'spacing-contradicts'),
  'P10-tilt-eq-debian': (folder) =>
    refused(at(folder), 'sheared-affine', /qform of this file is orthogonal.*newer dcm2niix/),
  'P12-label-lits_f64_i16': compares,
  'P12-label-noise': compares,
  'P12-label-rounded_origin': compares,
  'P12-label-lps': compares,
  'P12-label-onehot': async (folder) => {
    const { cases, counts } = await evaluated(at(folder, 'ds'), {
      predictions: at(folder, 'pred'),
    });
    expect(cases[0]).toMatchObject({ status: 'label-unusable', fault: { code: 'label-channels' } });
    expect(counts['label-unusable']).toBe(1);
  },
  'P18-axes-permuted': async (folder) => {
    expect((await reported(folder)).flags).toContainEqual(
      expect.objectContaining({ code: 'not-axial', severity: 'review' }),
    );
  },
  'P27-bids': async (folder) =>
    expect(await pairs(folder)).toEqual({
      'sub-01_ct': 'derivatives/manual/sub-01/ct/sub-01_ct_desc-liver_mask.nii.gz',
    }),
  'P27-btcv': async (folder) =>
    expect(await pairs(folder)).toEqual({ img0001: 'RawData/Training/label/label0001.nii.gz' }),
  'P27-kits-like': async (folder) =>
    expect(await pairs(folder)).toEqual({
      case_00000: 'case_00000/segmentation.nii.gz',
      case_00001: 'case_00001/segmentation.nii.gz',
    }),
  'P27-lzhlab': async (folder) =>
    expect(Object.values(await pairs(folder))).toEqual([
      'Sample-001/Liver-mask.nii',
      'Sample-002/Liver-mask.nii',
    ]),
  'P27-slicer-suffix': async (folder) =>
    expect(await pairs(folder)).toEqual({ pat1: 'pat1-label.nii.gz' }),
  'P28-non-latin': (folder) => distinct(folder, 4),
  'P28-patient-date': (folder) => distinct(folder, 2),
};

describe.skipIf(CASES === undefined)('real files that once failed', () => {
  const folders = readdirSync(CASES ?? '.').filter((name) => existsSync(at(name, 'NOTE.txt')));

  it('have an expectation each', () => {
    expect(folders.filter((folder) => EXPECTED[folder] === undefined)).toEqual([]);
  });

  it.each(folders)('%s', (folder) => EXPECTED[folder]?.(folder), 120_000);
});

async function evaluated(
  dataset: string,
  options: { readonly bundle: string } | { readonly predictions: string },
) {
  const out = path.join(await temporaryFolder(), 'out');
  const settings = { out, slicesPerJob: 32, force: false, ...options };
  return (await evaluateCommand(dataset, settings, silentProgress)).evaluation;
}

async function compares(folder: string): Promise<void> {
  const { cases } = await evaluated(at(folder, 'ds'), { predictions: at(folder, 'pred') });
  expect(cases[0]).toMatchObject({ status: 'compared' });
  expect(cases[0]!.metrics!.dice).toBeCloseTo(0.981, 3);
}

/** The tiny bundle will do: these flags are the scan's. */
async function run(image: string) {
  const out = path.join(await temporaryFolder(), 'out');
  const options = { out, bundle: TINY_BUNDLE, threads: 1, slicesPerJob: 32 };
  const settings = { ...options, postprocess: true, force: false };
  return { out, ...(await runCommand([image], settings, silentProgress)) };
}

async function reported(folder: string) {
  const { out, summary } = await run(at(folder, 'ct.nii.gz'));
  const file = path.join(out, summary.cases[0]!.caseId, 'report.json');
  const report = CaseReport.parse(JSON.parse(await readFile(file, 'utf8')));
  if (report.status !== 'segmented') throw new Error(`failed: ${report.fault.code}`);
  return { ...report, row: summary.cases[0]! };
}

async function noAbdomen(folder: string): Promise<void> {
  const { flags, row } = await reported(folder);
  expect(flags[0]).toMatchObject({ code: 'not-an-abdomen', severity: 'review' });
  expect(row).toMatchObject({ volumeMl: null, meanHu: null, surfaceAreaMm2: null });
  const { result } = await checkCommand([at(folder, 'ct.nii.gz')]);
  expect(result.files[0]).toMatchObject({ usable: true, abdomen: false });
}

/** By `check` and by `run` alike. */
async function refused(image: string, code: string, says = /./): Promise<void> {
  const { result, exitCode } = await checkCommand([image]);
  expect(exitCode).toBe(EXIT.someCasesFailed);
  const [problem] = result.files[0]!.problems;
  expect(problem).toMatchObject({ code, severity: 'error' });
  expect(problem!.remedy).toMatch(says);
  const { summary } = await run(image);
  expect(summary.cases[0]).toMatchObject({ status: 'failed', volumeMl: null });
  expect(summary.cases[0]!.reason).toContain(code);
}

/** Case id to label, by path in the folder. */
async function pairs(folder: string): Promise<Record<string, string | null | undefined>> {
  const { cases } = await collectCases([at(folder)], {}, { labelsBeside: true });
  return Object.fromEntries(
    cases.map(({ caseId, label }) => [
      caseId,
      label?.file && path.relative(at(folder), label.file).replaceAll(path.sep, '/'),
    ]),
  );
}

async function distinct(folder: string, count: number): Promise<void> {
  const { cases } = await findInputs([at(folder)]);
  expect(new Set(cases.map(({ caseId }) => caseId)).size).toBe(count);
  expect(cases.filter(({ fault }) => fault !== undefined)).toEqual([]);
}
