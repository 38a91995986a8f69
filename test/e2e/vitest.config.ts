import { defineConfig } from 'vitest/config';

/** One world (an emulator, two deployed sites) for all files, so one after the other. */
export default defineConfig({
  test: {
    include: ['test/e2e/**/*.e2e.ts'],
    fileParallelism: false,
    testTimeout: 900_000,
    hookTimeout: 3_600_000,
  },
});
