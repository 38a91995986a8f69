import { createHash } from 'node:crypto';
import { ConfigError } from '../errors.ts';
import type { InputIdentity, Parameters } from './manifest.ts';

/**
 * Every key of a run, built and parsed in one place. A run's files lie under one prefix: the
 * case's folder on a laptop, `cases/<dataset>/<case>/<run>` in a site's bucket.
 */
export interface RunKeys {
  readonly prefix: string;
  readonly manifest: string;
  readonly mask: string;
  /** The classifier's maps, laid over the input (core/slice/cam.ts). */
  readonly cam: string;
  readonly report: string;
  readonly reportHtml: string;
  readonly overlay: string;
  /** Slices that stand for the case among others, side by side; report.json says which. */
  readonly gallery: string;
  /** The last of them, small. */
  readonly thumbnail: string;
  /** The decoder's probabilities, where the run was asked for them. */
  readonly probability: string;
  /** The mask as DICOM Segmentation, of cases that came from DICOM. */
  readonly dicomSeg: string;
  /** Where the input was, of runs on a laptop only (core/contract/view.ts). */
  readonly sources: string;
  /** Everything below `work/` can be made again and is removed when the report is written. */
  readonly work: string;
  slab(index: number): string;
  slabMasks(index: number): string;
  slabProbabilities(index: number): string;
  slabRecords(index: number): string;
}

/** What every run that is done has written beside its `report.json`. */
export const outputKeys = (keys: RunKeys): string[] => [
  keys.mask,
  keys.cam,
  keys.overlay,
  keys.gallery,
  keys.thumbnail,
  keys.reportHtml,
];

const padded = (index: number): string => String(index).padStart(5, '0');

export function runKeys(prefix: string): RunKeys {
  const work = `${prefix}/work/`;
  return {
    prefix,
    manifest: `${work}manifest.json`,
    mask: `${prefix}/mask.nii.gz`,
    cam: `${prefix}/cam.nii.gz`,
    report: `${prefix}/report.json`,
    reportHtml: `${prefix}/report.html`,
    overlay: `${prefix}/overlay.png`,
    gallery: `${prefix}/gallery.png`,
    thumbnail: `${prefix}/thumbnail.png`,
    probability: `${prefix}/probability.nii.gz`,
    dicomSeg: `${prefix}/segmentation.dcm`,
    sources: `${prefix}/sources.json`,
    work,
    slab: (index) => `${work}slabs/${padded(index)}.slab`,
    slabMasks: (index) => `${work}masks/${padded(index)}.masks`,
    slabProbabilities: (index) => `${work}masks/${padded(index)}.probabilities`,
    slabRecords: (index) => `${work}masks/${padded(index)}.json`,
  };
}

/** The folder of a target in that of a case. */
export const targetFolder = (target: string): string =>
  target
    .trim()
    .replace(/[^A-Za-z0-9._+-]+/g, '-')
    .replace(/^[^A-Za-z0-9]+/, '') || 'target';

/** Case and dataset names become folder names and S3 key segments. */
export const SEGMENT = /^[A-Za-z0-9][A-Za-z0-9._+-]{0,127}$/;

export function assertSegment(name: string, what: string): string {
  if (SEGMENT.test(name) && !name.includes('..')) return name;
  throw new ConfigError({
    code: 'bad-name',
    subject: what,
    expected: 'letters, digits, ".", "_", "+" or "-" (at most 128, the first a letter or digit)',
    found: JSON.stringify(name),
    remedy: 'Rename it.',
  });
}

/**
 * Input version, bundle digest and parameters decide the run: the same three give the same id on
 * every machine, so a duplicate event or a second command finds the finished run.
 */
export function runId(
  input: Pick<InputIdentity, 'name' | 'version'>,
  bundleDigest: string,
  parameters: Parameters,
): string {
  const canonical = JSON.stringify([
    input.name,
    input.version,
    bundleDigest,
    parameters.largestComponent3d,
    parameters.fillHoles,
    // Left out where they are not used, so that runs of before keep their names.
    ...(parameters.maskProbability === undefined ? [] : ['above', parameters.maskProbability]),
    ...(parameters.probabilityMap ? ['probability map'] : []),
    ...(parameters.headerText ? ['header text'] : []),
  ]);
  return createHash('sha256').update(canonical).digest('hex').slice(0, 16);
}
