/// <reference path="./untyped.d.ts" />
import { createHash } from 'node:crypto';
import dicomParser, { type DataSet } from 'dicom-parser';
import { targetOf } from '../core/contract/bundle.ts';
import type { SegmentedReport } from '../core/contract/report.ts';
import { hasPreamble, type Instance } from './instance.ts';

/** What objects that are derived from a series share: whom they are of, what made them, how they are written. */

/** A data set by keywords, as dcmjs writes it. */
export type DicomAttributes = Record<string, unknown>;

/** What made a mask. */
export interface Algorithm {
  /** Of the program. */
  readonly version: string;
  readonly model: string;
  /** SHA-256 of the model bundle. */
  readonly bundleDigest: string;
}

export interface Derivation {
  /** Name of the bundle's target. */
  readonly target: string;
  readonly algorithm: Algorithm;
  /** Names the run: equal runs make objects with equal identifiers. */
  readonly runId: string;
  readonly createdAt: Date;
}

/** What a run's report says of what is made of its mask. */
export const derivationOf = ({
  runId,
  bundle,
  provenance,
  createdAt,
}: SegmentedReport): Derivation => ({
  target: targetOf(bundle),
  runId: runId ?? '',
  createdAt: new Date(createdAt),
  algorithm: {
    version: provenance.sammixVersion,
    model: bundle.name,
    bundleDigest: bundle.digest,
  },
});

/** Attributes of the Patient, Study and Frame of Reference modules that a derived object repeats. */
const COPIED: readonly (readonly [tag: string, keyword: string, vr: string])[] = [
  ['x00080020', 'StudyDate', 'DA'],
  ['x00080030', 'StudyTime', 'TM'],
  ['x00080050', 'AccessionNumber', 'SH'],
  ['x00080090', 'ReferringPhysicianName', 'PN'],
  ['x00081030', 'StudyDescription', 'LO'],
  ['x00100010', 'PatientName', 'PN'],
  ['x00100020', 'PatientID', 'LO'],
  ['x00100021', 'IssuerOfPatientID', 'LO'],
  ['x00100030', 'PatientBirthDate', 'DA'],
  ['x00100040', 'PatientSex', 'CS'],
  ['x00101010', 'PatientAge', 'AS'],
  ['x00120062', 'PatientIdentityRemoved', 'CS'],
  ['x00120063', 'DeidentificationMethod', 'LO'],
  ['x00200010', 'StudyID', 'SH'],
  ['x00201040', 'PositionReferenceIndicator', 'LO'],
];
/** Type 2: present even where the source has no value. */
const REQUIRED = new Set([
  'StudyDate',
  'StudyTime',
  'AccessionNumber',
  'ReferringPhysicianName',
  'PatientName',
  'PatientID',
  'PatientBirthDate',
  'PatientSex',
  'StudyID',
  'PositionReferenceIndicator',
]);

const HEADER_BYTES = 256 * 1024;

/** Of the image, its text decoded from whatever character set it is in. */
export async function patientAndStudy(instance: Instance): Promise<DicomAttributes> {
  const { file, studyUid, frameOfReferenceUid } = instance;
  const { convertBytes } = await import('dicom-character-set');
  const whole = instance.transferSyntaxUid === '1.2.840.10008.1.2.1.99';
  const end = whole
    ? file.bytes
    : Math.min(file.bytes, instance.pixels!.offset, HEADER_BYTES * 256);
  const dataSet = parseUntilPixels(await file.read(0, end));
  const characterSet = dataSet.string('x00080005') ?? 'ISO_IR 6';
  const copied: DicomAttributes = {
    StudyInstanceUID: studyUid,
    FrameOfReferenceUID: frameOfReferenceUid,
  };
  for (const [tag, keyword, vr] of COPIED) {
    const element = dataSet.elements[tag];
    if (!element && !REQUIRED.has(keyword)) continue;
    const bytes = element
      ? new Uint8Array(
          dataSet.byteArray.subarray(element.dataOffset, element.dataOffset + element.length),
        )
      : new Uint8Array(0);
    const text = convertBytes(characterSet, bytes, { vr });
    copied[keyword] = String(text).replace(/[ \0]+$/, '');
  }
  return copied;
}

