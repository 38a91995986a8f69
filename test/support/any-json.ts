import fc from 'fast-check';
import type * as z from 'zod';

/** Numbers that have broken writers: the largest, the smallest, zeros, counts beyond 32 and 53 bits. */
const HOSTILE_NUMBERS = [
  0,
  -0,
  1,
  -1,
  0.1,
  5e-324,
  1e-300,
  1e308,
  -1e308,
  Number.MAX_VALUE,
  2 ** 31,
  2 ** 32,
  2 ** 53,
  1e21,
  123456789.12345679,
];
const HOSTILE_COUNTS = [0, 1, 16, 2 ** 31 - 1, 2 ** 31, 2 ** 32, Number.MAX_SAFE_INTEGER];
/** Ends of lines, of scripts and of strings, control characters, halves of pairs, other directions. */
const HOSTILE_TEXTS = [
  '',
  '\0',
  '"\\',
  '</script><img onerror=1>',
  '\u2028\u2029\r\n',
  '\u202eabc',
  '\ud83d\ude00 肝臓',
  '=cmd()',
  '__proto__',
  'NaN',
  'Infinity',
  '\x1b[31m',
];

interface Definition {
  readonly type: string;
  readonly [name: string]: unknown;
}

const definitionOf = (schema: z.core.$ZodType): Definition =>
  schema._zod.def as unknown as Definition;

/** Values of a schema's form, of hostile numbers and texts where it leaves a choice. */
export function anyOf(schema: z.core.$ZodType): fc.Arbitrary<unknown> {
  const def = definitionOf(schema);
  const inner = (): fc.Arbitrary<unknown> => anyOf(def.innerType as z.core.$ZodType);
  switch (def.type) {
    case 'object':
      return anyObject(def.shape as Record<string, z.core.$ZodType>);
    case 'array':
      return anyArray(schema, anyOf(def.element as z.core.$ZodType));
    case 'tuple':
      return fc.tuple(...(def.items as z.core.$ZodType[]).map(anyOf));
    case 'record':
      return anyRecord(def.keyType as z.core.$ZodType, anyOf(def.valueType as z.core.$ZodType));
    case 'union':
      return fc.oneof(...(def.options as z.core.$ZodType[]).map(anyOf));
    case 'nullable':
      return fc.option(inner(), { nil: null });
    case 'optional':
    case 'readonly':
    case 'default':
    case 'prefault':
    case 'nonoptional':
      return inner();
    case 'pipe':
      // A name that becomes part of a key: what may not is refused.
      return fc
        .oneof(fc.constantFrom('liver', 'd.1+2_x'), anyOf(def.in as z.core.$ZodType))
        .filter((value) => takes(schema, value));
    case 'literal':
      return fc.constantFrom(...(def.values as unknown[]));
    case 'enum':
      return fc.constantFrom(...Object.values(def.entries as Record<string, unknown>));
    case 'boolean':
      return fc.boolean();
    case 'null':
      return fc.constant(null);
    case 'number':
      return anyNumber(schema);
    case 'string':
      return anyText(schema);
    default:
      throw new Error(`no arbitrary for ${def.type}: add it`);
  }
}

function anyObject(shape: Record<string, z.core.$ZodType>): fc.Arbitrary<unknown> {
  const required = Object.keys(shape).filter(
    (name) => definitionOf(shape[name]!).type !== 'optional',
  );
  const fields = Object.fromEntries(
    Object.entries(shape).map(([name, field]) => [name, anyOf(field)]),
  );
  return fc.record(fields, { requiredKeys: required, noNullPrototype: true });
}

/** Short ones. */
function anyArray(schema: z.core.$ZodType, item: fc.Arbitrary<unknown>): fc.Arbitrary<unknown> {
  const { length, minLength = length ?? 0, maxLength = length ?? minLength + 2 } = limitsOf(schema);
  return fc.array(item, { minLength, maxLength: Math.min(maxLength, minLength + 2) });
}

function anyRecord(key: z.core.$ZodType, value: fc.Arbitrary<unknown>): fc.Arbitrary<unknown> {
  const { type, entries } = definitionOf(key);
  // A record over an enumeration has all of its keys.
  if (type !== 'enum') return fc.dictionary(anyOf(key) as fc.Arbitrary<string>, value);
  const names = Object.values(entries as Record<string, string>);
  return fc.record(Object.fromEntries(names.map((name) => [name, value])), {
    noNullPrototype: true,
  });
}

function takes(schema: z.core.$ZodType, value: unknown): boolean {
  try {
    return (schema as z.ZodType).safeParse(value).success;
  } catch {
    return false; // A name that may be no part of a key throws an error of its own.
  }
}

/** The limits of a number, an array or a text, and the form of a text. */
function limitsOf(schema: z.core.$ZodType) {
  const def = definitionOf(schema);
  const checks = ((def.checks ?? []) as z.core.$ZodCheck[]).map(
    (check) => check._zod.def as unknown as Record<string, unknown> & { readonly check: string },
  );
  const limit = (kind: string, field: string): number | undefined =>
    checks.find(({ check }) => check === kind)?.[field] as number | undefined;
  const form = [def as Record<string, unknown>, ...checks].find(
    ({ format, pattern }) => format ?? pattern,
  );
  return {
    minimum: limit('greater_than', 'value'),
    maximum: limit('less_than', 'value'),
    multipleOf: limit('multiple_of', 'value'),
    length: limit('length_equals', 'length'),
    minLength: limit('min_length', 'minimum'),
    maxLength: limit('max_length', 'maximum'),
    format: form?.format as string | undefined,
    pattern: form?.pattern as RegExp | undefined,
  };
}

function anyNumber(schema: z.core.$ZodType): fc.Arbitrary<unknown> {
  const { minimum = -1e300, maximum = 1e300, multipleOf } = limitsOf(schema);
  const ends = [minimum, maximum, (minimum + maximum) / 2, multipleOf ?? 1];
  const known = [...HOSTILE_NUMBERS, ...HOSTILE_COUNTS, ...ends].filter((one) =>
    takes(schema, one),
  );
  const whole = { min: Math.ceil(Math.max(minimum, -(2 ** 31))), max: Math.min(maximum, 2 ** 31) };
  return fc
    .oneof(
      fc.constantFrom(...known),
      fc.constantFrom(...known),
      fc.double({ min: minimum, max: maximum, noNaN: true }),
      fc.integer({ min: whole.min, max: Math.max(whole.min, Math.floor(whole.max)) }),
    )
    .filter((value) => takes(schema, value));
}

function anyText(schema: z.core.$ZodType): fc.Arbitrary<unknown> {
  const { format, pattern } = limitsOf(schema);
  if (format === 'datetime')
    return fc
      .date({ min: new Date(0), max: new Date(4e12), noInvalidDate: true })
      .map((date) => date.toISOString());
  const drawn = pattern ? fc.stringMatching(pattern) : fc.string({ unit: 'binary', maxLength: 8 });
  const texts = HOSTILE_TEXTS.filter((text) => takes(schema, text));
  return fc
    .oneof(
      ...(texts.length > 0 ? [fc.constantFrom(...texts)] : []),
      drawn,
      fc.string({ minLength: 3, maxLength: 3 }),
    )
    .filter((text) => takes(schema, text));
}
