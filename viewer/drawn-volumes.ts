import {
  DRAG_MODE,
  MULTIPLANAR_TYPE,
  Niivue,
  NVImage,
  SHOW_RENDER,
  SLICE_TYPE,
} from '@niivue/niivue';
import { LAYERS } from '../core/draw/layers.ts';
import { camFile, maskFile } from './layers.ts';
import { imageFile, niftiFile, type Volume } from './volume.ts';
import type { WindowHu } from './windows.ts';

/** Masks of the case's other targets. */
export const BESIDE_KEYS = ['beside0', 'beside1', 'beside2', 'beside3'] as const;
/** Which of the other targets a layer is of; -1 for a layer of another kind. */
export const besideAt = (key: string): number => (BESIDE_KEYS as readonly string[]).indexOf(key);

export type LayerKey = 'mask' | 'other' | 'cam' | 'label' | (typeof BESIDE_KEYS)[number];

/** A layer as the page names and colours it. */
export interface ViewLayer {
  readonly key: LayerKey;
  readonly name: string;
  readonly meaning: string;
  readonly rgb: readonly [number, number, number];
}

/** A blue that shows on grey tissue, then vermillion and yellow of the reports' set, and a light grey. */
const BESIDE_RGB = [
  [70, 130, 255],
  [213, 94, 0],
  [240, 228, 66],
  [230, 230, 230],
] as const;

/** The reports' layers, and what only the viewer has: a second mask, and those of other targets. */
export const VIEW_LAYERS: readonly ViewLayer[] = [
  ...(['mask', 'label', 'cam'] as const).map((key) => {
    const { name, meaning, rgb } = LAYERS.find((layer) => layer.key === key)!;
    return { key, name, meaning, rgb };
  }),
  { key: 'other', name: 'Other mask', meaning: 'to compare with the result', rgb: [0, 158, 115] },
  ...BESIDE_KEYS.map((key, at) => ({
    key,
    name: 'Another target',
    meaning: 'the result for another target',
    rgb: BESIDE_RGB[at]!,
  })),
];

export const CROSS_MM = 0.8;

/** Below this share of its peak the CAM fades out; the method cuts at the same share. */
const CAM_FADE = 0.2;

export function newNiivue(): Niivue {
  const nv = new Niivue({
    logLevel: 'error',
    loadingText: '',
    // As radiologists look: from the feet, and at sagittal slices from the left.
    isRadiologicalConvention: true,
    sagittalNoseLeft: true,
    backColor: [0, 0, 0, 1],
    crosshairColor: [0.95, 0.9, 0.25, 0.7],
    crosshairWidth: CROSS_MM,
    crosshairWidthUnit: 'mm',
    crosshairGap: 12,
    fontColor: [0.85, 0.88, 0.92, 1],
    sliceType: SLICE_TYPE.AXIAL,
    multiplanarLayout: MULTIPLANAR_TYPE.AUTO,
    multiplanarShowRender: SHOW_RENDER.NEVER,
    multiplanarPadPixels: 4,
    // Hands are the page's own (gestures.ts), but for turning the volume in 3D.
    dragMode: DRAG_MODE.none,
    dragAndDropEnabled: false,
    clipPlaneHotKey: '',
    cycleClipPlaneHotKey: '',
    viewModeHotKey: '',
  });
  for (const { key, rgb } of VIEW_LAYERS) nv.addColormap(`sammix-${key}`, constant(rgb));
  nv.addColormap('sammix-cam', CAM_RAMP);
  return nv;
}

/** Nothing where the voxel is 0, one colour where it is 1. */
const constant = ([r, g, b]: readonly [number, number, number]) => ({
  R: [r, r],
  G: [g, g],
  B: [b, b],
  A: [0, 255],
  I: [0, 255],
});

/** From a dark to a light shade of the CAM's colour in the reports. */
const CAM_RAMP = {
  R: [70, 204, 255],
  G: [20, 121, 240],
  B: [80, 167, 200],
  A: [0, 255, 255],
  I: [0, 150, 255],
};

/** The image; without one the mask's grid stands in, black. */
export async function background(
  image: Volume | null,
  { header, geometry }: Volume,
  windowHu: WindowHu,
): Promise<NVImage> {
  if (image) return drawable(imageFile(image), 'gray', windowHu);
  const empty = new Uint8Array(geometry.shape[0] * geometry.shape[1] * geometry.shape[2]);
  return drawable(niftiFile(header, geometry, empty), 'gray', [0, 1]);
}

export const maskImage = (volume: Volume, key: LayerKey): Promise<NVImage> =>
  drawable(maskFile(volume, null), `sammix-${key}`, [0.5, 1]);

export async function camImage(volume: Volume): Promise<NVImage> {
  const image = await drawable(camFile(volume), 'sammix-cam', [255 * CAM_FADE, 255]);
  // NiiVue's ZERO_TO_MAX_TRANSLUCENT_BELOW_MIN: fades to nothing from cal_min down to 0.
  image.colormapType = 2;
  return image;
}

/** NiiVue takes its options by position, and its type asks for all twenty. */
async function drawable(
  file: ArrayBuffer,
  colormap: string,
  [calMin, calMax]: readonly [number, number],
): Promise<NVImage> {
  const asNifti = NVImage.new as (...options: unknown[]) => Promise<NVImage>;
  return asNifti.call(NVImage, file, 'volume.nii', colormap, 1, null, calMin, calMax);
}
