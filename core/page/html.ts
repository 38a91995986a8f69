/** Markup that is safe to insert as it is. Everything else is escaped where it is inserted. */
export class SafeHtml {
  readonly markup: string;

  constructor(markup: string) {
    this.markup = markup;
  }
}

export type Insert = SafeHtml | string | number | null | undefined | false | readonly Insert[];

const ENTITIES: Readonly<Record<string, string>> = {
  '&': '&amp;',
  '<': '&lt;',
  '>': '&gt;',
  '"': '&quot;',
  "'": '&#39;',
};

/**
 * Control characters, which HTML forbids, and bidirectional overrides, with which a file name can
 * make the text after it read backwards.
 */
export const UNPRINTABLE = /(?![\t\n])[\p{Cc}\p{Cs}\p{Bidi_Control}\p{Noncharacter_Code_Point}]/gu;

/** Text as HTML text or as a quoted attribute's value. */
export const escapeHtml = (text: string): string =>
  text
    .replace(UNPRINTABLE, '\ufffd')
    .replace(/[&<>"']/g, (character) => ENTITIES[character] ?? character);

function render(insert: Insert): string {
  if (insert instanceof SafeHtml) return insert.markup;
  if (insert === null || insert === undefined || insert === false) return '';
  if (typeof insert === 'string') return escapeHtml(insert);
  if (typeof insert === 'number') return String(insert);
  return insert.map(render).join('');
}

/** A template whose inserted values are escaped unless they come from this template themselves. */
export function html(parts: TemplateStringsArray, ...inserts: readonly Insert[]): SafeHtml {
  const rendered = inserts.map(render);
  return new SafeHtml(parts.map((part, n) => part + (rendered[n] ?? '')).join(''));
}
