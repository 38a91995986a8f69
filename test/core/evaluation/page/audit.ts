/**
 * Accessibility checks that run inside the page. They are text because the repository's types know no
 * browser; each yields what is wrong, so that an empty list means that all is well.
 */

/** Elements without a name, repeated ids, headings that skip a level, controls without a label. */
export const STRUCTURE_FAULTS = `(() => {
  const faults = [];
  const nameOf = (element, fromContent) => {
    const ids = (element.getAttribute('aria-labelledby') || '').split(' ').filter(Boolean);
    const labelled = ids.map((id) => document.getElementById(id)?.textContent ?? '').join(' ');
    const label = element.labels ? [...element.labels].map((one) => one.textContent).join(' ') : '';
    return (labelled || element.getAttribute('aria-label') || element.getAttribute('alt') || label ||
      (fromContent && element.textContent) || '').trim();
  };
  const describe = (element) => element.outerHTML.slice(0, 90);
  const fault = (what, element) => faults.push(what + ': ' + describe(element));
  for (const image of document.querySelectorAll('img')) if (!image.alt.trim()) fault('no alt', image);
  for (const image of document.querySelectorAll('[role=img]')) {
    if (!nameOf(image)) fault('image without a name', image);
    if (!document.getElementById(image.getAttribute('aria-describedby'))) fault('no description', image);
  }
  for (const svg of document.querySelectorAll('svg')) {
    if (svg.getAttribute('aria-hidden') !== 'true' && !nameOf(svg)) fault('svg without a name', svg);
  }
  for (const control of document.querySelectorAll('a, button, input, select, summary, [role=region], nav')) {
    if (!nameOf(control, control.matches('a, button, summary'))) fault('control without a name', control);
  }
  for (const section of document.querySelectorAll('section')) {
    if (!nameOf(section)) fault('section without a name', section);
  }
  for (const link of document.querySelectorAll('a[href^="#"]')) {
    if (!document.getElementById(link.hash.slice(1))) fault('link to nowhere', link);
  }
  for (const table of document.querySelectorAll('table')) {
    if (!table.caption?.textContent.trim()) fault('table without a caption', table);
    if (!table.querySelector('thead th[scope=col]')) fault('table without column headings', table);
    for (const row of table.tBodies[0].rows) {
      if (row.cells[0].scope !== 'row') { fault('row without a heading', row); break; }
    }
  }
  const ids = [...document.querySelectorAll('[id]')].map(({ id }) => id);
  for (const id of ids) if (ids.indexOf(id) !== ids.lastIndexOf(id)) faults.push('repeated id ' + id);
  let level = 0;
  for (const heading of document.querySelectorAll('h1, h2, h3, h4')) {
    const next = Number(heading.tagName[1]);
    if (next > level + 1) fault('heading skips a level', heading);
    level = next;
  }
  if (document.querySelectorAll('h1').length !== 1) faults.push('not one h1');
  for (const name of ['header', 'main', 'footer', 'nav']) {
    if (document.querySelectorAll('body > ' + name).length !== 1) faults.push('not one ' + name);
  }
  if (!document.documentElement.lang) faults.push('no language');
  return faults;
})()`;

/** Texts below the contrast of WCAG 2.2 AA: 4.5 to 1, large ones 3 to 1. */
export const CONTRAST_FAULTS = `(() => {
  const parse = (text) => {
    const numbers = (text.match(/[\\d.]+/g) || []).map(Number);
    return { rgb: numbers.slice(0, 3), alpha: numbers.length > 3 ? numbers[3] : 1 };
  };
  const luminance = (rgb) => {
    const [r, g, b] = rgb.map((value) => {
      const share = value / 255;
      return share <= 0.04045 ? share / 12.92 : ((share + 0.055) / 1.055) ** 2.4;
    });
    return 0.2126 * r + 0.7152 * g + 0.0722 * b;
  };
  const mix = (front, back, alpha) => front.map((value, n) => alpha * value + (1 - alpha) * back[n]);
  const backgroundOf = (element) => {
    for (let at = element; at; at = at.parentElement) {
      const { rgb, alpha } = parse(getComputedStyle(at).backgroundColor);
      if (alpha === 1 && rgb.length === 3) return rgb;
    }
    return [255, 255, 255];
  };
  const texts = document.createTreeWalker(document.body, NodeFilter.SHOW_TEXT);
  const seen = new Map();
  while (texts.nextNode()) {
    const element = texts.currentNode.parentElement;
    if (!texts.currentNode.textContent.trim() || element.closest('script, .unseen')) continue;
    if (!element.checkVisibility()) continue;
    const style = getComputedStyle(element);
    const drawn = element.closest('svg') !== null;
    const back = backgroundOf(element);
    const { rgb, alpha } = parse(drawn ? style.fill : style.color);
    const opacity = alpha * Number(drawn ? style.fillOpacity : 1) * Number(style.opacity);
    const [light, dark] = [luminance(mix(rgb, back, opacity)), luminance(back)].sort((a, b) => b - a);
    const ratio = (light + 0.05) / (dark + 0.05);
    const size = parseFloat(style.fontSize);
    const large = size >= 24 || (size >= 18.66 && Number(style.fontWeight) >= 700);
    if (ratio < (large ? 3 : 4.5)) {
      seen.set(element.tagName + ' ' + element.className + ' ' + rgb + ' on ' + back,
        ratio.toFixed(2) + ' ' + texts.currentNode.textContent.trim().slice(0, 40));
    }
  }
  return [...seen].map((entry) => entry.join(': '));
})()`;

/** How far the page is wider than the window, and what sticks out of a box that does not scroll. */
export const OVERFLOW_PX = `document.documentElement.scrollWidth - document.documentElement.clientWidth`;
