import { mkdir, mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { rangedFile } from '../../adapters/ranged-files.ts';
import { zipEntries } from '../../adapters/zip.ts';
import { checkCommand } from '../../cli/check.ts';
import { exportCommand } from '../../cli/export.ts';
import { isFile } from '../../cli/files.ts';
import { findInputs } from '../../cli/inputs.ts';
import { leftOutLines } from '../../cli/left-out.ts';
import { silentProgress } from '../../cli/progress.ts';
import { runCommand } from '../../cli/run.ts';
import { openView } from '../../cli/view.ts';
import { CaseReport } from '../../core/contract/report.ts';
import { openNifti } from '../../core/volume/reader.ts';
import { SERIES_ZIP } from '../dicom/golden.ts';
import { TINY_BUNDLE, temporaryFolder } from '../support/case.ts';

let folder: string;

/** A patient's export as it comes: series of every kind in folders, and files that are no DICOM. */
beforeAll(async () => {
  folder = await mkdtemp(path.join(tmpdir(), 'sammix-dicom-'));
  for (const file of await zipEntries(await rangedFile(SERIES_ZIP))) {
    if (!/^(study|gap|hostile|duplicates)\//.test(file.name)) continue;
    await mkdir(path.join(folder, path.dirname(file.name)), { recursive: true });
    await writeFile(path.join(folder, file.name), await file.read(0, file.bytes));
  }
});

afterAll(() => rm(folder, { recursive: true, force: true }));

const run = (given: string, out: string) =>
  runCommand(
    [given],
    { out, bundle: TINY_BUNDLE, threads: 1, slicesPerJob: 32, postprocess: true, force: false },
    silentProgress,
  );

describe('DICOM on the command line', () => {
  it('finds the axial CT of a folder, and says what else there is', async () => {
    const { cases, leftOut } = await findInputs([folder]);
    expect(cases.map(({ caseId }) => caseId)).toEqual([
      'duplicates-s1',
      'gap-s1',
      'hostile-s1',
      'study-s2',
    ]);
    const reasons = leftOutLines(leftOut).join('\n');
    for (const said of [
      'LOCALIZER',
      'MR, not CT',
      'PT, not CT',
      'not axial',
      'MGML',
      'complete DICOM object',
    ])
      expect(reasons).toContain(said);
  });

  it('takes one file for the series around it', async () => {
    const { cases } = await findInputs([path.join(folder, 'study', 'ct3.dcm')]);
    expect(cases.map(({ dicom }) => dicom?.slices.length)).toEqual([6]);
  });

  it('says why a folder has no axial CT', async () => {
    const scout = await temporaryFolder();
    await writeFile(path.join(scout, 'a'), await readFile(path.join(folder, 'study', 'scout.dcm')));
    await expect(findInputs([scout])).rejects.toThrow(/LOCALIZER.*Export the axial/);
  });

  it('segments what it can, reports what it cannot, keeps what is done', async () => {
    const out = await temporaryFolder();
    const { summary, exitCode } = await run(folder, out);
    expect(exitCode).toBe(1);
    expect(summary).toMatchObject({ segmented: 2, failed: 2 });
    const gap = await reportOf(out, 'gap-s1');
    expect(gap).toMatchObject({ status: 'failed', fault: { code: 'missing-slices' } });
    const broken = await reportOf(out, 'hostile-s1');
    expect(broken).toMatchObject({ status: 'failed', fault: { code: 'dicom-damaged' } });
    const twice = await reportOf(out, 'duplicates-s1');
    expect(twice.status === 'segmented' && twice.problems.map(({ code }) => code)).toContain(
      'duplicate-images',
    );
    // The tiny model draws in one of them at most; an object is written where it drew.
    for (const caseId of ['duplicates-s1', 'study-s2']) {
      const report = await reportOf(out, caseId);
      const drawn = report.status === 'segmented' && report.volumeMl > 0;
      const object = path.join(out, caseId, 'segmentation.dcm');
      expect(await isFile(object), caseId).toBe(drawn);
      if (!drawn) continue;
      for (const format of ['dicom-seg', 'rtstruct', 'stl', 'obj', 'labelmap'] as const) {
        const { files } = await exportCommand(path.join(out, caseId), { format });
        expect(files).toHaveLength(1);
        expect(await isFile(files[0]!), format).toBe(true);
      }
    }
    await expect(exportCommand(path.join(out, 'gap-s1'), { format: 'stl' })).rejects.toThrow(
      /a case that failed/,
    );
    const again = await run(folder, out);
    expect(again.summary.skipped).toBe(2);

    const mask = await openNifti(
      (async function* () {
        yield await readFile(path.join(out, 'study-s2', 'mask.nii.gz'));
      })(),
      { subject: 'mask' },
    );
    expect(mask.geometry.shape).toEqual([24, 20, 6]);
    await mask.close();
  });

  it('names the problems of a series in check', async () => {
    const { result } = await checkCommand([
      path.join(folder, 'gap'),
      path.join(folder, 'duplicates'),
    ]);
    expect(result.files.map(({ problems }) => problems.map(({ code }) => code))).toEqual([
      ['missing-slices'],
      expect.arrayContaining(['duplicate-images']),
    ]);
  });

  it('shows the series in view as the run saw it', async () => {
    const out = await temporaryFolder();
    await run(path.join(folder, 'study'), out);
    const { server, index } = await openView(out, { port: 0 });
    try {
      const answer = await fetch(new URL(index.cases[0]!.image!.url, server.url));
      const reader = await openNifti(
        (async function* () {
          yield new Uint8Array(await answer.arrayBuffer());
        })(),
        { subject: 'image' },
      );
      const seen: number[] = [];
      for await (const { hu } of reader.axialSlices()) seen.push(hu[0]!);
      expect(seen).toEqual([-900, -884, -868, -865, -849, -833]);
    } finally {
      await server.close();
    }
  });
});

const reportOf = async (out: string, caseId: string): Promise<CaseReport> =>
  CaseReport.parse(JSON.parse(await readFile(path.join(out, caseId, 'report.json'), 'utf8')));
