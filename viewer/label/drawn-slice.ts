import { VOXEL } from '../../core/labelling/label-plane.ts';
import type { Plane } from '../../core/labelling/paint.ts';

/** A slice as the server sends it. */
export interface SentSlice {
  readonly columns: number;
  readonly rows: number;
  readonly columnMm: number;
  readonly rowMm: number;
  readonly hu: Int16Array;
  /** Of VOXEL. */
  readonly kinds: Uint8Array;
}

const maskOf = (kinds: Uint8Array): Uint8Array =>
  kinds.map((kind) => (kind === VOXEL.target || kind === VOXEL.proposed ? 1 : 0));

/**
 * A slice and what is drawn on it: strokes change `mask`, and count when they are committed. The history goes back
 * to the slice as it came: undone as far as that, one that was not labelled is not labelled again.
 */
export class DrawnSlice implements Plane {
  readonly columns: number;
  readonly rows: number;
  readonly columnMm: number;
  readonly rowMm: number;
  readonly hu: Int16Array;
  readonly mask: Uint8Array;
  private current: Uint8Array;
  private done: Uint8Array[] = [];
  private undone: Uint8Array[] = [];

  constructor({ columns, rows, columnMm, rowMm, hu, kinds }: SentSlice) {
    this.columns = columns;
    this.rows = rows;
    this.columnMm = columnMm;
    this.rowMm = rowMm;
    this.hu = hu;
    this.current = kinds;
    this.mask = maskOf(kinds);
  }

  /** As they were committed last. */
  get kinds(): Uint8Array {
    return this.current;
  }

  /** Nobody has labelled it, or confirmed what is proposed. */
  get isOpen(): boolean {
    return this.current.some((kind) => kind === VOXEL.ignore || kind === VOXEL.proposed);
  }

  /** The mask is what the slice shows: it is labelled as a whole, but for voxels of other classes. */
  commit(): void {
    this.done.push(this.current);
    this.undone = [];
    this.show(
      this.current.map((kind, at) => {
        if (kind === VOXEL.other) return kind;
        return this.mask[at] ? VOXEL.target : VOXEL.background;
      }),
    );
  }

  /** Takes back what was drawn since. */
  cancel(): void {
    this.show(this.current);
  }

  /** @returns false where there is nothing to go to */
  undo(): boolean {
    return this.travel(this.done, this.undone);
  }

  redo(): boolean {
    return this.travel(this.undone, this.done);
  }

  private travel(back: Uint8Array[], forth: Uint8Array[]): boolean {
    const kinds = back.pop();
    if (!kinds) return false;
    forth.push(this.current);
    this.show(kinds);
    return true;
  }

  private show(kinds: Uint8Array): void {
    this.current = kinds;
    this.mask.set(maskOf(kinds));
  }
}
