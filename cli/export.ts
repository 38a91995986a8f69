import path from 'node:path';
import { type Command, Option } from 'commander';
import { DirStore } from '../adapters/dir-store.ts';
import { targetOf } from '../core/contract/bundle.ts';
import { type RunKeys, runKeys } from '../core/contract/keys.ts';
import { CaseReport, type SegmentedReport } from '../core/contract/report.ts';
import { CaseSources } from '../core/contract/view.ts';
import { ConfigError } from '../core/errors.ts';
import { getJson, usableJson } from '../core/json.ts';
import { maskMesh } from '../core/mask/mesh.ts';
import { objFile, stlFile } from '../core/mask/mesh-files.ts';
import type { ByteStream } from '../core/ports.ts';
import { readTargets } from '../core/stage/join-targets.ts';
import { type TargetMask, writeLabelMap } from '../core/stage/label-map.ts';
import { canonicalAffine } from '../core/volume/canonical.ts';
import { readLabel } from '../core/volume/label.ts';
import { type Derivation, derivationOf } from '../dicom/derived.ts';
import { type MaskFrame, maskFrames } from '../dicom/mask-frames.ts';
import { dicomSegmentation } from '../dicom/segmentation.ts';
import { structureSet } from '../dicom/structure-set.ts';
import { planVolume, type VolumePlan } from '../dicom/volume.ts';
import { imageName } from './case-image.ts';
import { ok, report, withOutput } from './command.ts';
import { findSeries } from './dicom-cases.ts';
import { readFile } from './files.ts';
import type { CaseInput } from './inputs.ts';

const FORMATS = {
  'dicom-seg': 'segmentation.dcm',
  rtstruct: 'contours.dcm',
  stl: 'mask.stl',
  obj: 'mask.obj',
  labelmap: 'labelmap.nii.gz',
} as const;
export type ExportFormat = keyof typeof FORMATS;

/** `sammix export` */
export function define(command: Command): void {
  withOutput(command)
    .argument('<case>', "a case's folder, as run writes it")
    .addOption(
      new Option('-f, --format <format>', 'what to make of the mask')
        .choices(Object.keys(FORMATS))
        .makeOptionMandatory(),
    )
    .option('-o, --out <file>', 'where to write it (default: into the case)')
    .option('-m, --mask <file>', 'another mask on the same grid, e.g. a corrected one')
    .addHelpText(
      'after',
      `
Examples:
  $ sammix export results/ct-s3 --format dicom-seg
  $ sammix export results/ct-s3 --format rtstruct --mask corrected.nii.gz --out contours.dcm
  $ sammix export results/case_01 --format stl
  $ sammix export results/case_01 --format labelmap

DICOM is made of cases that came from DICOM; the series must still be where the run found it. Of a case of
several targets each is written into its own folder; a label map holds all of them.`,
    )
    .action(async (folder: string, options: ExportOptions) => {
      await report(command, async () => {
        const done = await exportCommand(folder, options);
        return ok(done, [...done.files, ...done.notes].join('\n'));
      });
    });
}

export interface ExportOptions {
  readonly format: ExportFormat;
  readonly out?: string;
  readonly mask?: string;
}

export interface Exported {
  readonly files: readonly string[];
  /** What the values of a label map stand for; which targets had nothing to export. */
  readonly notes: readonly string[];
}

/** A case's folder, or that of one of its targets. */
interface CaseFolder {
  readonly folder: string;
  readonly store: DirStore;
  readonly keys: RunKeys;
}

function caseFolder(folder: string): CaseFolder {
  const whole = path.resolve(folder);
  return {
    folder,
    store: new DirStore(path.dirname(whole)),
    keys: runKeys(path.basename(whole)),
  };
}

/** `sammix export`: returns the files it wrote. */
export async function exportCommand(folder: string, options: ExportOptions): Promise<Exported> {
  const { format } = options;
  if (format === 'labelmap') return exportLabelMap(folder, options);
  const { store, keys } = caseFolder(folder);
  const targets = (await readTargets(store, keys.prefix))?.targets;
  if (!targets) return { files: [await exportOne(folder, format, options)], notes: [] };
  const folders = targets.map((target) => path.join(folder, target.folder));
  if (options.out !== undefined || options.mask !== undefined)
    throw severalTargets(folder, folders);
  const files: string[] = [];
  const notes: string[] = [];
  for (const one of folders)
    try {
      files.push(await exportOne(one, format, {}));
    } catch (error) {
      if (!(error instanceof ConfigError) || error.fault.code !== NOTHING) throw error;
      notes.push(`nothing of ${one}: ${error.fault.found}`);
    }
  if (files.length === 0) throw nothingToExport(folder, notes.join('; '));
  return { files, notes };
}

