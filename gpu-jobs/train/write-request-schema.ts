/**
 * Writes the JSON schema of a training request, by which the trainer (Python) checks what it was asked:
 *
 *   npm run train-schema              writes it
 *   npm run train-schema -- --check   fails where the file is not what the contract says
 */
import { readFileSync, writeFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import * as z from 'zod';
import { TrainRequest } from '../../site/contract/training.ts';

export const SCHEMA_FILE = fileURLToPath(
  new URL('sammix_train/job/train-request.schema.json', import.meta.url),
);

/** The schema as text; conditions between fields (`refine`) have no place in one. */
export function requestSchema(): string {
  const schema = z.toJSONSchema(TrainRequest, { target: 'draft-2020-12', io: 'input' });
  return `${JSON.stringify(schema, null, 2)}\n`;
}

if (process.argv[1] === fileURLToPath(import.meta.url)) {
  const wanted = requestSchema();
  if (!process.argv.includes('--check')) writeFileSync(SCHEMA_FILE, wanted);
  else if (readFileSync(SCHEMA_FILE, 'utf8') !== wanted) {
    console.error(
      `${SCHEMA_FILE}: not what site/contract/training.ts says; run \`npm run train-schema\``,
    );
    process.exitCode = 1;
  }
}
