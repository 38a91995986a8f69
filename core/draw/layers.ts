/**
 * The drawn layers. Colours are Okabe and Ito's set for colour-blind readers (2008); the line styles
 * differ too, so that a grey print can still be read.
 */
export interface Layer {
  readonly key: 'cam' | 'box' | 'label' | 'mask';
  readonly name: string;
  /** Heading of the legend entry: what the line is. */
  readonly meaning: string;
  readonly rgb: readonly [number, number, number];
  /** Lengths of line and gap in pixels of the model's square; empty for a whole line. */
  readonly dashPx: readonly number[];
  readonly widthPx: number;
  /** Opacity of the filled area, 0 for none. */
  readonly fill: number;
}

/** From the lowest to the topmost. */
export const LAYERS: readonly Layer[] = [
  {
    key: 'cam',
    name: 'CAM',
    meaning: 'where the classifier looked: the prompt',
    rgb: [204, 121, 167],
    dashPx: [1.5, 2.5],
    widthPx: 1.2,
    fill: 0.14,
  },
  {
    key: 'box',
    name: 'Box',
    meaning: "the CAM's bounding box: the prompt",
    rgb: [240, 228, 66],
    dashPx: [7, 3, 1.5, 3],
    widthPx: 1,
    fill: 0,
  },
  {
    key: 'mask',
    name: 'Mask',
    meaning: 'the result',
    rgb: [230, 159, 0],
    dashPx: [],
    widthPx: 1.5,
    fill: 0,
  },
  {
    key: 'label',
    name: 'Label',
    meaning: 'the reference that was given',
    rgb: [86, 180, 233],
    dashPx: [4.5, 3],
    widthPx: 1.5,
    fill: 0,
  },
];

export const hexOf = ({ rgb }: Pick<Layer, 'rgb'>): string =>
  `#${rgb.map((value) => value.toString(16).padStart(2, '0')).join('')}`;
