// Five projects: `unit` is fast; `slow` are unit tests that are not; `cluster` starts real processes; `sim` runs whole clusters on
// virtual time, from seeds; `tidy` reads the sources. `npm test` runs them all.

import { defineConfig } from 'vitest/config'
import { LongestFirst } from './test/sequencer.ts'
import { mutantVariable, recordVariable } from './test/mutation/variables.ts'

const recording = process.env[recordVariable] !== undefined
const mutated = process.env[mutantVariable] !== undefined
/** Only in a run of test/mutation. */
const plugins = recording || mutated ? [(await import('./test/mutation/plant.ts')).plantPlugin()] : []

/** The same text compiles to another mutant each time: then nothing compiled is kept on disk. */
const fsModuleCache = plugins.length === 0

const setupFiles = recording ? ['test/mutation/record.ts'] : []

/** Unit tests that start processes, wait for disks or sockets, or compute for seconds: `npm run test:quick` leaves them out. */
const slow = [
  'client/{aborts,fuzz}', 'client/frame/random', 'client/glob/bash', 'client/load/loading', 'datanode/executor/{asked,commands,input,leftovers,misbehaviour,shuffle,tasks}',
  'datanode/heartbeat/{contact,pause}', 'datanode/scrub/scrub', 'datanode/shuffle/outputs', 'datanode/store/retention',
  'namenode/backup/recover', 'namenode/blocks/{repair,storms}', 'namenode/jobs/scheduler/random', 'namenode/jobs/store/store',
  'namenode/namespace/asof', 'namenode/snapshots/snapshots', 'src/file/{failover,giveup,pipeline,roundtrip}',
  'src/record/{compressed,sources}', 'src/rpc/{interpreted,serve,strangers}', 'src/shuffle/output', 'src/sql/{plan,random}',
  'src/world/{browser,command,kafka,pages,process,store,wire}',
].map(name => `test/unit/${name}.test.ts`)

/**
 * Most tests of clusters damage, count or look for the blocks of files of a few bytes. Tests of small files turn inlining on by themselves
 * (`inlineBytes`).
 */
const env = { GRISTMILL_INLINE_BYTES: '0' }

const maxWorkers = 3
/** Three files that wait for processes, disks and sockets, beside one that computes: with two, the cores were idle an eighth of the time. */
const waitingWorkers = 4

/**
 * Files of `unit`, `slow`, `cluster` and `tidy` share processes: a process for each costs half a CPU second, of `cluster` one and a half,
 * for its start, for the same modules again, and for what is compiled of them. A test puts back what it changes of its process.
 */
const isolate = plugins.length > 0

/** Time limits of tests only end what hangs: a machine may be busy with thirty other programs. No test sets a shorter one. */
const patience = { testTimeout: 900_000, hookTimeout: 900_000, expect: { poll: { timeout: 120_000 } } }

export default defineConfig({
  test: {
    reporters: ['default'], sequence: { sequencer: LongestFirst },
    projects: [
      {
        plugins,
        test: {
          name: 'unit', env, include: ['test/unit/**/*.test.ts'], exclude: slow,
          isolate, maxWorkers, ...patience, setupFiles, fsModuleCache, sequence: { groupOrder: 0 },
        },
      },
      {
        plugins,
        test: {
          name: 'slow', env, globalSetup: 'test/tidy/bundle.ts', include: slow, isolate, maxWorkers: waitingWorkers, ...patience, setupFiles,
          fsModuleCache, sequence: { groupOrder: 1 },
        },
      },
      {
        test: {
          name: 'cluster', env, globalSetup: 'test/tidy/bundle.ts', include: ['test/cluster/**/*.test.ts'],
          setupFiles: ['test/cluster/fetching.ts'], isolate: false, maxWorkers: waitingWorkers, fsModuleCache, ...patience,
          sequence: { groupOrder: 1 },
        },
      },
      {
        test: {
          name: 'sim', include: ['test/sim/**/*.test.ts'],
          // A simulation makes short-lived objects all the time: with more room for them 3 to 7 % less is spent on collecting them.
          execArgv: ['--max-semi-space-size=64'], maxWorkers: waitingWorkers, fsModuleCache, maxConcurrency: 2, ...patience,
          testTimeout: 3_000_000, sequence: { groupOrder: 1 },
        },
      },
      {
        test: {
          name: 'tidy', include: ['test/tidy/**/*.test.ts'], isolate: false, maxWorkers, fsModuleCache, ...patience,
          sequence: { groupOrder: 0 },
        },
      },
    ],
  },
})