async function exportOne(
  folder: string,
  format: Exclude<ExportFormat, 'labelmap'>,
  { out, mask }: Pick<ExportOptions, 'out' | 'mask'>,
): Promise<string> {
  const { store, keys } = caseFolder(folder);
  const done = await getJson(store, keys.report, CaseReport);
  if (done.status === 'failed') throw nothingToExport(folder, 'a case that failed');
  const maskFile = mask ?? path.join(store.root, keys.mask);
  const made =
    format === 'stl' || format === 'obj'
      ? await meshOf(format, maskFile, done)
      : await dicomOf(format, maskFile, done, await seriesOf(store, keys.sources, folder));
  if (!made) throw nothingToExport(folder, 'an empty mask');
  const file = outputFile(folder, format, out);
  await new DirStore(path.dirname(file)).put(path.basename(file), made);
  return file;
}

const outputFile = (folder: string, format: ExportFormat, out: string | undefined): string =>
  path.resolve(out ?? path.join(folder, FORMATS[format]));

/** One NIfTI file of all targets of a case, in the order of its report. */
async function exportLabelMap(folder: string, { mask, out }: ExportOptions): Promise<Exported> {
  if (mask !== undefined) throw labelMapOfMask(mask);
  const { store, keys } = caseFolder(folder);
  const masks = await masksOf(store, keys);
  if (masks.every(({ key }) => key === undefined))
    throw nothingToExport(folder, 'a case that failed');
  const file = outputFile(folder, 'labelmap', out);
  const to = { store: new DirStore(path.dirname(file)), key: path.basename(file) };
  const { classes, overlapVoxels } = await writeLabelMap(masks, store, to);
  const named = classes.map(({ value, target }) => `${value} ${target}`).join(', ');
  const overlap =
    overlapVoxels > 0 && `; ${overlapVoxels} voxels of more than one went to the first`;
  return { files: [file], notes: [`0 none, ${named}${overlap || ''}`] };
}

async function masksOf(store: DirStore, keys: RunKeys): Promise<TargetMask[]> {
  const several = (await readTargets(store, keys.prefix))?.targets;
  if (several)
    return several.map(({ target, folder, report: { status } }) => ({
      target,
      key: status === 'segmented' ? runKeys(`${keys.prefix}/${folder}`).mask : undefined,
    }));
  const done = await getJson(store, keys.report, CaseReport);
  return done.status === 'segmented' ? [{ target: targetOf(done.bundle), key: keys.mask }] : [];
}

/** The DICOM-SEG of a case, for a run; undefined for an empty mask. */
export const segmentationOf = (
  input: CaseInput,
  mask: ByteStream,
  done: SegmentedReport,
): Promise<Uint8Array | undefined> =>
  dicomSegmentation(...derived(input, mask, path.basename(input.image), done));

async function dicomOf(
  format: 'dicom-seg' | 'rtstruct',
  maskFile: string,
  done: SegmentedReport,
  input: CaseInput,
): Promise<Uint8Array | undefined> {
  const make = format === 'dicom-seg' ? dicomSegmentation : structureSet;
  return make(...derived(input, readFile(maskFile), path.basename(maskFile), done));
}

function derived(
  input: CaseInput,
  mask: ByteStream,
  maskName: string,
  done: SegmentedReport,
): [VolumePlan, AsyncIterable<MaskFrame>, Derivation] {
  const plan = planVolume(input.dicom!, imageName(input));
  return [plan, maskFrames(plan, mask, maskName), derivationOf(done)];
}

async function seriesOf(store: DirStore, key: string, folder: string): Promise<CaseInput> {
  const sources = await usableJson(store, key, CaseSources);
  if (!sources?.series) throw nothingToExport(folder, 'a case that did not come from DICOM');
  const remedy = 'Put the files back where the run found them.';
  return findSeries(sources.image, sources.series, remedy);
}

async function meshOf(
  format: 'stl' | 'obj',
  maskFile: string,
  done: SegmentedReport,
): Promise<Uint8Array | undefined> {
  const { mask, geometry } = await readLabel(readFile(maskFile), {
    subject: path.basename(maskFile),
  });
  const mesh = maskMesh(mask, canonicalAffine(geometry));
  const write = format === 'stl' ? stlFile : objFile;
  return mesh && write(mesh, `${targetOf(done.bundle)} ${done.runId}`);
}

const severalTargets = (subject: string, folders: readonly string[]): ConfigError =>
  new ConfigError({
    code: 'several-targets',
    subject,
    expected: 'the folder of one target with --out or --mask',
    found: `a case of ${folders.length} targets`,
    remedy: `Name one of ${folders.join(', ')}, or leave the option out.`,
  });

const labelMapOfMask = (mask: string): ConfigError =>
  new ConfigError({
    code: 'label-map-of-mask',
    subject: `--mask ${mask}`,
    expected: "a label map of the case's own masks",
    found: 'another mask',
    remedy: 'Put the corrected mask in the place of mask.nii.gz, or leave --mask out.',
  });

const NOTHING = 'nothing-to-export';

const nothingToExport = (subject: string, found: string): ConfigError =>
  new ConfigError({
    code: NOTHING,
    subject,
    expected: 'a segmented case, for DICOM one that came from DICOM',
    found,
    remedy: 'Name another case, or another format (stl, obj and labelmap need no DICOM).',
  });
