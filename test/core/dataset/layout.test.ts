import { describe, expect, it } from 'vitest';
import { isCalledLiver, rolesOf, type SeenFile } from '../../../core/dataset/layout.ts';
import { pair } from '../../../core/dataset/pairing.ts';

const seen = (file: string): SeenFile => ({ path: file, parts: file.split('/'), root: 'dataset' });

/** Image to label; `?` where several would do. */
function pairs(...files: string[]): Record<string, string | undefined> {
  const { images, labels } = rolesOf(files.map(seen));
  const { labelOf, ambiguous } = pair(
    images.map((file) => ({ file })),
    labels,
  );
  return Object.fromEntries(
    images.map(({ path }) => [path, ambiguous.has(path) ? '?' : labelOf.get(path)?.path]),
  );
}

describe('layouts of public datasets', () => {
  it.each<[string, Record<string, string>]>([
    ['LiTS', { 'volume-2.nii': 'segmentation-2.nii' }],
    [
      'LiTS in batches',
      {
        'Training Batch 1/volume-0.nii': 'Training Batch 1/segmentation-0.nii',
        'Training Batch 2/volume-28.nii': 'Training Batch 2/segmentation-28.nii',
      },
    ],
    [
      'LiTS at Kaggle',
      {
        'volume_pt1/volume-0.nii': 'segmentations/segmentation-0.nii',
        'volume_pt6/volume-50.nii': 'segmentations/segmentation-50.nii',
      },
    ],
    [
      'LiTS unpacked into folders',
      { 'volume-0.nii/volume-0.nii': 'segmentation-0.nii/segmentation-0.nii' },
    ],
    ['nnU-Net', { 'd/imagesTr/liver_1_0000.nii.gz': 'd/labelsTr/liver_1.nii.gz' }],
    ['Decathlon', { 'imagesTr/liver_7.nii.gz': 'labelsTr/liver_7.nii.gz' }],
    [
      'AMOS',
      {
        'imagesTr/amos_0001.nii.gz': 'labelsTr/amos_0001.nii.gz',
        'imagesVa/amos_0008.nii.gz': 'labelsVa/amos_0008.nii.gz',
      },
    ],
    [
      'FLARE',
      { 'Train/images/FLARE22_Tr_0001_0000.nii.gz': 'Train/labels/FLARE22_Tr_0001.nii.gz' },
    ],
    ['FLARE 21', { 'train_images/train_000_0000.nii.gz': 'train_masks/train_000.nii.gz' }],
    ['BTCV', { 'RawData/Training/img/img0001.nii.gz': 'RawData/Training/label/label0001.nii.gz' }],
    [
      'NIH Pancreas-CT',
      {
        'images/PANCREAS_0001.nii.gz': 'labels/label0001.nii.gz',
        'images/PANCREAS_0002.nii.gz': 'labels/label0002.nii.gz',
      },
    ],
    [
      'Decathlon, pancreas',
      {
        'imagesTr/pancreas_001.nii.gz': 'labelsTr/pancreas_001.nii.gz',
        'imagesTr/pancreas_010.nii.gz': 'labelsTr/pancreas_010.nii.gz',
      },
    ],
    [
      'KiTS',
      {
        'case_00000/imaging.nii.gz': 'case_00000/segmentation.nii.gz',
        'case_00001/imaging.nii.gz': 'case_00001/segmentation.nii.gz',
      },
    ],
    [
      'TotalSegmentator, deeper',
      {
        'v2/s1/ct.nii.gz': 'v2/s1/segmentations/liver.nii.gz',
        'v2/s2/ct.nii.gz': 'v2/s2/segmentations/liver.nii.gz',
      },
    ],
    [
      'CHAOS, converted',
      {
        'CT/1/image.nii.gz': 'CT/1/Ground/liver.nii.gz',
        'CT/2/DICOM_anon/x.nii.gz': 'CT/2/Ground/x_seg.nii.gz',
      },
    ],
    [
      'BIDS',
      {
        'sub-01/ct/sub-01_ct.nii.gz':
          'derivatives/manual/sub-01/ct/sub-01_ct_desc-liver_mask.nii.gz',
        'sub-02/ses-1/ct/sub-02_ses-1_ct.nii.gz':
          'derivatives/x/sub-02/ses-1/ct/sub-02_ses-1_dseg.nii.gz',
      },
    ],
    ['Slicer', { 'pat1.nii.gz': 'pat1-label.nii.gz' }],
    ['ITK-SNAP', { 'pat2.nii.gz': 'pat2.seg.nii.gz' }],
    [
      'endings',
      {
        'a.nii': 'a-segmentation.nii',
        'b.nii': 'b_gt.nii',
        'c d.nii': 'c d label.nii',
        'e_ct.nii': 'e_liver.nii',
      },
    ],
    ['beginnings', { 'images/img_y.nii': 'masks/mask_y.nii' }],
    [
      'a folder per case',
      {
        'p1/ct.nii.gz': 'p1/liver.nii.gz',
        'p2/abc.nii.gz': 'p2/label.nii.gz',
        'p3/scan_x.nii.gz': 'p3/mask.nii.gz',
        'p4/x.nii': 'p4/seg.nii',
      },
    ],
    ['one case', { 'ct.nii.gz': 'liver.nii.gz' }],
    [
      'patients and dates',
      {
        'P001/2020-01-01/ct.nii.gz': 'P001/2020-01-01/liver.nii.gz',
        'P002/2020-01-01/ct.nii.gz': 'P002/2020-01-01/liver.nii.gz',
      },
    ],
    ['images that are called liver', { 'S-1/Liver.nii': 'S-1/Liver-mask.nii' }],
    ['a name that ends as labels do', { 'imagesTr/hep_liver.nii.gz': 'labelsTr/hep_liver.nii.gz' }],
    ['MOOSE', { 'CT_x.nii': 'moose/segmentations/CT_x_Organs.nii' }],
    ['pairs of files', { 'imagesTr/a.hdr': 'labelsTr/a.hdr' }],
  ])('%s', (_, expected) => {
    expect(pairs(...Object.entries(expected).flat())).toEqual(expected);
  });

  it('other structures are neither images nor the liver', () => {
    expect(
      pairs('p1.nii', 'p1_liver.nii', 'p1_tumor.nii', 's/ct.nii', 's/segmentations/spleen.nii'),
    ).toEqual({ 'p1.nii': 'p1_liver.nii', 's/ct.nii': undefined });
    expect(pairs('S/Liver.nii', 'S/Liver-mask.nii', 'S/Liver-vessel-mask.nii')).toEqual({
      'S/Liver.nii': 'S/Liver-mask.nii',
    });
  });

  it('a number is a channel only beside its _0000', () => {
    const roles = rolesOf(['a_0000.nii', 'a_0001.nii', 'word_0001.nii', 'word_0002.nii'].map(seen));
    expect(roles.images.map(({ path }) => path)).toEqual([
      'a_0000.nii',
      'word_0001.nii',
      'word_0002.nii',
    ]);
    expect(roles.furtherChannels.map(({ path }) => path)).toEqual(['a_0001.nii']);
  });
});

