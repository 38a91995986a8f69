import * as z from 'zod';

/** What the page of `sammix label` and its server say to each other. */

export const SliceOfCase = z.strictObject({ caseId: z.string(), slice: z.int().nonnegative() });
export type SliceOfCase = z.infer<typeof SliceOfCase>;

export const LabelState = z.strictObject({
  target: z.string(),
  bundle: z.string(),
  /** What the bundle sees, in Hounsfield units. */
  windowHu: z.tuple([z.number(), z.number()]),
  /** False: a bundle of another target, which draws nothing that is of use here. */
  knowsTarget: z.boolean(),
  goal: z.int().positive(),
  labelled: z.int().nonnegative(),
  /** `proposed`: there is a mask to start from, which is to be confirmed slice by slice. */
  cases: z.array(
    z.strictObject({ caseId: z.string(), slices: z.int().positive(), proposed: z.boolean() }),
  ),
  /** What of the data cannot be used, and why. */
  unread: z.array(z.strictObject({ caseId: z.string(), why: z.string() })),
  /** Why strokes that are kept could not be put into the label's file; null where all were. */
  unwritten: z.string().nullable(),
});
export type LabelState = z.infer<typeof LabelState>;

/** The slice to go to; null where every slice is labelled. */
export const NextSlice = SliceOfCase.extend({ why: z.string() }).nullable();

export const BoxAsked = SliceOfCase.extend({
  /** Inclusive columns and rows: left, top, right, bottom. */
  box: z.tuple([z.int(), z.int(), z.int(), z.int()]),
  /** What is drawn already, as a dense prompt: base64 of rows x columns bytes; null for the box alone. */
  hint: z.string().nullable(),
});

/** Kinds of all voxels of the slice (core/labelling/label-plane.ts): base64 of rows x columns bytes. */
export const Saved = SliceOfCase.extend({ kinds: z.string() });

/** Before the voxels of a slice: columns, rows (uint32), then millimetres of a column and a row (float32). */
export const SLICE_HEAD_BYTES = 16;
