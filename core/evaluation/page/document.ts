import { createHash } from 'node:crypto';
import { html, SafeHtml } from '../../report/html.ts';
import { STYLE } from '../../report/style.ts';
import { SCRIPT } from './script.ts';
import { EVALUATION_STYLE } from './style.ts';

const SCRIPT_DIGEST = createHash('sha256').update(SCRIPT).digest('base64');

/**
 * Forbids everything that is not in the file itself: no request, no form, and no script but the one
 * whose digest is named. A hostile case name that got past the escaping still could not run.
 */
const CONTENT_POLICY =
  "default-src 'none'; img-src data:; style-src 'unsafe-inline'; " +
  `script-src 'sha256-${SCRIPT_DIGEST}'; base-uri 'none'; form-action 'none'`;

/** A whole page around the given header and main. */
export function documentOf(title: string, content: SafeHtml): string {
  return html`<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta http-equiv="Content-Security-Policy" content="${CONTENT_POLICY}">
<meta name="viewport" content="width=device-width, initial-scale=1">
<meta name="referrer" content="no-referrer">
<title>${title}</title>
<style>${new SafeHtml(STYLE)}${new SafeHtml(EVALUATION_STYLE)}</style>
</head>
<body>
<a class="skip" href="#main">Skip to the content</a>
${content}
<footer><strong>Research use only; not a medical device.</strong> The masks are drawn by a model. Do
not use them, or these numbers, for diagnosis or treatment.</footer>
<script>${new SafeHtml(SCRIPT)}</script>
</body>
</html>
`.markup;
}
