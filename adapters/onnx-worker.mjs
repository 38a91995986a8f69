// As cli/bin.mjs: Node runs our TypeScript itself where it can strip types; tsx does it elsewhere.
if (!process.features.typescript) {
  const { register } = await import('tsx/esm/api');
  register();
}
await import('./onnx-worker.ts');
