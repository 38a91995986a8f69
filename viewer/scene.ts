import { type NiiVueLocation, type Niivue, type NVImage, SLICE_TYPE } from '@niivue/niivue';
import { indexAt, positionOf } from '../core/volume/canonical.ts';
import type { Geometry } from '../core/volume/geometry.ts';
import type { Vector3 } from '../core/volume/matrix3.ts';
import {
  BESIDE_KEYS,
  background,
  CROSS_MM,
  camImage,
  type LayerKey,
  maskImage,
  newNiivue,
} from './drawn-volumes.ts';
import { type InPlane, maskFile } from './layers.ts';
import type { Volume } from './volume.ts';
import type { Place } from './wheel.ts';
import type { WindowHu } from './windows.ts';

export type View = 'axial' | 'coronal' | 'sagittal' | 'planes' | 'render';

/** What is drawn of one case; without an image the mask's grid stands in, black. */
export type CaseVolumes = Readonly<Record<LayerKey | 'image', Volume | null>> & {
  readonly mask: Volume;
};

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
  other: { visible: true, opacity: 0.5 },
  beside0: { visible: true, opacity: 0.5 },
  beside1: { visible: true, opacity: 0.5 },
  beside2: { visible: true, opacity: 0.5 },
  beside3: { visible: true, opacity: 0.5 },
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

/** Masks in the order in which they are laid over the image; the result is on top. */
const MASKS = ['label', ...BESIDE_KEYS, 'other', 'mask'] as const;

/** How far the picture can be enlarged, and how far shrunk. */
const ZOOM_LIMITS = [0.5, 24] as const;

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
  private shading = false;

  private constructor(nv: Niivue, geometry: Geometry, hasImage: boolean, windowHu: WindowHu) {
    this.nv = nv;
    this.geometry = geometry;
    this.hasImage = hasImage;
    this.windowHu = windowHu;
  }

  /** @param geometry the whole volume's, of which `volumes` may be a coarser copy */
  static async open(
    canvas: HTMLCanvasElement,
    geometry: Geometry,
    volumes: CaseVolumes,
    windowHu: WindowHu,
  ): Promise<Scene> {
    const nv = newNiivue();
    await nv.attachToCanvas(canvas, true);
    const scene = new Scene(nv, geometry, volumes.image !== null, windowHu);
    const layers = [await background(volumes.image, volumes.mask, windowHu)];
    for (const key of ['cam', ...MASKS] as const) {
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

  /** Canonical axis through which the plane at a place is stepped; the axial one outside all planes. */
  axisAt({ x, y }: Place): 0 | 1 | 2 {
    const { dpr } = this.nv.uiData;
    const tile = this.nv.screenSlices[this.nv.tileIndex(x * dpr!, y * dpr!)];
    const axes = { [SLICE_TYPE.CORONAL]: 1, [SLICE_TYPE.SAGITTAL]: 0 } as const;
    return axes[tile?.axCorSag as keyof typeof axes] ?? 2;
  }

  /** The canonical index drawn at a place; undefined outside all planes. */
  indexUnder(place: Place): Vector3 | undefined {
    const position = this.positionUnder(place);
    return position && indexAt(this.geometry, position);
  }

  /** Enlarges about a place: what is there stays there. */
  zoom(factor: number, place: Place): void {
    const still = this.positionUnder(place);
    if (!still) return;
    const pan = this.nv.scene.pan2Dxyzmm;
    const [least, most] = ZOOM_LIMITS;
    const zoom = Math.max(least, Math.min(most, pan[3]! * factor));
    for (const axis of [0, 1, 2]) pan[axis]! += still[axis]! * (pan[3]! - zoom);
    pan[3] = zoom;
    this.nv.drawScene();
  }

  pan(from: Place, to: Place): void {
    const [start, end] = [this.positionUnder(from), this.positionUnder(to)];
    if (!start || !end) return;
    const pan = this.nv.scene.pan2Dxyzmm;
    for (const axis of [0, 1, 2]) pan[axis]! += pan[3]! * (end[axis]! - start[axis]!);
    this.nv.drawScene();
  }

  resetZoom(): void {
    this.nv.scene.pan2Dxyzmm = [0, 0, 0, 1];
    this.nv.drawScene();
  }

  private positionUnder({ x, y }: Place): Vector3 | undefined {
    const { dpr } = this.nv.uiData;
    const [right, anterior, superior] = this.nv.screenXY2mm(x * dpr!, y * dpr!);
    return Number.isFinite(right) ? [right!, anterior!, superior!] : undefined;
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
    this.reshade();
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
    for (const key of MASKS) {
      const overlay = this.overlays.get(key);
      if (!overlay) continue;
      const file = maskFile(overlay.volume, this.outline ? axes[this.view] : null);
      const voxels = overlay.image.img!.length;
      overlay.image.img = new Uint8Array(file, file.byteLength - voxels, voxels);
    }
  }

  /** The image alone, once a frame: a window follows the hand also where the layers are large. */
  private reshade(): void {
    if (this.shading) return;
    this.shading = true;
    requestAnimationFrame(() => {
      this.shading = false;
      this.nv.refreshLayers(this.nv.volumes[0]!, 0);
      this.nv.drawScene();
    });
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
