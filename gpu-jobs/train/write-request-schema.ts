/**
 * Writes the JSON schemas by which the two languages understand each other: of a training request, which the
 * trainer (Python) checks, and of what it says while it trains, to which its tests hold it.
 *
 *   npm run train-schema              writes them
 *   npm run train-schema -- --check   fails where a file is not what the contract says
 */
import { readFileSync, writeFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import * as z from 'zod';
import { TrainingEvent } from '../../core/contract/training-events.ts';
import { TrainRequest } from '../../site/contract/training.ts';

export interface WrittenSchema {
  readonly file: string;
  readonly contract: string;
  readonly schema: z.ZodType;
}

export const SCHEMAS: Readonly<Record<'request' | 'events', WrittenSchema>> = {
  request: {
    file: fileURLToPath(new URL('sammix_train/job/train-request.schema.json', import.meta.url)),
    contract: 'site/contract/training.ts',
    schema: TrainRequest,
  },
  events: {
    file: fileURLToPath(new URL('tests/training-events.schema.json', import.meta.url)),
    contract: 'core/contract/training-events.ts',
    schema: TrainingEvent,
  },
};

/** The schema as text; conditions between fields (`refine`) have no place in one. */
export function schemaText({ schema }: WrittenSchema): string {
  const json = z.toJSONSchema(schema, { target: 'draft-2020-12', io: 'input' });
  return `${JSON.stringify(json, null, 2)}\n`;
}

if (process.argv[1] === fileURLToPath(import.meta.url))
  for (const written of Object.values(SCHEMAS)) {
    const { file, contract } = written;
    if (!process.argv.includes('--check')) writeFileSync(file, schemaText(written));
    else if (readFileSync(file, 'utf8') !== schemaText(written)) {
      console.error(`${file}: not what ${contract} says; run \`npm run train-schema\``);
      process.exitCode = 1;
    }
  }
