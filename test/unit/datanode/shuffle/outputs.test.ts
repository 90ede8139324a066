// Map outputs between nodes: two datanodes on different hosts, so that outputs of the other node go over a wire.

import { appendFileSync, existsSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { afterAll, beforeAll, beforeEach, expect, test } from 'vitest'
import type { AttemptId, JobId } from '../../../../src/base/ids.ts'
import { Channel } from '../../../../src/block/channel.ts'
import { FramePool } from '../../../../src/block/ring.ts'
import { silent } from '../../../../src/ports/log.ts'
import { transferPath, type TransferReply } from '../../../../src/protocol/transfer.ts'
import { BlockTokens } from '../../../../src/rpc/token.ts'
import { systemClock } from '../../../../src/world/clock.ts'
import { localDisk } from '../../../../src/world/disk.ts'
import { MapOutputs } from '../../../../datanode/shuffle/mapoutputs.ts'
import { outputFiles } from '../../../../datanode/shuffle/paths.ts'
import { Bench, program, type Done } from '../executor/kit.ts'
import { cluster, secret } from '../namenode.ts'
import type { TaskWork } from '../../../../src/protocol/task.ts'

// Each process takes a while to start on a machine that is busy with other tests.
let bench: Bench
let jobs = 0
let job: string
beforeAll(async () => { bench = await Bench.start({ datanodes: 2, slots: 1 }) })
afterAll(async () => { await bench?.[Symbol.asyncDispose]() })
beforeEach(() => { job = `job-s${++jobs}` })

const listing = program(
  'map(line: string, emit) { const [key, value] = line.split(" "); emit(key, value) },\nreduce(key, values, emit) { emit(key, [...values].join(",")) }',
)

type Mapped = Done & { work: TaskWork }

/** Runs a map over each text, on one node after the other. */
async function maps(texts: readonly string[], nodes: readonly number[]): Promise<Mapped[]> {
  const done: Mapped[] = []
  for (const [task, text] of texts.entries()) {
    await bench.file(`/in${task}`, text)
    done.push(await bench.done(listing, `/in${task}`, { job, task, node: nodes[task]! }))
  }
  bench.scheduler.maps.splice(
    0, Infinity,
    ...done.map(({ work }, i) => ({ attempt: work.attempt, node: bench.mill.datanodes[nodes[i]!]!.node })),
  )
  return done
}

const reduce = (node: number) => bench.done(listing, '/in0', { job, stage: 1, node })
const files = (node: number, { work }: Mapped) => outputFiles(bench.mill.dirOf(node), work.attempt)

test('outputs of this node and of others are merged in the order of their maps, wherever the reduce runs', async () => {
  const done = await maps(['b 1\na 2\n', 'a 3\nc 4\n', 'a 5\nb 6\n'], [0, 1, 0])
  const here = await reduce(0)
  const there = await reduce(1)
  expect(await bench.outputOf(here)).toBe('a\t2,3,5\nb\t1,6\nc\t4\n')
  expect(await bench.outputOf(there)).toBe('a\t2,3,5\nb\t1,6\nc\t4\n')
  const [own, other] = [here.counters['shuffleBytesLocal']!, here.counters['shuffleBytesRemote']!]
  expect(own).toBeGreaterThan(other)
  expect([there.counters['shuffleBytesLocal'], there.counters['shuffleBytesRemote']]).toEqual([other, own])
  expect(done.every(({ output }) => output.kind === 'shuffle')).toBe(true)
})

test('outputs that are larger than a frame come whole', async () => {
  const text = Array.from({ length: 40_000 }, (_, i) => `k${i % 100} ${i}-${'v'.repeat(60)}`).join('\n')
  await maps([text], [1])
  const lines = (await bench.outputOf(await reduce(0))).trimEnd().split('\n')
  expect(lines).toHaveLength(100)
  expect(lines.reduce((sum, line) => sum + line.split(',').length, 0)).toBe(40_000)
})

test('an output that is gone is named, and only it', async () => {
  for (const [gone, where] of [[0, 'here'], [1, 'there']] as const) {
    const done = await maps(['a 1\n', 'a 2\n', 'a 3\n'], [0, 1, 0])
    const lost = files(gone, done[gone]!)
    rmSync(lost.data)
    rmSync(lost.index)
    const failed = await bench.fails(listing, '/in0', { job, stage: 1, node: 0 })
    expect([where, failed.cause, failed.missing]).toEqual([where, 'fetch', [done[gone]!.work.attempt]])
    job = `job-s${++jobs}`
  }
})

test('an output with a flipped bit is named, and nothing of it is reduced', async () => {
  for (const node of [0, 1]) {
    const done = await maps(['a 1\n', 'a 2\n'], [0, 1])
    const { data } = files(node, done[node]!)
    const bytes = readFileSync(data)
    bytes[bytes.length - 2]! ^= 4
    writeFileSync(data, bytes)
    const failed = await bench.fails(listing, '/in0', { job, stage: 1, node: 0 })
    expect([node, failed.cause, failed.missing]).toEqual([node, 'fetch', [done[node]!.work.attempt]])
    job = `job-s${++jobs}`
  }
})

test('the outputs of a node that does not answer are named', async () => {
  const done = await maps(['a 1\n', 'a 2\n'], [0, 1])
  bench.scheduler.maps[1] = { ...bench.scheduler.maps[1]!, node: 'nobody' as never }
  const failed = await bench.fails(listing, '/in0', { job, stage: 1, node: 0 })
  expect([failed.cause, failed.missing]).toEqual(['fetch', [done[1]!.work.attempt]])
})

test('a job that is forgotten has nothing left on any node', async () => {
  await maps(['a 1\n', 'a 2\n'], [0, 1])
  for (const node of [0, 1]) {
    bench.mill.namenode.give(bench.mill.datanodes[node]!.node, { kind: 'forget', job: job as JobId })
    await expect.poll(() => existsSync(`${bench.mill.dirOf(node)}/shuffle/${job}`)).toBe(false)
  }
})

/** Requests map outputs as a reducer does; returns the reply. */
async function ask(
  node: number, attempts: readonly string[],
  { token, of = job }: { token?: string; of?: string } = {},
): Promise<{ replies: TransferReply[]; bytes: number; ended: boolean }> {
  const address = bench.mill.datanodes[node]!.address
  const wire = await bench.mill.namenode.net.connect(address, {
    path: transferPath,
    headers: bench.mill.newCaller().admission(transferPath),
  })
  const channel = new Channel(wire)
  const frame = new (await import('../../../../src/block/frame.ts')).FrameBuffer()
  const replies: TransferReply[] = []
  let bytes = 0
  try {
    await channel.request({
      op: 'shuffle', cluster, job: of, partition: 0, attempts,
      token: token ?? new BlockTokens({ secret, clock: systemClock }).issue({ mode: 'shuffle', job: of as JobId }),
    })
    for (;;) {
      const received = await channel.receive(frame)
      if (received?.kind === 'data') bytes += frame.payloadBytes
      else if (received?.kind === 'reply') {
        replies.push(received.value as TransferReply)
        if ((received.value as TransferReply).op === 'error') return { replies, bytes, ended: false }
      } else return { replies, bytes, ended: received?.kind === 'end' }
    }
  } finally {
    wire.destroy()
  }
}

test('a request is answered in its own order, and outputs that are not here are sent as missing', async () => {
  const [first, second] = await maps(['a 1\n', 'b 2\nc 3\n'], [1, 1])
  const { replies, bytes, ended } = await ask(1, [second!.work.attempt, `${job}.0.9.0`, first!.work.attempt])
  expect(replies.map(reply => (reply.op === 'segment' ? [reply.attempt, reply.records, reply.missing] : reply))).toEqual([
    [second!.work.attempt, 2, undefined], [`${job}.0.9.0`, 0, true], [first!.work.attempt, 1, undefined],
  ])
  expect([ended, bytes]).toEqual([true, replies.reduce((sum, reply) => sum + (reply.op === 'segment' ? reply.bytes : 0), 0)])
})

test('a token of one job opens no output of another, and no path leaves the directory', async () => {
  const [done] = await maps(['a 1\n'], [1])
  const refused = async (...args: Parameters<typeof ask>): Promise<string> => {
    const { replies: [reply] } = await ask(...args)
    return reply?.op === 'error' ? reply.error.code : 'answered'
  }
  expect(await refused(1, [done!.work.attempt], { of: 'job-other' })).toBe('EINVAL')
  expect(
    await refused(1, [done!.work.attempt], {
      token: new BlockTokens({ secret, clock: systemClock }).issue({ mode: 'shuffle', job: 'job-other' as JobId }),
    }),
  ).toBe('UNAUTHENTICATED')
  expect(await refused(1, [`${job}.0.0.0/../../x`])).toBe('EINVAL')
  expect(await refused(1, ['../../x.0.0.0'], { of: '../../x' })).toBe('EINVAL')
})

test('a restart keeps complete outputs and removes incomplete ones', async () => {
  const dir = `${bench.mill.dir}/restart`
  const make = (name: string): void => { appendFileSync(`${dir}/shuffle/${job}/${name}`, 'x') }
  await localDisk.mkdir(`${dir}/shuffle/${job}`)
  for (const name of ['0.0.0.data', '0.0.0.index', '0.1.0.data', '0.1.0.spill', '0.2.0.index']) make(`${job}.${name}`)
  const outputs = await MapOutputs.open({ disk: localDisk, dir, pool: new FramePool(), log: silent })
  expect(readdirSync(`${dir}/shuffle/${job}`).sort()).toEqual([`${job}.0.0.0.data`, `${job}.0.0.0.index`])
  expect(await outputs.jobs()).toEqual([job])
  await outputs.discard(`${job}.0.0.0` as AttemptId)
  expect(readdirSync(`${dir}/shuffle/${job}`)).toEqual([])
  await outputs.forget(job as JobId)
  expect(await outputs.jobs()).toEqual([])
})
