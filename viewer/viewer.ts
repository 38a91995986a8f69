import { targetOf } from '../core/contract/bundle.ts';
import { maskVoxelsPerSlice } from '../core/contract/report.ts';
import type { ViewedReport } from '../core/contract/view.ts';
import { letterboxFor } from '../core/slice/letterbox.ts';
import type { Geometry } from '../core/volume/geometry.ts';
import type { Vector3 } from '../core/volume/matrix3.ts';
import { LayerControls, selectView, showViews } from './controls.ts';
import { byId } from './dom.ts';
import type { LayerKey } from './drawn-volumes.ts';
import { flaggedSlices, showFlags } from './flags.ts';
import { Gestures, type Hands } from './gestures.ts';
import { type KeyBinding, listenToKeys } from './keyboard.ts';
import { boxCentre } from './layers.ts';
import type { Look, Scene, View } from './scene.ts';
import { SliceStrip } from './strip.ts';
import type { Place } from './wheel.ts';
import {
  draggedWindow,
  FIRST_WINDOW_HU,
  WindowControl,
  type WindowHu,
  windowPresets,
} from './windows.ts';

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

/** What the page around the picture does. */
export interface Surroundings {
  /** Called with every axial slice that is shown. */
  moved(slice: number): void;
  /** Says a line to the reader; an empty one says nothing. */
  say(text: string): void;
  /** Opens the next or the previous case of the list. */
  openCase(direction: 1 | -1): void;
}

/** The page's state: where the reader looks, and how. */
export class Viewer {
  private readonly scene: Scene;
  private readonly report: Segmented;
  private readonly geometry: Geometry;
  private readonly flagged: readonly number[];
  private readonly voxelsPerSlice: readonly number[];
  private readonly window: WindowControl;
  private readonly layers: LayerControls;
  private readonly strip: SliceStrip;
  private readonly slider = byId<HTMLInputElement>('slice');
  private readonly around: Surroundings;
  private view: View = 'axial';
  private index: Vector3;
  private valueHu: number | null = null;
  private crosshair = true;
  private windowHu: WindowHu = FIRST_WINDOW_HU;

  constructor(
    scene: Scene,
    report: Segmented,
    geometry: Geometry,
    present: ReadonlyMap<LayerKey, string>,
    around: Surroundings,
  ) {
    this.scene = scene;
    this.report = report;
    this.geometry = geometry;
    this.around = around;
    const { columns, rows, slices } = geometry.grid;
    this.index = [columns >> 1, rows >> 1, slices >> 1];
    this.voxelsPerSlice = maskVoxelsPerSlice(report);
    this.flagged = flaggedSlices(report.flags);
    // The last is what the model saw, where there was one.
    const presets = windowPresets(report.bundle.windowHu).slice(
      0,
      report.madeElsewhere ? -1 : undefined,
    );
    this.window = new WindowControl(presets, (windowHu) => this.setWindow(windowHu));
    this.layers = new LayerControls(present, (key, state) => scene.setLayer(key, state));
    this.strip = new SliceStrip(this.voxelsPerSlice, this.flagged, (slice) =>
      this.stepTo(slice, 2),
    );
    showViews((view) => this.setView(view));
    showFlags(report, (slice) => this.goToFlag(slice));
    byId<HTMLInputElement>('outline').addEventListener('change', (event) =>
      scene.setOutline((event.target as HTMLInputElement).checked),
    );
    byId('reset').addEventListener('click', () => this.reset());
    this.slider.addEventListener('input', () =>
      this.stepTo(Number(this.slider.value), AXIS[this.view]),
    );
    scene.onLook((look) => this.looked(look));
    new Gestures(byId('canvas'), byId('drawing'), this.hands());
    listenToKeys(this.bindings());
    this.setView('axial');
  }

