import type { Letterbox } from '../contract/manifest.ts';
import { type HuReport, HuStatistics } from '../volume/histogram.ts';
import type { NiftiReader } from '../volume/reader.ts';
import { UNSCALED } from '../volume/scaling.ts';
import { letterboxFor } from './letterbox.ts';
import { SliceShrinker } from './shrink.ts';

/** How a model wants its slices. */
export interface SliceView {
  readonly windowHu: readonly [low: number, high: number];
  readonly sizePx: number;
}

export interface PreparedSlice {
  /** Slice index k on the canonical grid. */
  readonly index: number;
  /**
   * What the models see, one for each view: windowed to [0, 1] at full scale 65535, sizePx x sizePx,
   * letterboxed. The buffers are used again for the next slice.
   */
  readonly squares: readonly Uint16Array[];
}

/**
 * Makes every axial slice of a volume ready for the models and measures its intensities in the same
 * pass. Slices stored as int16 in canonical order are shrunk as they lie in the file, whatever their
 * scaling and flips; all others are gathered to float32 first, which takes four times as long.
 */
export class SlicePreparation {
  /** Of each view. */
  readonly letterboxes: readonly Letterbox[];
  private readonly reader: NiftiReader;
  private readonly statistics: HuStatistics;
  /** One a view; the slices are read into the plane of the first. */
  private readonly shrinkers: readonly SliceShrinker[];

  /** @param views at least one */
  constructor(reader: NiftiReader, views: readonly SliceView[]) {
    const { grid, transform } = reader.geometry;
    const stored = reader.holdsInt16Slices;
    const { slope, inter } = stored ? reader.scaling : UNSCALED;
    const [columnsFlipped, rowsFlipped] = transform.flipped.map((flip) => stored && flip);
    this.reader = reader;
    this.statistics = new HuStatistics(grid, reader.scaling, {
      columnsFlipped: columnsFlipped!,
      rowsFlipped: rowsFlipped!,
    });
    this.letterboxes = views.map(({ sizePx }) => letterboxFor(grid, sizePx));
    this.shrinkers = views.map(
      ({ windowHu: [low, high] }, at) =>
        new SliceShrinker({
          voxels: stored ? 'int16' : 'float32',
          columns: grid.columns,
          rows: grid.rows,
          columnsFlipped: columnsFlipped!,
          rowsFlipped: rowsFlipped!,
          letterbox: this.letterboxes[at]!,
          lowVoxel: (low - inter) / slope,
          unitPerVoxel: slope / (high - low),
        }),
    );
  }

  /** Each slice once, in the order of the file: ascending or descending. Throws as `axialSlices`. */
  async *slices(): AsyncGenerator<PreparedSlice, void, undefined> {
    const [first, ...others] = this.shrinkers;
    const squares = this.shrinkers.map(({ square }) => square);
    const indices = this.reader.holdsInt16Slices ? this.measuredStored() : this.measured();
    for await (const index of indices) {
      for (const { plane } of others) plane.set(first!.plane);
      for (const shrinker of this.shrinkers) shrinker.shrink();
      yield { index, squares };
    }
  }

  /** After the last slice. */
  intensities(): HuReport {
    return this.statistics.finish();
  }

  private async *measuredStored(): AsyncGenerator<number, void, undefined> {
    const [first] = this.shrinkers;
    const voxels = first!.plane as Int16Array<ArrayBuffer>;
    for await (const index of this.reader.storedSlices(voxels)) {
      const [least, greatest] = first!.extremes();
      this.statistics.addStored({ voxels, least, greatest }, index);
      yield index;
    }
  }

  private async *measured(): AsyncGenerator<number, void, undefined> {
    for await (const { index, hu } of this.reader.axialSlices()) {
      this.statistics.add(hu, index);
      this.shrinkers[0]!.plane.set(hu);
      yield index;
    }
  }
}
