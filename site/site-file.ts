import { readFileSync } from 'node:fs';
import path from 'node:path';
import * as z from 'zod';
import { ConfigError } from '../core/errors.ts';
import { Site, withoutComments } from './contract/config.ts';

/** Where a checkout keeps its site files. */
export const SITE_FILES = path.join(import.meta.dirname, '..', 'infra', 'sites');

/** The file of a site by its name, or by its path. */
export const siteFile = (name: string): string =>
  name.endsWith('.json') ? path.resolve(name) : path.join(SITE_FILES, `${name}.json`);

/**
 * Reads and validates a site file.
 *
 * @throws ConfigError naming the file, the field and what is wrong with it
 */
export function loadSite(file: string): Site {
  const parsed = Site.safeParse(withoutComments(readJson(file)));
  if (!parsed.success)
    throw invalid(file, z.prettifyError(parsed.error).replaceAll('\n', ' '), parsed.error);
  const expected = path.basename(file, '.json');
  if (parsed.data.site !== expected)
    throw invalid(file, `"site": "${parsed.data.site}" in a file named ${expected}.json`);
  return parsed.data;
}

function readJson(file: string): unknown {
  try {
    return JSON.parse(readFileSync(file, 'utf8'));
  } catch (cause) {
    throw invalid(file, cause instanceof SyntaxError ? 'text that is not JSON' : 'no file', cause);
  }
}

function invalid(file: string, found: string, cause?: unknown): ConfigError {
  return new ConfigError(
    {
      code: 'bad-site-file',
      subject: file,
      expected: 'a site file (see docs/deploy.md for every field)',
      found,
      remedy: 'Correct it, or write a new one with "sammix site init <site>".',
    },
    { cause },
  );
}
