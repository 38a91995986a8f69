import type { ViewedReport } from '../core/contract/view.ts';
import { letterboxFor } from '../core/slice/letterbox.ts';
import type { Geometry } from '../core/volume/geometry.ts';
import type { Vector3 } from '../core/volume/matrix3.ts';
import {
  LayerControls,
  selectView,
  showViews,
  showWindows,
  type WindowPreset,
  windowPresets,
} from './controls.ts';
import { byId } from './dom.ts';
import { flaggedSlices, showFlags } from './flags.ts';
import { type KeyBinding, listenToKeys } from './keyboard.ts';
import { boxCentre } from './layers.ts';
import type { LayerKey, Look, Scene, View } from './scene.ts';
import { SliceStrip } from './strip.ts';

export type Segmented = Extract<ViewedReport, { status: 'segmented' }>;

/** Canonical axis that a view steps through. */
const AXIS: Readonly<Record<View, 0 | 1 | 2>> = {
  axial: 2,
  coronal: 1,
  sagittal: 0,
  planes: 2,
  render: 2,
};

const PLANES = ['sagittal', 'coronal', 'axial'] as const;

/** The page's state: where the reader looks, and how. */
export class Viewer {
  private readonly scene: Scene;
  private readonly report: Segmented;
  private readonly geometry: Geometry;
  private readonly flagged: readonly number[];
  private readonly presets: readonly WindowPreset[];
  private readonly layers: LayerControls;
  private readonly strip: SliceStrip;
  private readonly slider = byId<HTMLInputElement>('slice');
  private readonly moved: (slice: number) => void;
  private view: View = 'axial';
  private index: Vector3;
  private valueHu: number | null = null;
  private crosshair = true;

  constructor(
    scene: Scene,
    report: Segmented,
    geometry: Geometry,
    present: readonly LayerKey[],
    moved: (slice: number) => void,
  ) {
    this.scene = scene;
    this.report = report;
    this.geometry = geometry;
    this.moved = moved;
    const { columns, rows, slices } = geometry.grid;
    this.index = [columns >> 1, rows >> 1, slices >> 1];
    this.flagged = flaggedSlices(report.flags);
    this.presets = windowPresets(report.bundle.windowHu);
    this.layers = new LayerControls(present, (key, state) => scene.setLayer(key, state));
    this.strip = new SliceStrip(report.slices, this.flagged, (slice) => this.stepTo(slice, 2));
    showViews((view) => this.setView(view));
    showWindows(this.presets, (windowHu) => scene.setWindow(windowHu));
    showFlags(report.flags, (slice) => this.goToFlag(slice));
    byId<HTMLInputElement>('outline').addEventListener('change', (event) =>
      scene.setOutline((event.target as HTMLInputElement).checked),
    );
    this.slider.addEventListener('input', () =>
      this.stepTo(Number(this.slider.value), AXIS[this.view]),
    );
    scene.onLook((look) => this.looked(look));
    listenToKeys(this.bindings());
    this.setView('axial');
  }

  /** Goes to an axial slice, in the plane to the middle of the box that prompted SAM there. */
  goToSlice(slice: number): void {
    const box = this.report.slices[slice]?.box;
    const { grid } = this.geometry;
    const letterbox = letterboxFor(grid, this.report.bundle.sliceSizePx);
    const [column, row] = box ? boxCentre(box, letterbox, grid) : this.index;
    this.lookAt([Math.round(column), Math.round(row), slice]);
  }

  private goToFlag(slice: number): void {
    if (this.view !== 'axial' && this.view !== 'planes') this.setView('axial');
    this.goToSlice(slice);
  }

  private nextFlag(direction: 1 | -1): void {
    const here = this.index[2];
    const ahead = this.flagged.filter((slice) => (slice - here) * direction > 0);
    const next = direction > 0 ? ahead[0] : ahead.at(-1);
    if (next !== undefined) this.goToFlag(next);
  }

  private setView(view: View): void {
    if (view !== this.view) this.scene.setView(view);
    this.view = view;
    selectView(view);
    this.slider.max = String(this.count(AXIS[view]) - 1);
    byId('strip').hidden = AXIS[view] !== 2;
    this.lookAt(this.index);
  }

