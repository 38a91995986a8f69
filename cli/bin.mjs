#!/usr/bin/env node
// Node runs our TypeScript itself where it can strip types (22.18 and later); tsx does it elsewhere.
if (!process.features.typescript) {
  const { register } = await import('tsx/esm/api');
  register();
}
await import('./main.ts');
