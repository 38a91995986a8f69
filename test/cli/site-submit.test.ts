import { mkdir, writeFile } from 'node:fs/promises';
import path from 'node:path';
import { gzipSync } from 'node:zlib';
import { describe, expect, it } from 'vitest';
import { silentProgress } from '../../cli/progress.ts';
import { NOWHERE, submitCases } from '../../cli/site/submit.ts';
import { phantomFile, temporaryFolder } from '../support/case.ts';
import { MemoryBucket } from '../support/memory-bucket.ts';

const { image, label } = phantomFile({ seed: 1, columns: 24, rows: 20, slices: 8 });

/** NIfTI-1: `magic` at byte 344, `vox_offset` (float32) at 108; the voxels of a single file from 352. */
function pairOf(single: Uint8Array): { hdr: Uint8Array; img: Uint8Array } {
  const hdr = Buffer.from(single.subarray(0, 348));
  hdr.write('ni1\0', 344, 'latin1');
  hdr.writeFloatLE(0, 108);
  return { hdr, img: single.subarray(352) };
}

describe('submitCases', () => {
  it('uploads an image as it is, after its label', async () => {
    const folder = await temporaryFolder();
    const file = path.join(folder, 'c1.nii.gz');
    const labelFile = path.join(folder, 'c1_label.nii');
    await writeFile(file, gzipSync(image));
    await writeFile(labelFile, label);
    const { store } = new MemoryBucket();
    const { submitted, refused } = await submitCases(
      store,
      [file],
      { dataset: 'liver', label: labelFile },
      silentProgress,
    );
    expect(submitted).toEqual([
      {
        caseId: 'c1',
        image: 'incoming/liver/images/c1.nii.gz',
        label: 'incoming/liver/labels/c1.nii',
      },
    ]);
    expect(refused).toEqual([]);
    expect(Buffer.from(await store.get('incoming/liver/images/c1.nii.gz'))).toEqual(
      gzipSync(image),
    );
    expect(Buffer.from(await store.get('incoming/liver/labels/c1.nii'))).toEqual(
      Buffer.from(label),
    );
  });

  it('only says what it would upload where it is asked to', async () => {
    const folder = await temporaryFolder();
    await writeFile(path.join(folder, 'c1.nii'), image);
    const bucket = new MemoryBucket();
    const lines: string[] = [];
    const progress = { ...silentProgress, line: (text: string) => void lines.push(text) };
    const options = { dataset: 'liver', dryRun: true };
    const { submitted } = await submitCases(NOWHERE, [folder], options, progress);
    expect(submitted.map((one) => one.image)).toEqual(['incoming/liver/images/c1.nii']);
    expect(lines).toEqual(['would upload c1']);
    expect(bucket.keys()).toEqual([]);
  });

  it('makes one file of a .hdr/.img pair', async () => {
    const folder = await temporaryFolder();
    const { hdr, img } = pairOf(image);
    await writeFile(path.join(folder, 'c1.hdr'), hdr);
    await writeFile(path.join(folder, 'c1.img'), img);
    const { store } = new MemoryBucket();
    await submitCases(store, [path.join(folder, 'c1.hdr')], { dataset: 'liver' }, silentProgress);
    const uploaded = await store.get('incoming/liver/images/c1.nii');
    expect(Buffer.from(uploaded)).toEqual(Buffer.from(image));
  });

  it('uploads the names of the classes before the first label, and a label that is a pair', async () => {
    const folder = await temporaryFolder();
    await mkdir(path.join(folder, 'imagesTr'));
    await mkdir(path.join(folder, 'labelsTr'));
    const names = '{"labels": {"background": 0, "spleen": 1, "liver": 5}}';
    const { hdr, img } = pairOf(label);
    await writeFile(path.join(folder, 'dataset.json'), names);
    await writeFile(path.join(folder, 'imagesTr/c1_0000.nii'), image);
    await writeFile(path.join(folder, 'labelsTr/c1.hdr'), hdr);
    await writeFile(path.join(folder, 'labelsTr/c1.img'), img);
    const { store } = new MemoryBucket();
    const given = { dataset: 'liver', label: path.join(folder, 'labelsTr') };
    await submitCases(store, [path.join(folder, 'imagesTr')], given, silentProgress);
    const uploaded = async (key: string) => Buffer.from(await store.get(`incoming/liver/${key}`));
    expect((await uploaded('dataset.json')).toString()).toBe(names);
    expect(await uploaded('labels/c1.nii')).toEqual(Buffer.from(label));
  });
});
