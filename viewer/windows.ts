import { byId, element } from './dom.ts';

export type WindowHu = readonly [low: number, high: number];

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
  { name: `The model’s (${bundleHu[0]} to ${bundleHu[1]} HU)`, windowHu: bundleHu },
];

/** `W 350, L 60` */
const windowText = ([low, high]: WindowHu): string =>
  `W ${Math.round(high - low)}, L ${Math.round((low + high) / 2)}`;

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
