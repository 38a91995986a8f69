#!/usr/bin/env node
import { existsSync } from 'node:fs';

const [major, minor] = process.versions.node.split('.').map(Number);
if (major < 20 || (major === 20 && minor < 19)) {
  process.stderr.write(
    `sammix needs Node 20.19 or newer, 24 is recommended; this is Node ${process.versions.node}.\n`,
  );
  process.exit(2);
}
// Where the AWS SDK drops a version of Node that we still run on, its notice would come before our own words.
process.env.AWS_SDK_JS_NODE_VERSION_SUPPORT_WARNING_DISABLED ??= 'true';

const source = new URL('./main.ts', import.meta.url);
if (existsSync(source)) {
  // A clone: Node strips the types itself where it can (22.18 and later), tsx does it elsewhere.
  if (!process.features.typescript) (await import('tsx/esm/api')).register();
  await import(source.href);
} else await import('../dist/main.mjs');
