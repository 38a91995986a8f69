import type { Letterbox } from '../contract/manifest.ts';
import { type HuReport, HuStatistics } from '../volume/histogram.ts';
import type { NiftiReader } from '../volume/reader.ts';
import { UNSCALED } from '../volume/scaling.ts';
import { letterboxFor } from './letterbox.ts';
import { SliceShrinker } from './shrink.ts';

export interface PreparedSlice {
  /** Slice index k on the canonical grid. */
  readonly index: number;
  /**
   * What the model sees: windowed to [0, 1] at full scale 65535, sizePx x sizePx, letterboxed. The
   * buffer is used again for the next slice.
   */
  readonly square: Uint16Array;
}

/**
 * Makes every axial slice of a volume ready for the model and measures its intensities in the same
 * pass. Slices stored as int16 in canonical order are shrunk as they lie in the file, whatever their
 * scaling and flips; all others are gathered to float32 first, which takes four times as long.
 */
export class SlicePreparation {
  readonly letterbox: Letterbox;
  private readonly reader: NiftiReader;
  private readonly statistics: HuStatistics;
  private readonly shrinker: SliceShrinker;

  constructor(reader: NiftiReader, windowHu: readonly [number, number], sizePx: number) {
    const { grid, transform } = reader.geometry;
    const stored = reader.holdsInt16Slices;
    const { slope, inter } = stored ? reader.scaling : UNSCALED;
    const [columnsFlipped, rowsFlipped] = transform.flipped.map((flip) => stored && flip);
    this.reader = reader;
    this.statistics = new HuStatistics(grid, reader.scaling, {
      columnsFlipped: columnsFlipped!,
      rowsFlipped: rowsFlipped!,
    });
    this.letterbox = letterboxFor(grid, sizePx);
    this.shrinker = new SliceShrinker({
      voxels: stored ? 'int16' : 'float32',
      columns: grid.columns,
      rows: grid.rows,
      columnsFlipped: columnsFlipped!,
      rowsFlipped: rowsFlipped!,
      letterbox: this.letterbox,
      lowVoxel: (windowHu[0] - inter) / slope,
      unitPerVoxel: slope / (windowHu[1] - windowHu[0]),
    });
  }

  /** Each slice once, in the order of the file: ascending or descending. Throws as `axialSlices`. */
  async *slices(): AsyncGenerator<PreparedSlice, void, undefined> {
    const { shrinker } = this;
    const indices = this.reader.holdsInt16Slices ? this.measuredStored() : this.measured();
    for await (const index of indices) {
      shrinker.shrink();
      yield { index, square: shrinker.square };
    }
  }

  /** After the last slice. */
  intensities(): HuReport {
    return this.statistics.finish();
  }

  private async *measuredStored(): AsyncGenerator<number, void, undefined> {
    const voxels = this.shrinker.plane as Int16Array<ArrayBuffer>;
    for await (const index of this.reader.storedSlices(voxels)) {
      const [least, greatest] = this.shrinker.extremes();
      this.statistics.addStored({ voxels, least, greatest }, index);
      yield index;
    }
  }

  private async *measured(): AsyncGenerator<number, void, undefined> {
    for await (const { index, hu } of this.reader.axialSlices()) {
      this.statistics.add(hu, index);
      this.shrinker.plane.set(hu);
      yield index;
    }
  }
}
