// Three projects: `unit` is fast and runs in parallel; `cluster` starts real processes and takes two files at a time;
// `tidy` reads the sources. `npm test` runs them all.

import { defineConfig } from 'vitest/config'

export default defineConfig({
  test: {
    reporters: ['default'],
    projects: [
      { test: { name: 'unit', include: ['test/unit/**/*.test.ts'], sequence: { groupOrder: 0 } } },
      {
        test: {
          name: 'cluster',
          include: ['test/cluster/**/*.test.ts'],
          // A cluster is five or more processes: more than two at once only makes all of them slow.
          maxWorkers: 2,
          testTimeout: 120_000,
          hookTimeout: 120_000,
          sequence: { groupOrder: 1 },
        },
      },
      { test: { name: 'tidy', include: ['test/tidy/**/*.test.ts'], sequence: { groupOrder: 0 } } },
    ],
  },
})