function parseUntilPixels(bytes: Uint8Array): DataSet {
  return dicomParser.parseDicom(bytes, {
    untilTag: 'x7fe00010',
    ...(!hasPreamble(bytes) && { TransferSyntaxUID: '1.2.840.10008.1.2' }),
  } as Parameters<typeof dicomParser.parseDicom>[1]);
}

/** Equipment and time of a derived object. */
export const equipment = ({ algorithm, createdAt }: Derivation): DicomAttributes => ({
  Manufacturer: 'sammix',
  ManufacturerModelName: algorithm.model.slice(0, 64),
  DeviceSerialNumber: algorithm.bundleDigest,
  SoftwareVersions: algorithm.version,
  InstanceCreationDate: dateOf(createdAt),
  InstanceCreationTime: timeOf(createdAt),
});

export const dateOf = (time: Date): string => time.toISOString().slice(0, 10).replaceAll('-', '');
export const timeOf = (time: Date): string => time.toISOString().slice(11, 19).replaceAll(':', '');

export const code = (
  value: string,
  scheme: 'SCT' | 'DCM',
  meaning: string,
): readonly DicomAttributes[] => [
  { CodeValue: value, CodingSchemeDesignator: scheme, CodeMeaning: meaning },
];

/** What a mask shows, as DICOM says it. */
export interface Structure {
  readonly label: string;
  readonly category: () => readonly DicomAttributes[];
  readonly type: () => readonly DicomAttributes[];
  readonly rgb: readonly [number, number, number];
  /** Scaled to 16 bits (PS3.3 C.10.7.1.1). */
  readonly cieLab: readonly [number, number, number];
}

/** SNOMED CT codes of organs, as PS3.16 lists them; what is not here is an organ with its name. */
const ORGANS: Readonly<Record<string, readonly [code: string, meaning: string]>> = {
  liver: ['10200004', 'Liver'],
  spleen: ['78961009', 'Spleen'],
  pancreas: ['15776009', 'Pancreas'],
  'left kidney': ['18639004', 'Left kidney'],
  'right kidney': ['9846003', 'Right kidney'],
  kidney: ['64033007', 'Kidney'],
  aorta: ['15825003', 'Aorta'],
};
const SOME_ORGAN = ['113343008', 'Organ'] as const;

/** @param target name of the bundle's target */
export function structureOf(target: string): Structure {
  const [value, meaning] = ORGANS[target.toLowerCase().replaceAll('_', ' ')] ?? SOME_ORGAN;
  return {
    label: `${target[0]!.toUpperCase()}${target.slice(1)}`.slice(0, 64),
    category: () => code('123037004', 'SCT', 'Anatomical Structure'),
    type: () => code(value, 'SCT', meaning),
    // As 3D Slicer draws the liver.
    rgb: [221, 130, 101],
    cieLab: [41_203, 40_906, 40_395],
  };
}

/** 2.25 and 128 bits of a hash (PS3.5 B.2): the same names give the same identifier. */
export function uidOf(...names: readonly string[]): string {
  const hash = createHash('sha256').update(names.join('\n')).digest('hex').slice(0, 32);
  return `2.25.${BigInt(`0x${hash}`).toString(10)}`;
}

/** The file of an object: explicit little endian, UTF-8. Loads dcmjs. */
export async function writeDicom(dataSet: DicomAttributes): Promise<Uint8Array> {
  const { default: dcmjs } = await import('dcmjs');
  const { DicomDict, DicomMetaDictionary } = dcmjs.data;
  const meta = {
    FileMetaInformationVersion: new Uint8Array([0, 1]).buffer,
    MediaStorageSOPClassUID: dataSet.SOPClassUID,
    MediaStorageSOPInstanceUID: dataSet.SOPInstanceUID,
    TransferSyntaxUID: '1.2.840.10008.1.2.1',
    ImplementationClassUID: uidOf('sammix implementation'),
    ImplementationVersionName: 'SAMMIX',
    _vrMap: { FileMetaInformationVersion: 'OB' },
  };
  const file = new DicomDict(DicomMetaDictionary.denaturalizeDataset(meta));
  file.dict = DicomMetaDictionary.denaturalizeDataset({
    SpecificCharacterSet: 'ISO_IR 192',
    ...dataSet,
  });
  return new Uint8Array(file.write());
}
