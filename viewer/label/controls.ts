import type { LabelState } from '../../core/contract/label-page.ts';
import { byId, element } from '../dom.ts';
import type { KeyBinding } from '../keyboard.ts';

export const TOOLS = { b: 'Box', d: 'Brush', e: 'Eraser', f: 'Fill' } as const;
export type Tool = keyof typeof TOOLS;

export function selectTool(tool: Tool): void {
  byId<HTMLInputElement>(`tool-${tool}`).checked = true;
}

export function showTools(tool: Tool, choose: (tool: Tool) => void): void {
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
          change: () => choose(key),
        }),
        element('span', {}, `${TOOLS[key]} `, element('kbd', {}, key)),
      ),
    ),
  );
}

/** A button for each; what it does begins with its name. */
export function showButtons(actions: readonly KeyBinding[]): void {
  byId('actions').append(
    ...actions.map(({ does, shown, act }) =>
      element(
        'button',
        { type: 'button', click: act, title: `Key ${shown}` },
        `${does[0]!.toUpperCase()}${does.slice(1).split(' by ')[0]}`,
      ),
    ),
  );
}

/** What of the data cannot be used: it is not left out in silence. */
export function showUnread(unread: LabelState['unread']): void {
  byId('unread').hidden = unread.length === 0;
  byId('unread-count').textContent = `${unread.length} not read`;
  byId('unread-list').replaceChildren(
    ...unread.map(({ caseId, why }) => element('li', {}, element('b', {}, caseId), ` ${why}`)),
  );
}
