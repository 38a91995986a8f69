import dicomParser, { type DataSet } from 'dicom-parser';

export interface SegmentationFrame {
  /** Of the image that it lies on. */
  readonly sopInstanceUid: string;
  /** 0 or 1. */
  readonly mask: Uint8Array;
}

export interface ReadSegmentation {
  readonly dataSet: DataSet;
  readonly frames: readonly SegmentationFrame[];
}

/** A binary DICOM-SEG as PS3.3 A.51 and PS3.5 8.1.1 have it; what highdicom reads is held in test/golden/dicom. */
export function readSegmentation(bytes: Uint8Array): ReadSegmentation {
  const dataSet = dicomParser.parseDicom(bytes);
  const pixels = (dataSet.uint16('x00280010') ?? 0) * (dataSet.uint16('x00280011') ?? 0);
  const { dataOffset } = dataSet.elements.x7fe00010!;
  const frames = itemsOf(dataSet, 'x52009230').map((groups, n): SegmentationFrame => {
    const [derivation] = itemsOf(groups, 'x00089124');
    const [source] = itemsOf(derivation!, 'x00082112');
    const bit = (at: number) => (dataSet.byteArray[dataOffset + (at >> 3)]! >> (at & 7)) & 1;
    return {
      sopInstanceUid: source!.string('x00081155')!,
      mask: Uint8Array.from({ length: pixels }, (_, at) => bit(n * pixels + at)),
    };
  });
  return { dataSet, frames };
}

const itemsOf = (dataSet: DataSet, tag: string): DataSet[] =>
  (dataSet.elements[tag]?.items ?? []).map((item) => item.dataSet!);