it.each([
  ['liver.nii.gz', true],
  ['x_liver.nii', true],
  ['x-liver-mask.nii', true],
  ['sub-01_ct_desc-liver_mask.nii.gz', true],
  ['liver_7.nii.gz', false],
  ['label.nii', false],
])('%s is called liver: %s', (name, expected) => expect(isCalledLiver(name)).toBe(expected));

describe('a label never meets an image that it may not belong to', () => {
  it.each<[string, string[], Record<string, string | undefined>]>([
    [
      "in another patient's folder",
      ['P001/a.nii', 'P002/a_label.nii'],
      { 'P001/a.nii': undefined },
    ],
    [
      'where two images have its name',
      ['P001/a.nii', 'P002/a.nii', 'labels/a.nii'],
      { 'P001/a.nii': '?', 'P002/a.nii': '?' },
    ],
    [
      'where two labels have the name',
      ['d.nii', 'labels/d.nii', 'labels/d.nii.gz'],
      { 'd.nii': '?' },
    ],
    [
      'of the test set',
      ['imagesTr/a.nii', 'imagesTs/a.nii', 'labelsTr/a.nii'],
      { 'imagesTr/a.nii': 'labelsTr/a.nii', 'imagesTs/a.nii': undefined },
    ],
  ])('%s', (_, files, expected) => expect(pairs(...files)).toEqual(expected));

  it('the same name in the same folders is paired', () => {
    expect(pairs('P001/a.nii', 'P002/a.nii', 'P001/labels/a.nii', 'P002/labels/a.nii')).toEqual({
      'P001/a.nii': 'P001/labels/a.nii',
      'P002/a.nii': 'P002/labels/a.nii',
    });
  });
});
