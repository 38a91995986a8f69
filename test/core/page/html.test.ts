import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { escapeHtml, html } from '../../../core/page/html.ts';

const decode = (text: string): string =>
  text
    .replaceAll('&lt;', '<')
    .replaceAll('&gt;', '>')
    .replaceAll('&quot;', '"')
    .replaceAll('&#39;', "'")
    .replaceAll('&amp;', '&');

describe('escapeHtml', () => {
  it('leaves no character that could end a text or an attribute, and loses nothing printable', () => {
    fc.assert(
      fc.property(fc.string({ unit: 'grapheme' }), (text) => {
        const escaped = escapeHtml(text);
        expect(escaped).not.toMatch(/[<>"']/);
        expect(decode(escaped)).toBe(
          text.replace(/(?![\t\n])[\p{Cc}\p{Bidi_Control}]/gu, '\ufffd'),
        );
      }),
    );
  });

  it.each([
    ['a control character', 'a\u0000b'],
    ['a right-to-left override', 'a\u202eb'],
    ['half a surrogate pair', 'a\ud800b'],
  ])('shows %s as a replacement character', (_, text) => {
    expect(escapeHtml(text)).toBe('a\ufffdb');
  });
});

describe('html', () => {
  it('escapes what is inserted, but not what it made itself', () => {
    const inner = html`<b title="${'"'}">${'<i>'}</b>`;
    expect(html`<p>${inner}${[1, ' & ', null, false]}</p>`.markup).toBe(
      '<p><b title="&quot;">&lt;i&gt;</b>1 &amp; </p>',
    );
  });
});
