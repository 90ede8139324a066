// Map outputs on three datanodes with real executor processes: fetched, missing, kept across a restart, deleted. A reduce gets all its
// pairs in order, and missing outputs are named.

import { readdir, writeFile } from 'node:fs/promises'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { Channel } from '../../../../src/block/channel.ts'
import { FramePool } from '../../../../src/block/ring.ts'
import type { AttemptId, JobId } from '../../../../src/base/ids.ts'
import { silent } from '../../../../src/ports/log.ts'
import type { Wire } from '../../../../src/ports/net.ts'
import { localDisk as disk } from '../../../../src/world/disk.ts'
import { MapOutputs } from '../../../../datanode/shuffle/mapoutputs.ts'
import { until } from '../kit.ts'
import { Proxy } from '../proxy.ts'
import { Bench, program } from './kit.ts'

let bench: Bench
beforeAll(async () => { bench = await Bench.start({ datanodes: 3, client: { host: 'host0' } }) })
afterAll(() => bench[Symbol.asyncDispose]())

/** Each line becomes a key with a large value, so that few fit into one frame. */
const lines = program(`  map(line: string, emit) { const [key, size] = line.split(' '); emit(key!, key!.repeat(Number(size))) },
  reduce(key, values, emit) { for (const value of values) emit(key, value.length) },`)

const text = (node: number): string => Array.from({ length: 3000 }, (_, i) => `k${(i * 7 + node) % 500} ${i % 900}\n`).join('')

const expected = (keys: readonly string[]): string =>
  keys
    .flatMap(key =>
      [0, 1, 2].flatMap(node =>
        text(node)
          .split('\n')
          .filter(line => line.split(' ')[0] === key)
          .map(line => `${key}\t${key.length * Number(line.split(' ')[1])}\n`),
      ),
    )
    .join('')

async function maps(job: string): Promise<AttemptId[]> {
  const attempts: AttemptId[] = []
  for (const node of [0, 1, 2]) {
    await bench.file(`/in${node}`, text(node))
    attempts.push((await bench.done(lines, `/in${node}`, { job, task: node, node, partitions: 2 })).work.attempt)
  }
  bench.scheduler.maps.splice(0, Infinity, ...attempts.map((attempt, i) => ({ attempt, node: bench.mill.datanodes[i]!.node })))
  return attempts
}

test('a reduce gets its part from every node, values in the order of the map tasks', async () => {
  await maps('order')
  const parts: string[] = []
  for (const task of [0, 1]) {
    const reduce = await bench.done(lines, '', { job: 'order', stage: 1, task, node: task, partitions: 2 })
    const part = await bench.outputOf(reduce)
    parts.push(part)
    const keys = [...new Set(part.trimEnd().split('\n').map(line => line.split('\t')[0]!))]
    expect(keys).toEqual(keys.toSorted())
    expect(part === expected(keys)).toBe(true)
    expect(reduce.counters.shuffleBytesLocal).toBeGreaterThan(0)
    expect(reduce.counters.shuffleBytesRemote).toBeGreaterThan(reduce.counters.shuffleBytesLocal!)
    expect(reduce.counters.shuffleBytes).toBe(reduce.counters.shuffleBytesLocal! + reduce.counters.shuffleBytesRemote!)
  }
  expect(parts.reduce((sum, part) => sum + part.trimEnd().split('\n').length, 0)).toBe(9000)
})

test('outputs that a node does not have, or that no node has, are named', async () => {
  const attempts = await maps('missing')
  await bench.runner(1).forget('missing' as JobId)
  expect(await bench.fails(lines, '', { job: 'missing', stage: 1, partitions: 2 })).toMatchObject({
    cause: 'fetch', missing: [attempts[1]],
  })
  bench.scheduler.maps[2] = { attempt: attempts[2]!, node: 'a node that has gone' as never }
  const both = await bench.fails(lines, '', { job: 'missing', stage: 1, partitions: 2 })
  expect([both.cause, both.missing?.toSorted()]).toEqual(['fetch', [attempts[1], attempts[2]]])
  expect(both.failure.message).toContain('2 of 3 map outputs')
})

test('outputs of a node that does not answer are waited for until the namenode has them computed again, and no longer', async () => {
  const attempts = await maps('frozen')
  const { place } = bench.mill.namenode.nodes.get(bench.mill.datanodes[1]!.node)!
  const { address } = place
  await using frozen = await Proxy.to(address)
  frozen.freezeAfter = 0
  Object.assign(place, { address: frozen.address })
  try {
    const failing = bench.fails(lines, '', { job: 'frozen', stage: 1, partitions: 2 })
    await until('the frozen node to be asked', () => frozen.forwarded > 0)
    bench.scheduler.remaking = true
    // None is reported: those being computed again are known.
    expect(await failing).toMatchObject({ cause: 'fetch', missing: [] })
    bench.scheduler.remaking = false
    const before = frozen.forwarded
    const again = bench.fails(lines, '', { job: 'frozen', stage: 1, partitions: 2 })
    await until('the frozen node to be asked again', () => frozen.forwarded > before)
    bench.scheduler.maps[1] = { attempt: attempts[0]!, node: bench.mill.datanodes[0]!.node }
    expect(await again).toMatchObject({ cause: 'fetch', missing: [] })
  } finally {
    bench.scheduler.remaking = false
    Object.assign(place, { address })
  }
})

test('outputs of a running job are kept over a restart of their node, and incomplete ones are removed', async () => {
  const attempts = await maps('restart')
  const directory = `${bench.mill.dirOf(1)}/shuffle/restart`
  await bench.mill.datanodes[1]!.stop()
  await writeFile(`${directory}/restart.0.7.99.data`, 'half')
  await writeFile(`${directory}/restart.0.7.99.spill`, 'half')
  bench.mill.datanodes[1] = await bench.mill.datanode(1)
  expect((await readdir(directory)).toSorted()).toEqual([`${attempts[1]}.data`, `${attempts[1]}.index`])
  const reduce = await bench.done(lines, '', { job: 'restart', stage: 1, partitions: 2 })
  expect(reduce.counters.groupsIn).toBeGreaterThan(100)
  await bench.runner(0).forget('restart' as JobId)
  expect(await readdir(`${bench.mill.dirOf(0)}/shuffle`)).not.toContain('restart')
})

test('names that come over a wire lead nowhere but to map outputs of their job', async () => {
  const outputs = await MapOutputs.open({ disk, dir: bench.mill.dirOf(0), pool: new FramePool(), log: silent })
  const channel = new Channel({ remote: '', write: async () => {}, destroy() {} } as unknown as Wire)
  const request = { op: 'shuffle', cluster: 'c', partition: 0, token: '' } as never as Parameters<MapOutputs['serve']>[0]
  await expect(
    outputs.serve({ ...request, job: 'order' as JobId, attempts: ['missing.0.0.1' as AttemptId] }, channel),
  ).rejects.toMatchObject({ code: 'EINVAL' })
  await expect(outputs.serve({ ...request, job: '../x' as JobId, attempts: ['../x.0.0.1' as AttemptId] }, channel)).rejects.toMatchObject({
    code: 'EINVAL',
  })
  await expect(outputs.forget('../blocks' as JobId)).rejects.toMatchObject({ code: 'EINVAL' })
})
