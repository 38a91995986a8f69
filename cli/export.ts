import path from 'node:path';
import { type Command, Option } from 'commander';
import { DirStore } from '../adapters/dir-store.ts';
import { targetOf } from '../core/contract/bundle.ts';
import { runKeys } from '../core/contract/keys.ts';
import { CaseReport, type SegmentedReport } from '../core/contract/report.ts';
import type { TargetsReport } from '../core/contract/targets.ts';
import { CaseSources } from '../core/contract/view.ts';
import { ConfigError } from '../core/errors.ts';
import { getJson, usableJson } from '../core/json.ts';
import { maskMesh, stlFile } from '../core/mask/mesh.ts';
import type { ByteStream } from '../core/ports.ts';
import { readTargets } from '../core/stage/join-targets.ts';
import { canonicalAffine } from '../core/volume/canonical.ts';
import { readLabel } from '../core/volume/label.ts';
import type { Derivation } from '../dicom/derived.ts';
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

DICOM is made of cases that came from DICOM; the series must still be where the run found it.`,
    )
    .action(async (folder: string, options: ExportOptions) => {
      await report(command, async () => {
        const file = await exportCommand(folder, options);
        return ok({ file }, file);
      });
    });
}

export interface ExportOptions {
  readonly format: ExportFormat;
  readonly out?: string;
  readonly mask?: string;
}

/** `sammix export`: returns the file it wrote. */
export async function exportCommand(
  folder: string,
  { format, out, mask }: ExportOptions,
): Promise<string> {
  const store = new DirStore(path.dirname(path.resolve(folder)));
  const keys = runKeys(path.basename(path.resolve(folder)));
  const targets = await readTargets(store, keys.prefix);
  if (targets) throw severalTargets(folder, targets);
  const done = await getJson(store, keys.report, CaseReport);
  if (done.status === 'failed') throw nothingToExport(folder, 'a case that failed');
  const maskFile = mask ?? path.join(store.root, keys.mask);
  const made =
    format === 'stl'
      ? await meshOf(maskFile, done)
      : await dicomOf(format, maskFile, done, await seriesOf(store, keys.sources, folder));
  if (!made) throw nothingToExport(folder, 'an empty mask');
  const file = path.resolve(out ?? path.join(folder, FORMATS[format]));
  await new DirStore(path.dirname(file)).put(path.basename(file), made);
  return file;
}

/** The DICOM-SEG of a case, for a run; undefined for an empty mask. */
export const segmentationOf = (
  input: CaseInput,
  mask: ByteStream,
  done: SegmentedReport,
): Promise<Uint8Array | undefined> =>
  dicomSegmentation(...derivationOf(input, mask, path.basename(input.image), done));

async function dicomOf(
  format: 'dicom-seg' | 'rtstruct',
  maskFile: string,
  done: SegmentedReport,
  input: CaseInput,
): Promise<Uint8Array | undefined> {
  const make = format === 'dicom-seg' ? dicomSegmentation : structureSet;
  return make(...derivationOf(input, readFile(maskFile), path.basename(maskFile), done));
}

function derivationOf(
  input: CaseInput,
  mask: ByteStream,
  maskName: string,
  { runId, bundle, provenance, createdAt }: SegmentedReport,
): [VolumePlan, AsyncIterable<MaskFrame>, Derivation] {
  const plan = planVolume(input.dicom!, imageName(input));
  const derivation: Derivation = {
    target: targetOf(bundle),
    runId: runId ?? '',
    createdAt: new Date(createdAt),
    algorithm: {
      version: provenance.sammixVersion,
      model: bundle.name,
      bundleDigest: bundle.digest,
    },
  };
  return [plan, maskFrames(plan, mask, maskName), derivation];
}

async function seriesOf(store: DirStore, key: string, folder: string): Promise<CaseInput> {
  const sources = await usableJson(store, key, CaseSources);
  if (!sources?.series) throw nothingToExport(folder, 'a case that did not come from DICOM');
  const remedy = 'Put the files back where the run found them.';
  return findSeries(sources.image, sources.series, remedy);
}

async function meshOf(maskFile: string, done: SegmentedReport): Promise<Uint8Array | undefined> {
  const { mask, geometry } = await readLabel(readFile(maskFile), {
    subject: path.basename(maskFile),
  });
  const mesh = maskMesh(mask, canonicalAffine(geometry));
  return mesh && stlFile(mesh, `${targetOf(done.bundle)} ${done.runId}`);
}

const severalTargets = (subject: string, { targets }: TargetsReport): ConfigError =>
  new ConfigError({
    code: 'several-targets',
    subject,
    expected: 'the folder of one target',
    found: `a case of ${targets.length} targets`,
    remedy: `Name one of ${targets.map(({ folder }) => path.join(subject, folder)).join(', ')}.`,
  });

const nothingToExport = (subject: string, found: string): ConfigError =>
  new ConfigError({
    code: 'nothing-to-export',
    subject,
    expected: 'a segmented case, for DICOM one that came from DICOM',
    found,
    remedy: 'Name another case, or another format (stl needs no DICOM).',
  });
