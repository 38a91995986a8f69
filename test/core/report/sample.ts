import type { SliceRecord } from '../../../core/contract/manifest.ts';
import { FailedReport, SegmentedReport } from '../../../core/contract/report.ts';
import type { SlicePicture } from '../../../core/draw/picture.ts';
import { comparisonPanel } from '../../../core/metrics/panel.ts';

/** A small made-up case: a disc in the middle slices of 64 x 64 pixels, its label a pixel aside. */
export const SIZE_PX = 64;
export const SLICES = 12;
export const FIRST = 3;
export const LAST = 8;

function disc(centreX: number, centreY: number, radius: number): Uint8Array {
  return Uint8Array.from({ length: SIZE_PX * SIZE_PX }, (_, index) => {
    const dx = (index % SIZE_PX) - centreX;
    const dy = Math.floor(index / SIZE_PX) - centreY;
    return Number(dx * dx + dy * dy <= radius * radius);
  });
}

const shows = (index: number): boolean => index >= FIRST && index <= LAST;
const EMPTY = new Uint8Array(SIZE_PX * SIZE_PX);
const MASK = disc(24, 30, 10);
const LABEL = disc(25, 30, 10);
const CAM = disc(26, 31, 9);

const count = (plane: Uint8Array): number => plane.reduce((sum, value) => sum + value, 0);

export const sampleRecord = (index: number): SliceRecord => ({
  index,
  probability: shows(index) ? 0.97 : 0.04,
  camAreaPx: shows(index) ? count(CAM) : null,
  camEmpty: false,
  box: shows(index) ? [17, 22, 35, 40] : null,
  predictedIou: shows(index) ? 0.91 : null,
  camMaskIou: shows(index) ? 0.6 : null,
  maskVoxels: shows(index) ? count(MASK) : 0,
});

const GRID = {
  columns: SIZE_PX,
  rows: SIZE_PX,
  slices: SLICES,
  spacingMm: { column: 5, row: 5, slice: 10 },
};

const volumeOf = (plane: Uint8Array) => ({
  grid: GRID,
  data: Uint8Array.from({ length: SLICES * SIZE_PX * SIZE_PX }, (_, index) =>
    shows(Math.floor(index / (SIZE_PX * SIZE_PX))) ? plane[index % (SIZE_PX * SIZE_PX)]! : 0,
  ),
});

/** Made once: it is the slow part. */
const PANEL = comparisonPanel(volumeOf(MASK), volumeOf(LABEL));

const PROVENANCE = {
  sammixVersion: '0.0.0-test',
  backend: { provider: 'cpu', onnxRuntimeVersion: '1.30.0' },
  node: '20.20.2',
  platform: 'linux x64',
};

const COMMON = {
  schemaVersion: 1 as const,
  caseId: 'case-1',
  runId: '0123456789abcdef',
  createdAt: '2026-01-02T03:04:05.000Z',
  provenance: PROVENANCE,
};

/** Parsed by the contract, so that a change of the contract shows up here. */
export function sampleReport(changes: Partial<SegmentedReport> = {}): SegmentedReport {
  return SegmentedReport.parse({
    ...COMMON,
    status: 'segmented',
    input: { name: 'case-1.nii.gz', bytes: 123456, version: 'sha256:00' },
    inputSha256: '0f'.repeat(32),
    geometry: {
      niftiVersion: 1,
      dtype: 'int16',
      shape: [SIZE_PX, SIZE_PX, SLICES],
      orientation: 'LPS',
      affine: [
        [-5, 0, 0, 0],
        [0, -5, 0, 0],
        [0, 0, 10, 0],
        [0, 0, 0, 1],
      ],
      affineSource: 'sform',
      grid: GRID,
    },
    hu: { min: -1024, max: 1500, p01: -1000, p50: -20, p99: 300 },
    problems: [],
    parameters: { largestComponent3d: true, fillHoles: true },
    bundle: {
      name: 'tiny',
      digest: 'ab'.repeat(32),
      classifierThreshold: 0.3,
      windowHu: [-160, 240],
      sliceSizePx: SIZE_PX,
      licences: ['weights: Apache-2.0'],
    },
    slices: Array.from({ length: SLICES }, (_, index) => sampleRecord(index)),
    volumeMl: 475.5,
    rawVolumeMl: 476,
    components: 1,
    flags: [
      { code: 'slice-jump', severity: 'review', message: 'The area jumps.', slices: [4, 5, 6] },
    ],
    comparison: {
      labelName: 'case-1-liver.nii.gz',
      labelVersion: 'sha256:11',
      panel: PANEL,
    },
    comparisonFault: null,
    timings: {
      splitSeconds: 1,
      classifierSeconds: 2,
      encoderSeconds: 3,
      decoderSeconds: 4,
      segmentSeconds: 9.5,
      assembleSeconds: 0.5,
    },
    peakMemoryMiB: 400,
    ...changes,
  });
}

export const samplePicture = (
  index: number,
  changes: Partial<SlicePicture> = {},
): SlicePicture => ({
  record: sampleRecord(index),
  sizePx: SIZE_PX,
  image: Uint8Array.from({ length: SIZE_PX * SIZE_PX }, (_, n) => (n * 7 + index) % 200),
  cam: shows(index) ? CAM : null,
  mask: shows(index) ? MASK : EMPTY,
  label: shows(index) ? LABEL : EMPTY,
  ...changes,
});

export function sampleFailure(changes: Partial<FailedReport> = {}): FailedReport {
  return FailedReport.parse({
    ...COMMON,
    runId: null,
    provenance: { ...PROVENANCE, backend: null },
    status: 'failed',
    inputName: 'case-1.nii.gz',
    stage: 'split',
    fault: {
      code: 'truncated-gzip',
      subject: 'case-1.nii.gz',
      expected: 'a whole gzip stream',
      found: 'its end after 1000 bytes',
      remedy: 'Copy the file again.',
    },
    ...changes,
  });
}
