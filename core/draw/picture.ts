import type { SliceRecord } from '../contract/manifest.ts';

/** What a report shows of one slice; every plane is sizePx x sizePx in the model's square. */
export interface SlicePicture {
  readonly record: SliceRecord;
  readonly sizePx: number;
  /** Grey values 0 to 255 of the windowed slice. */
  readonly image: Uint8Array;
  /** CAM mask, 0 or 1; null where the slice never reached SAM. */
  readonly cam: Uint8Array | null;
  /** Final mask, 0 or 1. */
  readonly mask: Uint8Array;
  /** Label, 0 or 1; null where none was given. */
  readonly label: Uint8Array | null;
}

/** What is drawn of a slice, whoever drew its mask. */
export interface DrawnSlice extends Omit<SlicePicture, 'record'> {
  readonly record: Pick<SliceRecord, 'box'>;
}

/** Slices of a case for the gallery of the worst, side by side, with what was drawn on them. */
export interface EvaluationPicture {
  readonly caseId: string;
  /** From left to right: canonical slice index, and in a few words what it was chosen for. */
  readonly slices: readonly { readonly slice: number; readonly caption: string }[];
  /** What it shows, for readers who do not see it. */
  readonly alt: string;
  readonly png: Uint8Array;
}
