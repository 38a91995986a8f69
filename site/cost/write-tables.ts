import { readFileSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import { costTables } from './tables.ts';

/** `npm run cost-tables` writes the tables into docs/deploy.md. */

export const DEPLOY_MD = path.join(import.meta.dirname, '..', '..', 'docs', 'deploy.md');

const PART = /(<!-- cost: written by "npm run cost-tables" -->\n)[\s\S]*(\n<!-- cost: end -->)/;

export const withTables = (text: string): string =>
  text.replace(PART, (_, begin: string, end: string) => begin + costTables() + end);

if (process.argv[1] === import.meta.filename)
  writeFileSync(DEPLOY_MD, withTables(readFileSync(DEPLOY_MD, 'utf8')));
