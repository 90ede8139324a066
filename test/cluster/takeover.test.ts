// Commands about jobs while the namenode or a datanode is killed and started again: logs, logs --follow and job publish.

import { mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, expect, test } from 'vitest'
import type { JobStatus } from '../../src/protocol/job.ts'
import { until, type TestCluster } from '../kit/cluster.ts'
import { startClusterHere } from './inprocess.ts'

let cluster: TestCluster
let dir: string

beforeAll(async () => {
  dir = await mkdtemp(join(tmpdir(), 'gristmill-takeover-'))
  cluster = await startClusterHere({ datanodes: 2, settings: { replication: '2' } })
  await cluster.ok(['mkdir', '/in'])
  await cluster.ok(['put', '-', '/in/lines'], 'one\ntwo\nlast\n')
})

afterAll(async () => {
  await cluster?.stop()
  if (dir) await rm(dir, { recursive: true, force: true })
})

/** Submits a job whose only task prints "begun", and at its last line waits for a file and prints "over". Returns when it has begun. */
async function submit(name: string): Promise<{ job: string; open(): Promise<void> }> {
  const gate = join(dir, `${name}.gate`)
  await writeFile(join(dir, `${name}.ts`), `
import { existsSync } from 'node:fs'
import { mapReduce } from 'gristmill'
export default mapReduce({
  async map(line: string, emit) {
    if (line === 'one') console.log('begun')
    if (line === 'last') {
      while (!existsSync(${JSON.stringify(gate)})) await new Promise(resolve => setTimeout(resolve, 50))
      console.log('over')
    }
    emit(null, line)
  },
})
`)
  const job = (await cluster.ok(['run', join(dir, `${name}.ts`), '-i', '/in', '-o', `/${name}/out`, '--detach'])).trim()
  await until('the task has begun', async () => (await cluster.run(['logs', job])).stdout.includes('begun'))
  return { job, open: () => writeFile(gate, '') }
}

const ended = (job: string): Promise<JobStatus> => until('the end of the job', async () => {
  const { code, stdout } = await cluster.run(['job', job, '--json'])
  const status = code === 0 ? JSON.parse(stdout) as JobStatus : undefined
  return status !== undefined && status.finishedMs !== undefined && status
})

test('logs --follow goes on when the namenode is killed and started again, and ends with the job', async () => {
  const { job, open } = await submit('followed')
  const following = cluster.run(['logs', '--follow', job])
  await cluster.namenode.kill()
  await cluster.namenode.start()
  await open()
  expect(await ended(job)).toMatchObject({ state: 'succeeded' })
  const { code, stdout, stderr } = await following
  // On a busy machine the new namenode takes its time, and the command says what it waits for.
  const others = stderr.split('\n').filter(line => line !== '' && !line.startsWith('gristmill: logs: waiting: '))
  expect([code, others]).toEqual([0, []])
  expect(stdout.match(/^(?:begun|over)$/gm)).toEqual(expect.arrayContaining(['begun', 'over']))
})

test('right after a restart of the namenode the logs of a job are there, or said to be of a node that is not back yet', async () => {
  const { job, open } = await submit('read')
  await open()
  await ended(job)
  await cluster.namenode.kill()
  await cluster.namenode.start()
  const early = await cluster.run(['logs', job])
  if (early.code !== 0) expect(early.stderr).toMatch(/is not connected to the namenode; its logs can be read once it is back/)
  await until('the logs are there', async () => (await cluster.run(['logs', job])).code === 0)
  expect(await cluster.ok(['logs', job])).toMatch(/begun\nover\n/)
})

test('logs --follow goes on when the datanode that runs the task is killed and started again', async () => {
  const { job, open } = await submit('moved')
  const following = cluster.run(['logs', '--follow', job])
  // The task runs on one of the two; it runs again elsewhere when its node is lost.
  for (const node of cluster.datanodes) {
    await node.kill()
    await node.start()
  }
  await open()
  expect(await ended(job)).toMatchObject({ state: 'succeeded' })
  const { stdout } = await following
  expect(stdout).toMatch(/^over$/m)
})

test('the logs of a job that was killed are those of the attempts that ran then', async () => {
  const { job } = await submit('killed')
  const following = cluster.run(['logs', '--follow', job])
  await cluster.ok(['kill', job])
  await ended(job)
  expect(await following).toMatchObject({ code: 0, stdout: expect.stringMatching(/^begun$/m) })
  expect(await cluster.ok(['logs', job])).toMatch(/^begun$/m)
})

test('a kept output is published after a restart of the namenode, and while it restarts, once', async () => {
  const { job, open } = await submit('kept')
  // The output cannot be published: its parent has a quota.
  await cluster.ok(['mkdir', '/kept'])
  await cluster.ok(['quota', 'set', '/kept', '--names', '1'])
  await open()
  expect(await ended(job)).toMatchObject({ state: 'failed', kept: expect.anything() })
  await cluster.namenode.kill()
  const publishing = cluster.run(['job', 'publish', job, '-o', '/published'])
  await cluster.namenode.start()
  expect(await publishing).toMatchObject({ code: 0, stdout: `${job}: published as /published\n` })
  await cluster.namenode.kill()
  await cluster.namenode.start()
  expect(await ended(job)).toMatchObject({ state: 'succeeded', output: '/published' })
  expect((await cluster.ok(['cat', '/published/part-*'])).split('\n').filter(Boolean).sort()).toEqual(['last', 'one', 'two'])
})
