/** What the numbers of a label file mean while one target is drawn. */
export interface DrawnValues {
  readonly target: number;
  /** Of voxels that nobody has labelled. */
  readonly ignore: number;
}

/** Kinds of voxels as the page is told of them, and tells them. */
export const VOXEL = {
  background: 0,
  target: 1,
  ignore: 2,
  other: 3,
  /** Of a prediction that nobody has confirmed. */
  proposed: 4,
} as const;

/**
 * Writes what a person drew on one slice into the slice of a label file. Where nothing of it is left to `ignore` or
 * proposed, the slice is labelled as a whole. Voxels of other classes keep theirs, whatever was drawn over them.
 *
 * @param plane the label's values, rows x columns; changed
 * @param kinds of VOXEL, rows x columns
 */
export function drawInto(
  plane: Uint8Array,
  kinds: Uint8Array,
  { target, ignore }: DrawnValues,
): void {
  for (let at = 0; at < plane.length; at++) {
    const value = plane[at]!;
    if (value !== 0 && value !== target && value !== ignore) continue;
    const kind = kinds[at]!;
    const open = kind === VOXEL.ignore || kind === VOXEL.proposed;
    plane[at] = open ? ignore : kind === VOXEL.target ? target : 0;
  }
}

/** A slice of a label file in the page's kinds; `proposal`, 0 or 1, where nobody has labelled it. */
export const kindsOf = (
  plane: Uint8Array,
  { target, ignore }: DrawnValues,
  proposal?: Uint8Array,
): Uint8Array =>
  plane.map((value, at) => {
    if (value === 0) return VOXEL.background;
    if (value === target) return VOXEL.target;
    if (value !== ignore) return VOXEL.other;
    return proposal?.[at] ? VOXEL.proposed : VOXEL.ignore;
  });

type Labels = Readonly<Record<string, unknown>>;

/**
 * The `labels` of a dataset.json with the target and `ignore` in them; the names that are there keep their numbers.
 * Both of nnU-Net's ways of writing them stay as they are: `{"liver": 1}` and `{"1": "liver"}`.
 */
export function namesWith(labels: Labels | undefined, target: string): Labels {
  if (labels === undefined) return { background: 0, [target]: 1, ignore: 2 };
  const entries = Object.entries(labels);
  const byNumber = entries.some(([key, value]) => /^\d+$/.test(key) && typeof value === 'string');
  const names = new Set(byNumber ? Object.values(labels) : Object.keys(labels));
  const numbers = entries.flatMap(([key, value]) => (byNumber ? key : value));
  let next = Math.max(0, ...numbers.map(Number).filter(Number.isFinite)) + 1;
  const added: Record<string, unknown> = {};
  for (const name of [target, 'ignore'])
    if (!names.has(name)) {
      if (byNumber) added[String(next++)] = name;
      else added[name] = next++;
    }
  return { ...labels, ...added };
}
