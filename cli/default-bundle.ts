import { fileURLToPath } from 'node:url';

/** The bundle that comes with the project. */
export const DEFAULT_BUNDLE = fileURLToPath(new URL('../bundle', import.meta.url));
