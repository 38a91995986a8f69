import type { ViewCase, ViewVolume } from '../core/contract/view.ts';
import { DTYPES } from '../core/volume/dtype.ts';
import { assertSameGrid } from '../core/volume/lattice.ts';
import { BESIDE_KEYS, besideAt, type LayerKey } from './drawn-volumes.ts';
import type { Segmented } from './viewer.ts';
import { fetchVolume, halvedInPlane, type Volume, voxelsOf } from './volume.ts';

export type Loaded = Record<LayerKey | 'image', Volume | null>;

const KEYS = ['image', 'mask', 'cam', 'label', 'other', ...BESIDE_KEYS] as const;
type Key = (typeof KEYS)[number];

/** A case, and which of its masks to compare with is laid over the result. */
export interface Chosen {
  readonly shown: ViewCase;
  readonly other: number;
}

/** Masks of further targets than there are colours for are not shown. */
const sourceOf = ({ shown, other }: Chosen, key: Key): ViewVolume | null => {
  const at = besideAt(key);
  if (at >= 0) return shown.beside?.[at] ?? null;
  if (key === 'other') return shown.others?.[other] ?? null;
  return shown[key as Exclude<Key, 'other' | (typeof BESIDE_KEYS)[number]>];
};

/**
 * All volumes of a case at once: the browser shares the line between them.
 *
 * @param tell called with the share that has come, 0 to 1, and the bytes
 */
export async function loadVolumes(
  chosen: Chosen,
  report: Segmented,
  tell: (share: number, bytes: number) => void,
): Promise<Loaded> {
  const expected = expectedBytes(report);
  const received = new Map<string, readonly [got: number, of: number]>();
  for (const key of KEYS) if (sourceOf(chosen, key)) received.set(key, [0, expected[key]]);
  const loaded = Object.fromEntries(KEYS.map((key) => [key, null])) as Loaded;
  const load = async (key: Key): Promise<void> => {
    const source = sourceOf(chosen, key);
    if (!source) return;
    loaded[key] = await fetchVolume(source, (got, total) => {
      received.set(key, [got, Math.max(got, total ?? expected[key])]);
      const [sum, of] = [...received.values()].reduce(([a, b], [c, d]) => [a + c, b + d]);
      tell(sum / Math.max(1, of), sum);
    });
  };
  await Promise.all(KEYS.map(load));
  return loaded;
}

/** Of plain files, as a laptop sends them, which says no length. */
function expectedBytes({ geometry }: Segmented): Record<Key, number> {
  const voxels = geometry.shape.reduce((count, size) => count * size, 1);
  const { bytes } = DTYPES[geometry.dtype as keyof typeof DTYPES];
  const masks = Object.fromEntries(KEYS.map((key) => [key, voxels])) as Record<Key, number>;
  return { ...masks, image: voxels * bytes, cam: voxels / 500 };
}

/** The volume where it lies on the mask's grid; otherwise nothing, and a hint why. */
export function onGridOf(mask: Volume, volume: Volume | null, hints: string[]): Volume | null {
  if (!volume) return null;
  const placed = (one: Volume) => ({ subject: one.name, geometry: one.geometry });
  try {
    assertSameGrid(placed(mask), placed(volume));
    return volume;
  } catch (error) {
    hints.push(`Not shown: ${(error as Error).message}`);
    return null;
  }
}

/** What a graphics card is asked to hold: 512 x 512 x 512 voxels are about 2 GB of it. */
const MOST_VOXELS = 512 ** 3;

export interface CardLimits {
  /** Longest side of a 3-D texture. */
  readonly sideVoxels: number;
  readonly voxels: number;
}

export const cardLimits = (gl: WebGL2RenderingContext): CardLimits => ({
  sideVoxels: gl.getParameter(gl.MAX_3D_TEXTURE_SIZE) as number,
  voxels: MOST_VOXELS,
});

/** The volumes as the card can hold them: halved along columns and rows as often as it takes. */
export function fitted(
  volumes: Omit<Loaded, 'mask'> & { readonly mask: Volume },
  { sideVoxels, voxels }: CardLimits,
  hints: string[],
): typeof volumes {
  let [fits, times] = [volumes, 1];
  const tooLarge = ({ mask }: typeof volumes): boolean =>
    voxelsOf(mask) > voxels || Math.max(...inPlaneOf(mask)) > sideVoxels;
  while (tooLarge(fits) && Math.min(...inPlaneOf(fits.mask)) > 32) {
    const half = (one: Volume | null): Volume | null => one && halvedInPlane(one);
    const halved = Object.fromEntries(
      KEYS.map((key) => [key, key === 'cam' ? fits.cam : half(fits[key])]),
    ) as Loaded;
    fits = { ...halved, mask: halved.mask! };
    times *= 2;
  }
  if (times > 1) {
    const size = volumes.mask.geometry.shape.join(' × ');
    hints.push(
      `Drawn at 1/${times} of its resolution in the plane: ${size} voxels are more than a graphics card is asked to hold. The numbers are of the whole volume.`,
    );
  }
  return fits;
}

const inPlaneOf = ({ geometry: { grid } }: Volume): [number, number] => [grid.columns, grid.rows];
