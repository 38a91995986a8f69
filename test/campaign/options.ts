/** `--name value` pairs of a campaign's command line; every value is a whole number. */
export function options<Name extends string>(
  defaults: Readonly<Record<Name, number>>,
): Record<Name, number> {
  const found: Record<Name, number> = { ...defaults };
  const args = process.argv.slice(2);
  for (let at = 0; at < args.length; at += 2) {
    const name = args[at]!.replace(/^--/, '');
    const value = Number(args[at + 1]);
    if (!(name in defaults) || !Number.isSafeInteger(value) || value < 0) {
      console.error(
        `usage: ${Object.keys(defaults)
          .map((one) => `--${one} N`)
          .join(' ')}`,
      );
      process.exit(2);
    }
    found[name as Name] = value;
  }
  return found;
}

/** Set by Ctrl-C or a kill: a campaign ends with what it has done so far, and says how much that is. */
export const asked = { toStop: false };
for (const signal of ['SIGINT', 'SIGTERM'] as const)
  process.once(signal, () => {
    asked.toStop = true;
  });
