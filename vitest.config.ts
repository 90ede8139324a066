// Four projects: `unit` is fast and runs in parallel; `cluster` starts real processes and takes two files at a time; `sim` runs
// whole clusters on virtual time, from seeds; `tidy` reads the sources. `npm test` runs them all.

import { defineConfig } from 'vitest/config'
import { mutantVariable, recordVariable } from './test/mutation/variables.ts'

const recording = process.env[recordVariable] !== undefined
/** Only in a run of test/mutation. */
const plugins = recording || process.env[mutantVariable] !== undefined ? [(await import('./test/mutation/plant.ts')).plantPlugin()] : []

export default defineConfig({
  test: {
    reporters: ['default'],
    projects: [
      { plugins, test: { name: 'unit', include: ['test/unit/**/*.test.ts'], setupFiles: recording ? ['test/mutation/record.ts'] : [], sequence: { groupOrder: 0 } } },
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
      {
        test: {
          name: 'sim',
          include: ['test/sim/**/*.test.ts'],
          // Each is one long computation: a worker for each of two cores.
          maxWorkers: 2,
          maxConcurrency: 2,
          testTimeout: 300_000,
          sequence: { groupOrder: 2 },
        },
      },
      { test: { name: 'tidy', include: ['test/tidy/**/*.test.ts'], sequence: { groupOrder: 0 } } },
    ],
  },
})
