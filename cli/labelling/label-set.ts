import path from 'node:path';
import { type TargetValues, targetValues } from '../../core/dataset/training-set.ts';
import { ConfigError } from '../../core/errors.ts';
import { casesIn, namesOf, patientsIn, type SliceState, sliceStates } from '../training/dataset.ts';

/** A scan of a data set that is being labelled. */
export interface LabelCase {
  readonly caseId: string;
  readonly patient: string;
  readonly image: string;
  /** By canonical slice, as its label file says; undefined where there is none, or none that names the target. */
  readonly states: readonly SliceState[] | undefined;
}

/**
 * The scans of a data set in nnU-Net's layout, by case id.
 *
 * @param only ids of the cases to look at; undefined for all
 * @throws ConfigError where there are no scans, or not the cases that were named
 */
export async function scansOf(
  root: string,
  only?: readonly string[],
): Promise<(readonly [caseId: string, image: string])[]> {
  const all = await casesIn(path.join(root, 'imagesTr'));
  if (all.size === 0) throw noScans(root);
  for (const caseId of only ?? [])
    if (!all.has(caseId)) throw noCase(root, caseId, [...all.keys()]);
  return [...all].filter(([caseId]) => only?.includes(caseId) ?? true);
}

/**
 * `scansOf` with what is labelled of the target, for which every label is read. A target that `dataset.json` does
 * not name yet is labelled nowhere.
 */
export async function readLabelSet(
  root: string,
  target: string,
  only?: readonly string[],
): Promise<LabelCase[]> {
  const images = await scansOf(root, only);
  const labels = await casesIn(path.join(root, 'labelsTr'));
  const values = await valuesOf(root, target);
  const patientOf = await patientsIn(root);
  const cases: LabelCase[] = [];
  for (const [caseId, image] of images) {
    const label = labels.get(caseId);
    const states = label === undefined || !values ? undefined : await sliceStates(label, values);
    cases.push({ caseId, patient: patientOf(caseId), image, states });
  }
  return cases;
}

async function valuesOf(root: string, target: string): Promise<TargetValues | undefined> {
  const table = await namesOf(root);
  const named = (name: string): boolean => table!.classes.some((one) => one.name === name);
  if (table && !target.split('+').every(named)) return undefined;
  return targetValues(table, target, path.join(root, 'dataset.json'));
}

const noScans = (root: string): ConfigError =>
  new ConfigError({
    code: 'no-scans',
    subject: path.join(root, 'imagesTr'),
    expected: "scans as NIfTI in nnU-Net's layout, e.g. imagesTr/case01_0000.nii.gz",
    found: 'none',
    remedy:
      'Put the scans into a folder imagesTr; convert DICOM to NIfTI first, e.g. with dcm2niix.',
  });

const noCase = (root: string, caseId: string, known: readonly string[]): ConfigError =>
  new ConfigError({
    code: 'no-such-case',
    subject: root,
    expected: `a scan of the case ${caseId}`,
    found: `${known.slice(0, 5).join(', ')}${known.length > 5 ? ', ...' : ''}`,
    remedy: 'Name cases as the files in imagesTr are called, without _0000.',
  });
