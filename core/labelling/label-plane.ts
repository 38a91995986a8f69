/** What the numbers of a label file mean while one target is drawn. */
export interface DrawnValues {
  readonly target: number;
  /** Of voxels that nobody has labelled. */
  readonly ignore: number;
}

/**
 * Writes what a person drew on one slice into the slice of a label file: the whole slice is labelled then. Voxels of
 * other classes keep theirs, whatever was drawn over them.
 *
 * @param plane the label's values, rows x columns; changed
 * @param mask 0 or 1, rows x columns
 */
export function drawInto(
  plane: Uint8Array,
  mask: Uint8Array,
  { target, ignore }: DrawnValues,
): void {
  for (let at = 0; at < plane.length; at++) {
    const value = plane[at]!;
    if (value !== 0 && value !== target && value !== ignore) continue;
    plane[at] = mask[at] ? target : 0;
  }
}

/** Kinds of voxels as the page is told of them. */
export const VOXEL = { background: 0, target: 1, ignore: 2, other: 3 } as const;

/** A slice of a label file in the page's kinds. */
export const kindsOf = (plane: Uint8Array, { target, ignore }: DrawnValues): Uint8Array =>
  plane.map((value) => {
    if (value === 0) return VOXEL.background;
    if (value === target) return VOXEL.target;
    return value === ignore ? VOXEL.ignore : VOXEL.other;
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