  private hands(): Hands {
    return {
      inSlices: () => this.view !== 'render',
      scroll: (steps, at) => {
        const axis = this.view === 'planes' ? this.scene.axisAt(at) : AXIS[this.view];
        // Rows are counted from anterior to posterior, columns from right to left.
        this.stepTo(this.index[axis] + (axis === 1 ? -steps : steps), axis);
      },
      zoom: (factor, at) => this.scene.zoom(factor, at),
      pan: (from, to) => this.scene.pan(from, to),
      changeWindow: (right, down) => this.setWindow(draggedWindow(this.windowHu, right, down)),
      look: (at) => this.lookUnder(at),
    };
  }

  private lookUnder(at: Place): void {
    const under = this.scene.indexUnder(at);
    if (!under) return;
    const to = [Math.round(under[0]), Math.round(under[1]), Math.round(under[2])] as const;
    // What is clicked lies in the plane that is shown: only its own two axes move.
    const axis = this.view === 'planes' ? null : AXIS[this.view];
    const kept = (n: 0 | 1 | 2): number => (n === axis ? this.index[n] : to[n]);
    this.lookAt([kept(0), kept(1), kept(2)]);
  }

  private setWindow(windowHu: WindowHu): void {
    this.windowHu = windowHu;
    this.window.show(windowHu);
    this.scene.setWindow(windowHu);
  }

  /** The whole picture in the window with which the page begins. */
  private reset(): void {
    this.scene.resetZoom();
    this.setWindow(FIRST_WINDOW_HU);
    this.around.say('');
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
    const round = direction > 0 ? this.flagged[0] : this.flagged.at(-1);
    const which = direction > 0 ? 'first' : 'last';
    if (round === undefined) this.around.say('No slice is flagged.');
    else {
      this.around.say(next === undefined ? `Round again: the ${which} flagged slice.` : '');
      this.goToFlag(next ?? round);
    }
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
    this.around.moved(index[2]);
  }

  private readout(): string {
    const axis = AXIS[this.view];
    const record = axis === 2 ? this.report.slices[this.index[2]] : undefined;
    const { column, row } = this.geometry.grid.spacingMm;
    const voxels = this.voxelsPerSlice[this.index[2]] ?? 0;
    const parts = [
      `slice ${this.index[axis]} of 0–${this.count(axis) - 1}`,
      record && `P(${targetOf(this.report.bundle)}) ${record.probability.toFixed(2)}`,
      axis === 2 && `mask ${((voxels * column * row) / 100).toFixed(1)} cm²`,
      this.valueHu === null
        ? null
        : `${Math.round(this.valueHu)} HU at the cross`.replace('-', '−'),
    ];
    return parts.filter(Boolean).join(' · ');
  }

  private count(axis: 0 | 1 | 2): number {
    const { columns, rows, slices } = this.geometry.grid;
    return [columns, rows, slices][axis]!;
  }

  /** Shows one of the two masks instead of the other, the label where there is no other mask. */
  private flicker(): void {
    const rival = this.layers.has('other') ? 'other' : 'label';
    if (!this.layers.has(rival)) this.around.say('There is one mask: nothing to flicker to.');
    else {
      const both = this.layers.isOn('mask') === this.layers.isOn(rival);
      if (!both) this.layers.toggle('mask');
      this.layers.toggle(rival);
      this.around.say(`Shown: ${this.layers.nameOf(this.layers.isOn('mask') ? 'mask' : rival)}.`);
    }
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
      layer('other', 't', 'other mask'),
      layer('cam', 'c', 'CAM'),
      { keys: ['f'], shown: 'f', does: 'flicker between two masks', act: () => this.flicker() },
      { keys: ['o'], shown: 'o', does: 'contours or areas', act: () => byId('outline').click() },
      {
        keys: ['w'],
        shown: 'w',
        does: 'next window',
        act: () => this.setWindow(this.window.next()),
      },
      { keys: ['r'], shown: 'r', does: 'reset zoom and window', act: () => this.reset() },
      { keys: ['j'], shown: 'j', does: 'next case', act: () => this.around.openCase(1) },
      { keys: ['k'], shown: 'k', does: 'previous case', act: () => this.around.openCase(-1) },
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
