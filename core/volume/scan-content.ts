import type { SliceContent } from '../contract/manifest.ts';
import type { Grid } from './grid.ts';
import { type Scaling, UNSCALED } from './scaling.ts';

/** Cells of about this size: organs are larger, and a slice costs a fraction of a millisecond. */
const CELL_MM = 6;
/** Above it is body; below are air, lung and what was clipped to -200. */
const BODY_HU = -190;
const BONE_HU = 300;
const [SOFT_FROM_HU, SOFT_TO_HU] = [20, 250];
const FAT_TO_HU = -30;
/** The spine lies in the middle quarter of the body's width, behind its foremost third. */
const SPINE_HALF_WIDTH = 0.125;
const SPINE_FROM_DEPTH = 0.35;

/** How the slices given lie: stored slices may run against the canonical axes. */
export interface SliceOrder {
  readonly columnsFlipped: boolean;
  readonly rowsFlipped: boolean;
}

const CANONICAL: SliceOrder = { columnsFlipped: false, rowsFlipped: false };

/** Looks at a volume slice by slice, in any order, on a coarse grid. */
export class ScanContent {
  private readonly found: SliceContent[] = [];
  private readonly grid: Grid;
  private readonly order: SliceOrder;
  private readonly stepX: number;
  private readonly stepY: number;
  private readonly width: number;
  private readonly height: number;
  private readonly cells: Float32Array;
  /** 1 the largest piece, 2 reached from outside, 0 enclosed. */
  private readonly place: Uint8Array;
  private readonly queue: Int32Array;

  constructor(grid: Grid, order = CANONICAL) {
    const { columns, rows, spacingMm } = grid;
    this.grid = grid;
    this.order = order;
    this.stepX = Math.min(columns, Math.max(1, Math.round(CELL_MM / spacingMm.column)));
    this.stepY = Math.min(rows, Math.max(1, Math.round(CELL_MM / spacingMm.row)));
    this.width = Math.floor(columns / this.stepX);
    this.height = Math.floor(rows / this.stepY);
    this.cells = new Float32Array(this.width * this.height);
    this.place = new Uint8Array(this.cells.length);
    this.queue = new Int32Array(this.cells.length);
  }

  /** @param voxels rows x columns; `scaling` makes Hounsfield units of them */
  add(voxels: Float32Array | Int16Array, index: number, scaling = UNSCALED): void {
    this.sample(voxels, scaling);
    const body = this.largestPiece();
    this.found[index] = body === 0 ? EMPTY : this.measure();
  }

  /** By canonical slice. */
  slices(): SliceContent[] {
    return Array.from(this.found, (slice) => slice ?? EMPTY);
  }

  private sample(voxels: Float32Array | Int16Array, { slope, inter }: Scaling): void {
    const { columns, rows } = this.grid;
    const { columnsFlipped, rowsFlipped } = this.order;
    let at = 0;
    for (let y = 0; y < this.height; y++) {
      const canonicalRow = y * this.stepY + (this.stepY >> 1);
      const row = (rowsFlipped ? rows - 1 - canonicalRow : canonicalRow) * columns;
      for (let x = 0; x < this.width; x++) {
        const column = x * this.stepX + (this.stepX >> 1);
        const stored = columnsFlipped ? columns - 1 - column : column;
        this.cells[at++] = voxels[row + stored]! * slope + inter;
      }
    }
  }

  /** Marks the largest 4-connected piece above `BODY_HU` by 1, all else by 0; returns its cells. */
  private largestPiece(): number {
    const { cells, place } = this;
    place.fill(0);
    let best = 0;
    let bestSeed = -1;
    for (let seed = 0; seed < cells.length; seed++) {
      if (place[seed] !== 0 || !(cells[seed]! > BODY_HU)) continue;
      const size = this.flood(seed, 3, (at) => cells[at]! > BODY_HU);
      if (size > best) [best, bestSeed] = [size, seed];
    }
    place.fill(0);
    if (bestSeed >= 0) this.flood(bestSeed, 1, (at) => cells[at]! > BODY_HU);
    return best;
  }

  /** Marks what can be reached from `seed` through cells that are not marked yet. */
  private flood(seed: number, mark: number, passes: (at: number) => boolean): number {
    const { place, queue, width, height } = this;
    let [head, tail] = [0, 0];
    const visit = (at: number): void => {
      if (place[at] !== 0 || !passes(at)) return;
      place[at] = mark;
      queue[tail++] = at;
    };
    visit(seed);
    while (head < tail) {
      const at = queue[head++]!;
      const x = at % width;
      if (x > 0) visit(at - 1);
      if (x < width - 1) visit(at + 1);
      if (at >= width) visit(at - width);
      if (at < width * (height - 1)) visit(at + width);
    }
    return tail;
  }

