import type { EvaluatedCase } from '../contract/evaluated-case.ts';
import type { EstimateInterval } from '../contract/evaluation.ts';
import type { ExtendedNumber } from '../contract/panel.ts';
import { html, type Insert } from './html.ts';

/** Stands where a number is not defined. */
export const NONE = '–';

const DIGITS: Readonly<Record<string, number>> = { '': 3, mm: 2, ml: 1, '%': 1 };

/** Decimal places by unit: ratios to three, mm to two, ml and per cent to one. */
export const digitsOf = (unit: string): number => DIGITS[unit] ?? 2;

export type Quantity = ExtendedNumber | null | undefined;

/** With a true minus sign, and without the one of a negative zero. */
export function signed(value: number, digits: number): string {
  const text = value.toFixed(digits);
  return Number(text) === 0 ? text.replace('-', '') : text.replace('-', '−');
}

/** A number with a true minus sign; `∞` where it is infinite, a dash where it is not defined. */
export function numberText(value: Quantity, digits: number): string {
  if (value === null || value === undefined || Number.isNaN(value)) return NONE;
  if (value === 'inf' || value === Number.POSITIVE_INFINITY) return '∞';
  if (value === '-inf' || value === Number.NEGATIVE_INFINITY) return '−∞';
  return signed(value as number, digits);
}

/** The same with the reason of an infinity in words. */
export function numberInsert(value: Quantity, digits: number): Insert {
  const text = numberText(value, digits);
  return text.endsWith('∞')
    ? html`<abbr title="infinite: one of mask and label is empty">${text}</abbr>`
    : text;
}

/** Of one patient, or of several that are all alike, the draws tell nothing. */
export const hasInterval = ({ lower, upper }: EstimateInterval): boolean =>
  lower !== null && upper !== null && lower !== upper;

/** `0.941 [0.931, 0.950]`; the brackets hold the interval over patients. */
export function estimateText(interval: EstimateInterval, digits: number): string {
  const { estimate, lower, upper } = interval;
  const value = numberText(estimate, digits);
  if (value === NONE || !hasInterval(interval)) return value;
  return `${value} [${numberText(lower, digits)}, ${numberText(upper, digits)}]`;
}

/** As `estimateText`, with a plus before what is positive. */
export function differenceText(difference: EstimateInterval, digits: number): string {
  const text = estimateText(difference, digits);
  return (difference.estimate ?? 0) > 0 ? `+${text}` : text;
}

export const percentText = (share: Quantity, digits = 1): string =>
  typeof share === 'number' ? `${numberText(100 * share, digits)} %` : NONE;

/** A change with its sign. */
export const changeText = (value: number, digits: number): string =>
  `${value > 0 && Number(value.toFixed(digits)) !== 0 ? '+' : ''}${numberText(value, digits)}`;

export const pText = (p: number): string =>
  p < 0.001 ? 'p\u00a0<\u00a00.001' : `p\u00a0=\u00a0${p.toFixed(3)}`;

export const unitText = (text: string, unit: string): string =>
  unit === '' || text === NONE ? text : `${text} ${unit}`;

/** `1 case`, `12 cases`. */
export const counted = (count: number, noun: string, plural = `${noun}s`): string =>
  `${count} ${count === 1 ? noun : plural}`;

/** `2026-01-02 03:04 UTC` from an ISO date and time. */
export const timeInsert = (iso: string): Insert =>
  html`<time datetime="${iso}">${iso.slice(0, 16).replace('T', ' ')} UTC</time>`;

/** Long names end in an ellipsis where a plot has no room for them. */
export const shortened = (text: string, most: number): string => {
  const characters = [...text];
  return characters.length <= most ? text : `${characters.slice(0, most - 1).join('')}…`;
};

/** A digest's beginning, as people quote it. */
export const digestText = (digest: string): string => digest.slice(0, 12);

/** Metrics of a case, or nothing where it has none. */
export const metricOf = (
  one: EvaluatedCase,
  name: keyof NonNullable<EvaluatedCase['metrics']>,
): ExtendedNumber | null => one.metrics?.[name] ?? null;

export const capital = (text: string): string => `${text[0]!.toUpperCase()}${text.slice(1)}`;

/** `liver`, `liver and spleen`, `liver, spleen and left kidney`. */
export const wordList = (words: readonly string[]): string =>
  words.length < 2 ? (words[0] ?? '') : `${words.slice(0, -1).join(', ')} and ${words.at(-1)!}`;
