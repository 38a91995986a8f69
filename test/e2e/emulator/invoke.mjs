// node invoke.mjs MODULE HANDLER EVENT_FILE RESULT_FILE: one invocation of a deployed function.
import { readFileSync, writeFileSync } from 'node:fs';
import { pathToFileURL } from 'node:url';

const [modulePath, handlerName, eventFile, resultFile] = process.argv.slice(2);
const event = JSON.parse(readFileSync(eventFile, 'utf8'));
let result;
try {
  const { [handlerName]: handler } = await import(pathToFileURL(`${modulePath}.mjs`));
  result = { ok: true, value: (await handler(event, {})) ?? null };
} catch (error) {
  console.error(error);
  result = { ok: false, value: { errorType: error.name, errorMessage: error.message } };
}
writeFileSync(resultFile, JSON.stringify(result));
// Lambda freezes a function when its handler returns; open sockets must not keep it alive here.
process.exit(0);
