import { byId, element } from '../dom.ts';
import type { KeyBinding } from '../keyboard.ts';

export const TOOLS = { b: 'Box', d: 'Brush', e: 'Eraser', f: 'Fill' } as const;
export type Tool = keyof typeof TOOLS;

const WINDOWS: readonly (readonly [name: string, low: number, high: number])[] = [
  ['Soft tissue', -160, 240],
  ['Liver', -30, 170],
  ['Lung', -1350, 150],
  ['Bone', -450, 1050],
];

const windowSelect = byId<HTMLSelectElement>('window');

/** What is black and what is white. */
export function windowHu(): readonly [low: number, high: number] {
  const [, low, high] = WINDOWS[windowSelect.selectedIndex]!;
  return [low, high];
}

export function nextWindow(): void {
  windowSelect.selectedIndex = (windowSelect.selectedIndex + 1) % WINDOWS.length;
}

export function selectTool(tool: Tool): void {
  byId<HTMLInputElement>(`tool-${tool}`).checked = true;
}

/** Tools, windows and buttons of the page. */
export function showControls(
  tool: Tool,
  to: {
    choose(tool: Tool): void;
    windowChanged(): void;
    readonly actions: readonly KeyBinding[];
  },
): void {
  byId('tools').append(
    ...(Object.keys(TOOLS) as Tool[]).map((key) =>
      element(
        'label',
        {},
        element('input', {
          type: 'radio',
          name: 'tool',
          id: `tool-${key}`,
          checked: key === tool,
          change: () => to.choose(key),
        }),
        element('span', {}, `${TOOLS[key]} `, element('kbd', {}, key)),
      ),
    ),
  );
  windowSelect.append(...WINDOWS.map(([name]) => element('option', {}, name)));
  windowSelect.addEventListener('change', () => to.windowChanged());
  byId('actions').append(
    ...to.actions.map(({ does, shown, act }) =>
      element(
        'button',
        { type: 'button', click: act, title: `Key ${shown}` },
        `${does[0]!.toUpperCase()}${does.slice(1).split(' by ')[0]}`,
      ),
    ),
  );
}