  private measure(): SliceContent {
    const { cells, place, width, height, stepX, stepY } = this;
    for (let x = 0; x < width; x++)
      for (const at of [x, x + width * (height - 1)]) this.flood(at, 2, () => true);
    for (let y = 0; y < height; y++)
      for (const at of [y * width, y * width + width - 1]) this.flood(at, 2, () => true);
    let [left, right, top, bottom] = [width, -1, height, -1];
    let [area, bone, air, fat, soft, boneRows, rowSum] = [0, 0, 0, 0, 0, 0, 0];
    for (let at = 0; at < cells.length; at++) {
      if (place[at] === 2) continue;
      const [x, y] = [at % width, Math.floor(at / width)];
      left = Math.min(left, x);
      right = Math.max(right, x);
      top = Math.min(top, y);
      bottom = Math.max(bottom, y);
      const hu = cells[at]!;
      area++;
      rowSum += y;
      if (hu > BONE_HU) {
        bone++;
        boneRows += y;
      } else if (hu <= BODY_HU) air++;
      else if (hu <= FAT_TO_HU) fat++;
      else if (hu >= SOFT_FROM_HU && hu < SOFT_TO_HU) soft++;
    }
    const { spacingMm } = this.grid;
    const depth = bottom - top + 1;
    // Rounded: these go into a file for every slice of the scan.
    return rounded({
      areaCm2: (area * stepX * stepY * spacingMm.column * spacingMm.row) / 100,
      widthMm: (right - left + 1) * stepX * spacingMm.column,
      depthMm: depth * stepY * spacingMm.row,
      bone: bone / area,
      air: air / area,
      fat: fat / area,
      soft: soft / area,
      boneAhead: bone === 0 ? 0 : (rowSum / area - boneRows / bone) / depth,
      spine: this.spine({ left, right, top, bottom }),
      softRight: this.softRight((left + right) / 2, soft),
      middle: (left + right + 1) / 2 / width,
      cutAcross: (left === 0 && right === width - 1) || (top === 0 && bottom === height - 1),
    });
  }

  /** Bone before the spine (sternum, contrast in heart and bowel) speaks neither for nor against. */
  private spine({ left, right, top, bottom }: Extent): number {
    const { cells, place, width } = this;
    const [middle, halfWidth] = [(left + right) / 2, SPINE_HALF_WIDTH * (right - left + 1)];
    const from = top - 0.5 + SPINE_FROM_DEPTH * (bottom - top + 1);
    let [behind, aside] = [0, 0];
    for (let at = 0; at < cells.length; at++) {
      if (place[at] === 2 || !(cells[at]! > BONE_HU)) continue;
      if (Math.abs((at % width) - middle) >= halfWidth) aside++;
      else if (Math.floor(at / width) > from) behind++;
    }
    return behind === 0 ? 0 : behind / (behind + aside);
  }

  /** Canonical columns run from the patient's right to left. */
  private softRight(middle: number, soft: number): number {
    const { cells, place, width } = this;
    let difference = 0;
    for (let at = 0; at < cells.length; at++) {
      const hu = cells[at]!;
      if (place[at] === 2 || !(hu >= SOFT_FROM_HU && hu < SOFT_TO_HU)) continue;
      difference += Math.sign(middle - (at % width));
    }
    return soft === 0 ? 0 : difference / soft;
  }
}

/** Of the body, in cells, both ends included. */
interface Extent {
  readonly left: number;
  readonly right: number;
  readonly top: number;
  readonly bottom: number;
}

const EMPTY: SliceContent = {
  areaCm2: 0,
  widthMm: 0,
  depthMm: 0,
  bone: 0,
  air: 0,
  fat: 0,
  soft: 0,
  boneAhead: 0,
  spine: 0,
  softRight: 0,
  middle: 0.5,
  cutAcross: false,
};

const rounded = (slice: SliceContent): SliceContent =>
  Object.fromEntries(
    Object.entries(slice).map(([name, value]) => [
      name,
      typeof value === 'number' ? Math.round(value * 1e4) / 1e4 : value,
    ]),
  ) as SliceContent;
