import { hexOf } from '../core/draw/layers.ts';
import { byId, element } from './dom.ts';
import { type LayerKey, VIEW_LAYERS, type ViewLayer, type WindowHu } from './drawn-volumes.ts';
import { FIRST_STATE, type LayerState, type View } from './scene.ts';

export interface WindowPreset {
  readonly name: string;
  readonly windowHu: WindowHu;
}

/** Soft tissue: what eyes are used to, whatever the model sees. */
export const FIRST_WINDOW_HU: WindowHu = [-160, 240];

/** Width and level as radiologists name them; the first is where the page begins. */
export const windowPresets = (bundleHu: WindowHu): readonly WindowPreset[] => [
  { name: 'Soft tissue (W 400, L 40)', windowHu: FIRST_WINDOW_HU },
  { name: 'Liver (W 150, L 90)', windowHu: [15, 165] },
  { name: 'Bone (W 1500, L 400)', windowHu: [-350, 1150] },
  { name: `What the model sees (${bundleHu[0]} to ${bundleHu[1]} HU)`, windowHu: bundleHu },
];

/** `W 350, L 60` */
const windowText = ([low, high]: WindowHu): string =>
  `W ${Math.round(high - low)}, L ${Math.round((low + high) / 2)}`;

const VIEWS: readonly (readonly [View, string])[] = [
  ['axial', 'Axial'],
  ['coronal', 'Coronal'],
  ['sagittal', 'Sagittal'],
  ['planes', 'Planes'],
  ['render', '3D'],
];

export function showViews(choose: (view: View) => void): void {
  byId('views').append(
    ...VIEWS.map(([view, name], at) => {
      const attributes = { type: 'radio', name: 'view', value: view, checked: view === 'axial' };
      const input = element('input', { ...attributes, change: () => choose(view) });
      return element('label', { title: `Key ${at + 1}` }, input, element('span', {}, name));
    }),
  );
}

export function selectView(view: View): void {
  const input = byId('views').querySelector<HTMLInputElement>(`input[value="${view}"]`);
  if (input) input.checked = true;
}

/** Width and level change by this share of the width for a pixel dragged. */
const WINDOW_PER_PX = 1 / 300;
const LEAST_WIDTH_HU = 10;
const MOST_WIDTH_HU = 6000;

/** To the right widens, downwards darkens. */
export function draggedWindow([low, high]: WindowHu, right: number, down: number): WindowHu {
  const perPx = (high - low) * WINDOW_PER_PX;
  const width = Math.max(LEAST_WIDTH_HU, Math.min(MOST_WIDTH_HU, high - low + right * perPx));
  const level = (low + high) / 2 + down * perPx;
  return [level - width / 2, level + width / 2];
}

/** The list of windows, with one more entry for a window set by hand. */
export class WindowControl {
  private readonly presets: readonly WindowPreset[];
  private readonly select = byId<HTMLSelectElement>('window');
  private readonly byHand = element('option', { hidden: true }, '');

  constructor(presets: readonly WindowPreset[], choose: (windowHu: WindowHu) => void) {
    this.presets = presets;
    const options = presets.map(({ name }) => element('option', {}, name));
    this.select.replaceChildren(...options, this.byHand);
    this.select.addEventListener('change', () => {
      const preset = presets[this.select.selectedIndex];
      if (preset) choose(preset.windowHu);
    });
  }

  /** The preset after the chosen one. */
  next(): WindowHu {
    const at = (this.select.selectedIndex + 1) % this.presets.length;
    return this.presets[at]!.windowHu;
  }

  show(windowHu: WindowHu): void {
    const at = this.presets.findIndex(({ windowHu: one }) => one.join() === windowHu.join());
    this.byHand.textContent = `By hand (${windowText(windowHu)})`;
    this.byHand.hidden = at >= 0;
    this.select.selectedIndex = at >= 0 ? at : this.presets.length;
  }
}

/** Masks of other targets have none. */
const KEYS: Readonly<Partial<Record<LayerKey, string>>> = {
  mask: 'm',
  label: 'l',
  other: 't',
  cam: 'c',
};

/** Rows of the layers at hand: on or off, and how much shows through. */
export class LayerControls {
  private readonly boxes = new Map<LayerKey, HTMLInputElement>();

  /** @param present the layers at hand, and what they are called */
  constructor(
    present: ReadonlyMap<LayerKey, string>,
    change: (key: LayerKey, state: LayerState) => void,
  ) {
    const rows = VIEW_LAYERS.filter(({ key }) => present.has(key)).map((layer) =>
      this.row({ ...layer, name: present.get(layer.key)! }, change),
    );
    byId('layer-rows').replaceChildren(...rows);
  }

  toggle(key: LayerKey): void {
    this.boxes.get(key)?.click();
  }

  isOn(key: LayerKey): boolean {
    return this.boxes.get(key)?.checked ?? false;
  }

  has(key: LayerKey): boolean {
    return this.boxes.has(key);
  }

  private row(layer: ViewLayer, change: (key: LayerKey, state: LayerState) => void): HTMLElement {
    const { key } = layer;
    const tell = (): void =>
      change(key, { visible: box.checked, opacity: Number(slider.value) / 100 });
    const box = element('input', {
      type: 'checkbox',
      checked: FIRST_STATE[key].visible,
      change: tell,
    });
    const slider = element('input', {
      type: 'range',
      min: '5',
      max: '100',
      value: String(FIRST_STATE[key].opacity * 100),
      'aria-label': `Opacity of the ${layer.name}`,
      input: tell,
    });
    this.boxes.set(key, box);
    const swatch = element('span', { class: 'swatch', 'aria-hidden': 'true' });
    swatch.style.background = hexOf(layer);
    const letter = KEYS[key] === undefined ? [] : [' ', element('kbd', {}, KEYS[key])];
    const name = element('label', {}, box, swatch, layer.name, ...letter);
    return element('div', { class: 'layer', title: layer.meaning }, name, slider);
  }
}
