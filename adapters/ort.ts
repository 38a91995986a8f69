import './telemetry-off.ts';
import { createRequire } from 'node:module';

/**
 * ONNX Runtime, loaded after its telemetry was switched off. Not by `import`: that is evaluated before
 * any statement of ours, and by a bundler put before all of our modules.
 */
export const ort = createRequire(import.meta.url)(
  'onnxruntime-node',
) as typeof import('onnxruntime-node');
