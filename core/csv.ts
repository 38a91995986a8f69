/** A value of a table's cell; lists are joined with spaces. */
export type CsvValue = string | number | boolean | null | undefined | readonly string[];

/** RFC 4180: one header line, CRLF, quotes where needed. */
export function csvText(
  columns: readonly string[],
  rows: readonly (readonly CsvValue[])[],
): string {
  return `${[columns, ...rows].map((row) => row.map(cell).join(',')).join('\r\n')}\r\n`;
}

function cell(value: CsvValue): string {
  const text = Array.isArray(value) ? value.join(' ') : String(value ?? '');
  // A leading = + - @ would be run as a formula by a spreadsheet; numbers are ours and stay.
  const safe = typeof value === 'string' && /^[=+\-@]/.test(text) ? `'${text}` : text;
  return /[",\r\n]/.test(safe) ? `"${safe.replaceAll('"', '""')}"` : safe;
}