  private step(by: number): void {
    const axis = AXIS[this.view];
    this.stepTo(this.index[axis] + by, axis);
  }

  private stepTo(slice: number, axis: 0 | 1 | 2): void {
    const to: [number, number, number] = [...this.index];
    to[axis] = slice;
    this.lookAt(to);
  }

  private lookAt(index: Vector3): void {
    const within = (axis: 0 | 1 | 2): number =>
      Math.max(0, Math.min(this.count(axis) - 1, index[axis]));
    this.scene.lookAt([within(0), within(1), within(2)]);
  }

  private looked({ index, valueHu }: Look): void {
    this.index = index;
    this.valueHu = valueHu;
    const axis = AXIS[this.view];
    const plane = PLANES[axis];
    this.slider.value = String(index[axis]);
    byId('slice-name').textContent = `${plane[0]!.toUpperCase()}${plane.slice(1)} slice`;
    this.strip.show(index[2]);
    byId('readout').textContent = this.readout();
    byId('canvas').setAttribute('aria-label', `CT, ${this.view} view, ${this.readout()}`);
    this.moved(index[2]);
  }

  private readout(): string {
    const axis = AXIS[this.view];
    const record = axis === 2 ? this.report.slices[this.index[2]] : undefined;
    const { column, row } = this.geometry.grid.spacingMm;
    const parts = [
      `slice ${this.index[axis]} of 0–${this.count(axis) - 1}`,
      record && `P(liver) ${record.probability.toFixed(2)}`,
      record && `drawn ${((record.maskVoxels * column * row) / 100).toFixed(1)} cm²`,
      this.valueHu === null ? null : `${Math.round(this.valueHu)} HU at the cross`,
    ];
    return parts.filter(Boolean).join(' · ');
  }

  private count(axis: 0 | 1 | 2): number {
    const { columns, rows, slices } = this.geometry.grid;
    return [columns, rows, slices][axis]!;
  }

  private cycleWindow(): void {
    const select = byId<HTMLSelectElement>('window');
    select.selectedIndex = (select.selectedIndex + 1) % this.presets.length;
    this.scene.setWindow(this.presets[select.selectedIndex]!.windowHu);
  }

  private toggleCrosshair(): void {
    this.crosshair = !this.crosshair;
    this.scene.setCrosshair(this.crosshair);
  }

  private bindings(): KeyBinding[] {
    const layer = (key: LayerKey, letter: string, name: string): KeyBinding => ({
      keys: [letter],
      shown: letter,
      does: `${name} on or off`,
      act: () => this.layers.toggle(key),
    });
    const step = (keys: string[], shown: string, does: string, by: number): KeyBinding => ({
      keys,
      shown,
      does,
      act: () => this.step(by),
    });
    const views: readonly View[] = ['axial', 'coronal', 'sagittal', 'planes', 'render'];
    return [
      step(['ArrowUp', 'ArrowRight'], '↑ →', 'next slice (towards the head)', 1),
      step(['ArrowDown', 'ArrowLeft'], '↓ ←', 'previous slice', -1),
      step(['PageUp'], 'Page ↑', 'ten slices on', 10),
      step(['PageDown'], 'Page ↓', 'ten slices back', -10),
      { keys: ['n'], shown: 'n', does: 'next flagged slice', act: () => this.nextFlag(1) },
      { keys: ['p'], shown: 'p', does: 'previous flagged slice', act: () => this.nextFlag(-1) },
      layer('mask', 'm', 'mask'),
      layer('label', 'l', 'label'),
      layer('cam', 'c', 'CAM'),
      { keys: ['o'], shown: 'o', does: 'contours or areas', act: () => byId('outline').click() },
      { keys: ['w'], shown: 'w', does: 'next window', act: () => this.cycleWindow() },
      { keys: ['x'], shown: 'x', does: 'cross on or off', act: () => this.toggleCrosshair() },
      ...views.map((view, at) => ({
        keys: [String(at + 1)],
        shown: String(at + 1),
        does: view === 'render' ? '3D' : `${view} view`,
        act: () => this.setView(view),
      })),
    ];
  }
}
