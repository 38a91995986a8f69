import { hexOf, LAYERS } from '../core/draw/layers.ts';
import { byId, element } from './dom.ts';
import { FIRST_STATE, type LayerKey, type LayerState, type View, type WindowHu } from './scene.ts';

export interface WindowPreset {
  readonly name: string;
  readonly windowHu: WindowHu;
}

/** Width and level as radiologists name them; the first is the bundle's own. */
export const windowPresets = (bundleHu: WindowHu): readonly WindowPreset[] => [
  { name: `Model (${bundleHu[0]} to ${bundleHu[1]} HU)`, windowHu: bundleHu },
  { name: 'Soft tissue (W 400, L 40)', windowHu: [-160, 240] },
  { name: 'Liver (W 150, L 90)', windowHu: [15, 165] },
  { name: 'Bone (W 1500, L 400)', windowHu: [-350, 1150] },
];

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

export function showWindows(
  presets: readonly WindowPreset[],
  choose: (windowHu: WindowHu) => void,
): void {
  const select = byId<HTMLSelectElement>('window');
  select.replaceChildren(...presets.map(({ name }) => element('option', {}, name)));
  select.addEventListener('change', () => choose(presets[select.selectedIndex]!.windowHu));
}

const KEYS: Readonly<Record<LayerKey, string>> = { mask: 'm', label: 'l', cam: 'c' };

/** Rows of the layers at hand: on or off, and how much shows through. */
export class LayerControls {
  private readonly boxes = new Map<LayerKey, HTMLInputElement>();

  constructor(present: readonly LayerKey[], change: (key: LayerKey, state: LayerState) => void) {
    const rows = (['mask', 'label', 'cam'] as const)
      .filter((key) => present.includes(key))
      .map((key) => this.row(key, change));
    byId('layer-rows').replaceChildren(...rows);
  }

  toggle(key: LayerKey): void {
    this.boxes.get(key)?.click();
  }

  private row(key: LayerKey, change: (key: LayerKey, state: LayerState) => void): HTMLElement {
    const layer = LAYERS.find((one) => one.key === key)!;
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
    const name = element('label', {}, box, swatch, layer.name, ' ', element('kbd', {}, KEYS[key]));
    return element('div', { class: 'layer', title: layer.meaning }, name, slider);
  }
}
