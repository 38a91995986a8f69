import type { SliceContent } from '../../../core/contract/manifest.ts';
import { ScanContent } from '../../../core/volume/scan-content.ts';

/** One disc of a cross-section: millimetres from the image's middle, x to the left, y to the back. */
type Disc = readonly [x: number, y: number, radiusX: number, radiusY: number, hu: number];

const [AIR, LUNG, FAT, MUSCLE, BONE] = [-1000, -800, -100, 55, 700];
const SIDE = 100;
const SPACING_MM = 5;

export const SLICE_MM = 5;
const GRID = {
  columns: SIDE,
  rows: SIDE,
  slices: 1,
  spacingMm: { column: SPACING_MM, row: SPACING_MM, slice: SLICE_MM },
};

const body = (halfWidth: number, halfDepth: number): Disc[] => [
  [0, 0, halfWidth, halfDepth, FAT],
  [0, 0, halfWidth - 15, halfDepth - 15, MUSCLE],
];
const both = (disc: Disc): Disc[] => [disc, [-disc[0], ...disc.slice(1)] as unknown as Disc];
const SPINE: Disc = [0, 70, 22, 20, BONE];
const RIBS = [
  [150, 20],
  [120, -65],
  [105, 78],
].flatMap(([x, y]) => both([x!, y!, 5, 4, BONE]));
const marrow = ([x, y, rx, ry]: Disc): Disc[] => [
  [x, y, rx, ry, BONE],
  [x, y, rx / 2, ry / 2, FAT],
];

/** Cross-sections as they are in adults, each drawn from its outside inwards. */
export const SECTIONS = {
  abdomen: [...body(170, 115), SPINE, ...RIBS],
  'abdomen of a slight person': [
    ...body(130, 90),
    [0, 55, 20, 18, BONE],
    ...both([110, 10, 4, 4, BONE]),
  ],
  'dome of the liver': [...body(170, 115), ...both([105, -10, 40, 60, LUNG]), SPINE, ...RIBS],
  heart: [...body(170, 115), ...both([80, 0, 65, 85, LUNG]), SPINE, ...RIBS],
  hips: [
    ...body(180, 105),
    ...both([90, 5, 25, 25, BONE]),
    ...both([60, -30, 12, 15, BONE]),
    [0, 70, 12, 8, BONE],
  ],
  'both thighs, touching': [
    ...both([88, 0, 92, 90, FAT]),
    ...both([88, 0, 80, 78, MUSCLE]),
    ...both([85, -10, 14, 14, BONE]),
  ],
  shoulders: [
    ...body(220, 85),
    ...both([175, 5, 24, 24, BONE]),
    ...both([120, 40, 20, 6, BONE]),
    [0, 35, 18, 16, BONE],
  ],
  thigh: [[0, 0, 90, 90, FAT], [0, 0, 80, 80, MUSCLE], ...marrow([10, -10, 15, 15, BONE])],
  head: [
    [0, 0, 76, 95, MUSCLE],
    [0, 0, 72, 91, BONE],
    [0, 0, 65, 84, 35],
  ],
  neck: [
    [0, 0, 65, 65, FAT],
    [0, 0, 58, 58, MUSCLE],
    [0, 20, 18, 16, BONE],
    [0, -25, 9, 9, AIR],
  ],
  'phantom of water': [[0, 0, 150, 150, 0]],
} as const satisfies Readonly<Record<string, readonly Disc[]>>;
export type Section = keyof typeof SECTIONS;

/** What slices show that are drawn like this, the lowest first. */
export function contentOf(...sections: readonly Section[]): SliceContent[] {
  const content = new ScanContent({ ...GRID, slices: sections.length });
  for (const [index, section] of sections.entries()) content.add(drawn(SECTIONS[section]), index);
  return content.slices();
}

function drawn(discs: readonly Disc[]): Float32Array {
  const hu = new Float32Array(SIDE * SIDE).fill(AIR);
  for (let at = 0; at < hu.length; at++) {
    const x = ((at % SIDE) - (SIDE - 1) / 2) * SPACING_MM;
    const y = (Math.floor(at / SIDE) - (SIDE - 1) / 2) * SPACING_MM;
    for (const [cx, cy, rx, ry, value] of discs)
      if (((x - cx) / rx) ** 2 + ((y - cy) / ry) ** 2 <= 1) hu[at] = value;
  }
  return hu;
}
