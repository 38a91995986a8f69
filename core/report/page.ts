import { html, SafeHtml } from './html.ts';
import { STYLE } from './style.ts';

/**
 * Forbids everything that is not in the file itself: no script, no request, no form. A hostile file
 * name that got past the escaping still could not run or load anything.
 */
const CONTENT_POLICY =
  "default-src 'none'; img-src data:; style-src 'unsafe-inline'; base-uri 'none'; form-action 'none'";

/** A whole page around the given header and main. */
export function page(title: string, content: SafeHtml): string {
  return html`<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta http-equiv="Content-Security-Policy" content="${CONTENT_POLICY}">
<meta name="viewport" content="width=device-width, initial-scale=1">
<meta name="referrer" content="no-referrer">
<title>${title}</title>
<style>${new SafeHtml(STYLE)}</style>
</head>
<body>
${content}
<footer><strong>Research use only; not a medical device.</strong> The mask is drawn by a model and
has not been checked by a person. Do not use it for diagnosis or treatment.</footer>
</body>
</html>
`.markup;
}
