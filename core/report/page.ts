import { createHash } from 'node:crypto';
import { html, SafeHtml } from './html.ts';
import { STYLE } from './style.ts';

export interface PageParts {
  /** What the foot of the page warns of, after the notice of research use. */
  readonly caution: string;
  /** Added to the style that all pages share. */
  readonly style?: string;
  readonly script?: string;
}

/** A whole page around the given content. */
export function page(title: string, content: SafeHtml, parts: PageParts): string {
  const { caution, style = '', script } = parts;
  return html`<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta http-equiv="Content-Security-Policy" content="${contentPolicy(script)}">
<meta name="viewport" content="width=device-width, initial-scale=1">
<meta name="referrer" content="no-referrer">
<title>${title}</title>
<style>${new SafeHtml(STYLE + style)}</style>
</head>
<body>
${content}
<footer><strong>Research use only; not a medical device.</strong> ${caution}</footer>
${script !== undefined && html`<script>${new SafeHtml(script)}</script>\n`}</body>
</html>
`.markup;
}

/**
 * Forbids everything that is not in the file itself: no request, no form, and no script but the one
 * whose digest is named. A hostile name that got past the escaping still could not run.
 */
function contentPolicy(script: string | undefined): string {
  return [
    "default-src 'none'",
    'img-src data:',
    "style-src 'unsafe-inline'",
    ...(script === undefined ? [] : [`script-src 'sha256-${digestOf(script)}'`]),
    "base-uri 'none'",
    "form-action 'none'",
  ].join('; ');
}

const digestOf = (script: string): string => createHash('sha256').update(script).digest('base64');
