import {
  DRAG_MODE,
  MULTIPLANAR_TYPE,
  type NiiVueLocation,
  Niivue,
  NVImage,
  SHOW_RENDER,
  SLICE_TYPE,
} from '@niivue/niivue';
import { LAYERS } from '../core/draw/layers.ts';
import { indexAt, positionOf } from '../core/volume/canonical.ts';
import type { Geometry } from '../core/volume/geometry.ts';
import type { Vector3 } from '../core/volume/matrix3.ts';
import { camFile, type InPlane, maskFile } from './layers.ts';
import { imageFile, niftiFile, type Volume } from './volume.ts';

export type LayerKey = 'mask' | 'cam' | 'label';
export type View = 'axial' | 'coronal' | 'sagittal' | 'planes' | 'render';
export type WindowHu = readonly [low: number, high: number];

/** What is drawn of one case; without an image the mask's grid stands in, black. */
export interface CaseVolumes {
  readonly image: Volume | null;
  readonly mask: Volume;
  readonly cam: Volume | null;
  readonly label: Volume | null;
}

/** Where the reader looks: canonical voxel index, and what the image shows there. */
export interface Look {
  readonly index: Vector3;
  readonly valueHu: number | null;
}

export interface LayerState {
  readonly visible: boolean;
  readonly opacity: number;
}

/** The CAM would hide what the eye should judge first. */
export const FIRST_STATE: Readonly<Record<LayerKey, LayerState>> = {
  mask: { visible: true, opacity: 0.5 },
  label: { visible: true, opacity: 0.5 },
  cam: { visible: false, opacity: 0.45 },
};

interface Overlay {
  readonly image: NVImage;
  readonly volume: Volume;
  state: LayerState;
}

const SLICE_TYPES: Readonly<Record<View, SLICE_TYPE>> = {
  axial: SLICE_TYPE.AXIAL,
  coronal: SLICE_TYPE.CORONAL,
  sagittal: SLICE_TYPE.SAGITTAL,
  planes: SLICE_TYPE.MULTIPLANAR,
  render: SLICE_TYPE.RENDER,
};

/** In three dimensions soft tissue would hide the liver: only bone is drawn around it. */
const BONE_HU: WindowHu = [180, 1200];

const CROSS_MM = 0.8;

/** Below this share of its peak the CAM fades out; the method cuts at the same share. */
const CAM_FADE = 0.2;

/** The drawn case: NiiVue behind the few things that this page does with it. */
export class Scene {
  private readonly nv: Niivue;
  private readonly geometry: Geometry;
  private readonly overlays = new Map<LayerKey, Overlay>();
  private readonly hasImage: boolean;
  private windowHu: WindowHu;
  private view: View = 'axial';
  private outline = true;
  private redrawing = false;

  private constructor(nv: Niivue, geometry: Geometry, hasImage: boolean, windowHu: WindowHu) {
    this.nv = nv;
    this.geometry = geometry;
    this.hasImage = hasImage;
    this.windowHu = windowHu;
  }

  static async open(
    canvas: HTMLCanvasElement,
    volumes: CaseVolumes,
    windowHu: WindowHu,
  ): Promise<Scene> {
    const nv = newNiivue();
    await nv.attachToCanvas(canvas, true);
    const { geometry } = volumes.image ?? volumes.mask;
    const scene = new Scene(nv, geometry, volumes.image !== null, windowHu);
    const layers = [await background(volumes, windowHu)];
    for (const key of ['cam', 'label', 'mask'] as const) {
      const volume = volumes[key];
      if (!volume) continue;
      const image = key === 'cam' ? await camImage(volume) : await maskImage(volume, key);
      scene.overlays.set(key, { image, volume, state: FIRST_STATE[key] });
      layers.push(image);
    }
    scene.drawOutlines();
    scene.applyOpacities();
    // Not one by one: with each, NiiVue would compose all of them anew.
    nv.volumes = layers;
    nv.setVolume(layers[0]!, 0);
    return scene;
  }

