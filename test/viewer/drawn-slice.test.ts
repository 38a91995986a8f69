import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { VOXEL } from '../../core/labelling/label-plane.ts';
import { DrawnSlice } from '../../viewer/label/drawn-slice.ts';

const COLUMNS = 4;
const kinds = fc.uint8Array({ minLength: 12, maxLength: 12, max: 4 });
const masks = fc.array(fc.uint8Array({ minLength: 12, maxLength: 12, max: 1 }), {
  minLength: 1,
  maxLength: 6,
});

const sliceOf = (sent: Uint8Array): DrawnSlice =>
  new DrawnSlice({
    columns: COLUMNS,
    rows: 3,
    columnMm: 1,
    rowMm: 1,
    hu: new Int16Array(12),
    kinds: sent.slice(),
  });

describe('a slice that is drawn on', () => {
  it('is labelled whole by what is committed, and open again when all of it is undone', () => {
    fc.assert(
      fc.property(kinds, masks, (sent, drawn) => {
        const slice = sliceOf(sent);
        const isOpen = slice.isOpen;
        const states: Uint8Array[] = [];
        for (const mask of drawn) {
          slice.mask.set(mask);
          slice.commit();
          states.push(slice.kinds.slice());
          expect(slice.isOpen).toBe(false);
          sent.forEach((kind, at) => {
            const own = kind === VOXEL.other;
            expect(slice.kinds[at]).toBe(own ? VOXEL.other : mask[at]);
            expect(slice.mask[at]).toBe(own ? 0 : mask[at]);
          });
        }
        for (const _ of drawn) expect(slice.undo()).toBe(true);
        expect(slice.undo()).toBe(false);
        expect([...slice.kinds]).toEqual([...sent]);
        expect(slice.isOpen).toBe(isOpen);
        for (const state of states) {
          expect(slice.redo()).toBe(true);
          expect(slice.kinds).toEqual(state);
        }
        expect(slice.redo()).toBe(false);
      }),
    );
  });

  it('forgets a stroke that is taken back', () => {
    const slice = sliceOf(new Uint8Array(12).fill(VOXEL.proposed, 3, 7).fill(VOXEL.ignore, 7));
    const before = [...slice.mask];
    slice.mask.fill(1);
    slice.cancel();
    expect([...slice.mask]).toEqual(before);
    expect(slice.isOpen).toBe(true);
    expect(slice.undo()).toBe(false);
  });
});
