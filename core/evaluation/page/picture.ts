/** A slice of a case for the gallery of the worst, with what was drawn on it. */
export interface EvaluationPicture {
  readonly caseId: string;
  /** Canonical slice index. */
  readonly slice: number;
  /** What the slice was chosen for, in a few words. */
  readonly caption: string;
  /** What it shows, for readers who do not see it. */
  readonly alt: string;
  readonly png: Uint8Array;
}