  /** Called with every move; the first call comes with the first `lookAt`. */
  onLook(listener: (look: Look) => void): void {
    this.nv.onLocationChange = (location) => {
      const { mm, values } = location as NiiVueLocation;
      const index = indexAt(this.geometry, [mm[0]!, mm[1]!, mm[2]!]);
      listener({
        index: [Math.round(index[0]), Math.round(index[1]), Math.round(index[2])],
        valueHu: this.hasImage ? (values[0]?.value ?? null) : null,
      });
    };
  }

  lookAt(index: Vector3): void {
    const position = positionOf(this.geometry, index);
    this.nv.scene.crosshairPos = this.nv.mm2frac([...position], 0, true);
    this.nv.drawScene();
    this.nv.createOnLocationChange();
  }

  setView(view: View): void {
    this.view = view;
    this.nv.setSliceType(SLICE_TYPES[view]);
    if (view === 'render') this.nv.setRenderAzimuthElevation(160, 10);
    this.applyWindow();
    if (!this.outline) return;
    this.drawOutlines();
    this.redraw();
  }

  setWindow(windowHu: WindowHu): void {
    this.windowHu = windowHu;
    this.applyWindow();
  }

  setLayer(key: LayerKey, state: LayerState): void {
    const overlay = this.overlays.get(key);
    if (!overlay) return;
    overlay.state = state;
    this.redraw();
  }

  setOutline(outline: boolean): void {
    this.outline = outline;
    this.drawOutlines();
    this.redraw();
  }

  setCrosshair(visible: boolean): void {
    this.nv.setCrosshairWidth(visible ? CROSS_MM : 0);
  }

  /** A contour is a thin thing: at the same setting it is drawn twice as strongly as an area. */
  private applyOpacities(): void {
    for (const [key, { image, state }] of this.overlays) {
      const times = this.outline && key !== 'cam' && this.view !== 'render' ? 2 : 1;
      image.opacity = state.visible ? Math.min(1, state.opacity * times) : 0;
    }
  }

  private applyWindow(): void {
    const [background] = this.nv.volumes;
    if (!background || !this.hasImage) return;
    const [low, high] = this.view === 'render' ? BONE_HU : this.windowHu;
    if (background.cal_min === low && background.cal_max === high) return;
    background.cal_min = low;
    background.cal_max = high;
    this.redraw();
  }

  /** In the drawn plane's own axes, so that a contour is one voxel wide in it. */
  private drawOutlines(): void {
    const { storedAxis } = this.geometry.transform;
    const [column, row, slice] = storedAxis;
    const axes: Readonly<Record<View, InPlane | null>> = {
      axial: [column, row],
      coronal: [column, slice],
      sagittal: [row, slice],
      planes: storedAxis,
      render: null,
    };
    for (const key of ['mask', 'label'] as const) {
      const overlay = this.overlays.get(key);
      if (!overlay) continue;
      const file = maskFile(overlay.volume, this.outline ? axes[this.view] : null);
      const voxels = overlay.image.img!.length;
      overlay.image.img = new Uint8Array(file, file.byteLength - voxels, voxels);
    }
  }

  /** All layers are composed anew on the GPU: once a frame, however fast a slider moves. */
  private redraw(): void {
    if (this.redrawing) return;
    this.redrawing = true;
    requestAnimationFrame(() => {
      this.redrawing = false;
      this.applyOpacities();
      this.nv.updateGLVolume();
    });
  }
}

function newNiivue(): Niivue {
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
    dragMode: DRAG_MODE.pan,
    dragAndDropEnabled: false,
    clipPlaneHotKey: '',
    cycleClipPlaneHotKey: '',
    viewModeHotKey: '',
  });
  for (const { key, rgb } of LAYERS) nv.addColormap(`sammix-${key}`, constant(rgb));
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

async function background({ image, mask }: CaseVolumes, windowHu: WindowHu): Promise<NVImage> {
  if (image) return drawable(imageFile(image), 'gray', windowHu);
  const { header, geometry } = mask;
  const empty = new Uint8Array(geometry.shape[0] * geometry.shape[1] * geometry.shape[2]);
  return drawable(niftiFile(header, geometry, empty), 'gray', [0, 1]);
}

const maskImage = (volume: Volume, key: LayerKey): Promise<NVImage> =>
  drawable(maskFile(volume, null), `sammix-${key}`, [0.5, 1]);

async function camImage(volume: Volume): Promise<NVImage> {
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
