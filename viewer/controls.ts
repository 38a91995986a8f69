import { hexOf } from '../core/draw/layers.ts';
import { byId, element } from './dom.ts';
import { type LayerKey, VIEW_LAYERS, type ViewLayer } from './drawn-volumes.ts';
import { FIRST_STATE, type LayerState, type View } from './scene.ts';

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
  private readonly names: ReadonlyMap<LayerKey, string>;

  /** @param present the layers at hand, and what they are called */
  constructor(
    present: ReadonlyMap<LayerKey, string>,
    change: (key: LayerKey, state: LayerState) => void,
  ) {
    this.names = present;
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

  /** As the page calls it. */
  nameOf(key: LayerKey): string {
    return this.names.get(key) ?? key;
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
