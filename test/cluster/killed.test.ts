// A program of several steps of which a process is killed at a random point: an executor, a datanode, the namenode, or the process that
// runs its steps, and then the program is run again. The output is that of a run without faults, byte for byte. KILLED_ROUNDS sets the
// number of rounds, KILLED_SEED the first of their seeds.

import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { afterAll, beforeAll, expect, test } from 'vitest'
import type { JobStatus } from '../../src/protocol/job.ts'
import { until, type TestCluster } from '../kit/cluster.ts'
import { dice } from '../kit/dice.ts'
import { bin } from '../kit/process/server.ts'
import { root } from '../tidy/source.ts'
import { startClusterHere } from './inprocess.ts'

const rounds = Number(process.env['KILLED_ROUNDS'] ?? 2)
const firstSeed = Number(process.env['KILLED_SEED'] ?? 1)
const victims = ['executor', 'driver', 'namenode', 'datanode'] as const

let cluster: TestCluster
let expected: string

const words = (output: string): string[] => [
  'run', join(root, 'docs/examples/datasets/pagerank.ts'), '--input', '/flights-airport.csv', '--output', output, '--param', 'rounds=2',
  // Several partitions, which rules rewrite by their sizes.
  '--partition-size', '16KiB', '--overwrite',
]

const outputOf = (path: string): Promise<string> => cluster.ok(['cat', `${path}/part-*`])

beforeAll(async () => {
  cluster = await startClusterHere({ datanodes: 3 })
  await cluster.ok(['put', '--block-size', '32KiB', join(root, 'node_modules/vega-datasets/data/flights-airport.csv'), '/'])
  await cluster.ok(words('/clean'))
  expected = await outputOf('/clean')
})

afterAll(async () => { await cluster.stop() })

const jobs = async (): Promise<JobStatus[]> =>
  (await cluster.ok(['jobs', '--json'])).split('\n').filter(Boolean).map(line => JSON.parse(line) as JobStatus)

/** Children of a process, as Linux tells them. */
const childrenOf = (pid: number): number[] =>
  readFileSync(`/proc/${pid}/task/${pid}/children`, 'utf8').trim().split(' ').filter(Boolean).map(Number)

const seeds = Array.from({ length: rounds }, (_, i) => firstSeed + i)

test.each(seeds)('the output is that of a run without faults: seed %i', async seed => {
  const random = dice(seed)
  const victim = victims[seed % victims.length]!
  const output = `/killed${seed}`
  const before = (await jobs()).length
  const driver = spawn(process.execPath, [bin, ...words(output)], { env: cluster.env, stdio: ['ignore', 'ignore', 'pipe'] })
  let told = ''
  driver.stderr.on('data', (bytes: Buffer) => { told += bytes.toString() })
  const ended = once(driver, 'close')
  const step = 1 + random.below(6)
  const share = random.below(3) / 3
  // The point: a step of the program, and a share of its tasks.
  await until('the point of the fault', async () => {
    const all = await jobs()
    if (driver.exitCode !== null || all.length - before > step) return true
    const newest = all.length - before === step ? all[0] : undefined
    return newest && newest.stages.some(({ done, tasks }) => tasks > 0 && done >= tasks * share)
  })
  const node = random.pick(cluster.datanodes)
  if (victim === 'executor') for (const child of childrenOf(node.pid).slice(0, 1)) process.kill(child, 'SIGKILL')
  const server = victim === 'datanode' ? node : victim === 'namenode' ? cluster.namenode : undefined
  await server?.kill()
  await server?.start()
  if (victim === 'driver') driver.kill('SIGKILL')
  const [code] = await ended as [number | null]
  if (victim !== 'driver') expect(code, told).toBe(0)
  else await cluster.ok(words(output))
  expect(await outputOf(output), `seed ${seed}, ${victim} at step ${step}`).toBe(expected)
})
