// Programs of several steps that run detached, on a cluster of real processes with one slot for each node: a process of the cluster drives
// them, and another one goes on when it is killed, in the middle of a step and between two; so they do when the namenode is started again.
// Two processes that send a step get one job. Programs beyond those that the nodes may drive wait, and run then.

import { mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, afterEach, beforeAll, expect, test } from 'vitest'
import { connect } from '../../client/index.ts'
import { requestOf } from '../../client/jobs/drivelog.ts'
import { clusterIn } from '../../client/sql/cluster.ts'
import { programId, requestId } from '../../src/base/ids.ts'
import { resultsDirectory, submit, type JobSpec, type JobStatus } from '../../src/protocol/job.ts'
import { until, type TestCluster } from '../kit/cluster.ts'
import { driversOf } from './driverprocess.ts'
import { startClusterHere } from './inprocess.ts'

let cluster: TestCluster
let dir: string

beforeAll(async () => {
  dir = await mkdtemp(join(tmpdir(), 'gristmill-detached-'))
  const settings = { GRISTMILL_SLOTS: '1', GRISTMILL_QUEUES: 'narrow:1:1', GRISTMILL_JOBS_PER_USER: '3', GRISTMILL_DRIVES: '1' }
  cluster = await startClusterHere({ datanodes: 2, settings })
})

afterAll(async () => {
  await cluster.stop()
  await rm(dir, { recursive: true, force: true })
})

async function program(name: string, body: string): Promise<string> {
  const file = join(dir, name)
  await writeFile(file, `
    import { existsSync } from 'node:fs'
    import { randomUUID } from 'node:crypto'
    import { program } from 'gristmill'
    const held = async (gate: string) => { while (existsSync(gate)) await new Promise(resolve => { setTimeout(resolve, 20) }) }
    export default program(async (mill, { output, gates }: any) => {\n${body}\n})\n`)
  return file
}

async function gate(name: string): Promise<string> {
  const file = join(dir, name)
  await writeFile(file, '')
  return file
}

const detach = async (words: readonly string[]): Promise<string> => (await cluster.ok(['run', ...words, '--detach'])).trim()

const jobs = async (): Promise<JobStatus[]> =>
  (await cluster.ok(['jobs', '--limit', '1000', '--json'])).split('\n').filter(Boolean).map(line => JSON.parse(line) as JobStatus)

const shown = async (job: string): Promise<JobStatus> => JSON.parse(await cluster.ok(['job', job, '--json'])) as JobStatus

const stepsOf = async (drive: string): Promise<JobStatus[]> => {
  const { driver } = await shown(drive)
  return (await jobs()).filter(each => each.driver?.id === driver!.id && each.job !== drive).reverse()
}

const driver = (): number | undefined => cluster.datanodes.flatMap(node => driversOf(node.pid))[0]

afterEach(async () => {
  for (const { job, state } of await jobs()) if (state === 'running') await cluster.ok(['kill', job])
})

/** Kills the process that drives the only program that runs, and waits for the next one. */
async function replaceDriver(): Promise<void> {
  const pid = await until('a process that drives the program', async () => driver())
  process.kill(pid, 'SIGKILL')
  await until('another process that drives the program', async () => {
    const next = driver()
    return next !== undefined && next !== pid
  })
}

/** A node that is not connected yet, after a restart of the namenode, shows no log. */
const has = (job: string, line: string) => async (): Promise<boolean> => (await cluster.run(['logs', job])).stdout.includes(line)

test('a detached program goes on when its process is killed and when the namenode is started again, and does each step once', async () => {
  const gates = await Promise.all(['between', 'within', 'last'].map(gate))
  const file = await program('several.ts', `
    const [between, within, last] = gates.split(',')
    console.log('begins')
    const id = await mill.broadcast(() => randomUUID())
    const large = await mill.broadcast(() => Array.from({ length: 5000 }, () => randomUUID()))
    const at = Date.now()
    const told = JSON.stringify([id, large[4999], at])
    await mill.range(1).map(() => told).save(output + '/first')
    const rows = await mill.range(3000).map(n => 'x'.repeat(50) + n).collect()
    console.log('waits between', rows.length)
    await held(between)
    const [few, [a, b]] = await Promise.all([
      mill.range(10, { partitions: 5 }).filter(n => n > 7).take(2), Promise.all([mill.range(7).count(), mill.range(8).count()]),
    ])
    const slow = await mill.range(2, { partitions: 1 }).mapAsync(async n => { await held(within); return n }).collect()
    const failed = await mill.text('/absent').count().catch((error: any) => error.code)
    console.log('waits last')
    await held(last)
    const end = JSON.stringify([told, rows.length, few, a, b, slow, failed])
    await mill.range(1).map(() => end + told).save(output + '/' + at)
    console.log('ends')
  `)
  const job = await detach([file, '--output', '/several', '--param', `gates=${gates.join()}`, '--queue', 'narrow'])
  await until('the program waits between its steps', has(job, 'waits between 3000'))
  expect(await shown(job)).toMatchObject({ name: 'several', state: 'running', driver: { step: 0, method: 'drive' } })
  expect((await shown('last')).job).toBe(job)
  await replaceDriver()
  await rm(gates[0]!)
  await until('a task of a step runs', async () => {
    const { length, [length - 1]: newest } = await stepsOf(job)
    return length === 6 && newest!.stages[0]!.running === 1
  })
  await replaceDriver()
  await cluster.namenode.kill()
  await cluster.namenode.start()
  await rm(gates[1]!)
  await until('the program waits for its end', has(job, 'waits last'))
  await replaceDriver()
  const attached = cluster.run(['job', 'last', '--follow'])
  const logs = cluster.run(['logs', job, '--follow'])
  await rm(gates[2]!)
  const { code, stdout, stderr } = await attached
  expect(code, stderr).toBe(0)
  const methods = ['collect', 'collect', 'count', 'count', 'save', 'save', 'take']
  const steps = await stepsOf(job)
  expect(steps.map(each => each.driver!.method).sort()).toEqual(methods)
  expect(stdout.split('\n').filter(line => line.startsWith('step ')).length).toBeGreaterThan(0)
  expect((await logs).stdout).toContain('ends')
  const [first, at] = [await cluster.ok(['cat', '/several/first/part-*']), steps.at(-1)!.output.split('/').pop()!]
  expect((JSON.parse(first) as unknown[])[2]).toBe(Number(at))
  const told = first.trim()
  expect(await cluster.ok(['cat', `/several/${at}/part-*`]))
    .toBe(`${JSON.stringify([told, 3000, [8, 9], 7, 8, [0, 1], 'ENOENT'])}${told}\n`)
  expect((await cluster.ok(['ls', '/several'])).trim().split('\n')).toHaveLength(2)
  expect(await shown(job)).toMatchObject({ state: 'succeeded' })
  expect((await cluster.ok(['ls', '/.gristmill/jobs'])).trim()).toBe('')
  expect((await cluster.ok(['ls', '/.gristmill/uploads'])).trim()).toBe('')
})

test('a step that another process sends once more is the same job, also when the namenode was started again', async () => {
  const file = await gate('copied')
  const job = await detach([await program('copied.ts', `
    const n = await mill.range(3).count()
    console.log('has counted')
    await held(gates)
    await mill.range(n).save(output)`), '--output', '/copied', '--param', `gates=${file}`])
  await until('its first step has ended', has(job, 'has counted'))
  const [step] = await stepsOf(job)
  const run = step!.driver!.id
  const record = JSON.parse(await cluster.ok(['cat', `/.gristmill/jobs/${job}/${job}.0.0.0/000000`])) as { fingerprint: string }
  const name = requestOf(run, { number: 1, fingerprint: record.fingerprint }, false)
  const spec: JobSpec = {
    name: 'copy', program: { id: programId('0'.repeat(64)), path: '/p.js' }, params: {}, seed: 0, fingerprint: '-',
    driver: { id: run, step: 1, method: 'count', nowMs: 0, outline: '', history: [] },
    stages: [{ name: 'count', input: { kind: 'values', parts: 1 }, output: { kind: 'files', format: 'text' } }],
    output: { path: `${resultsDirectory}/copy`, overwrite: false, format: 'text', result: true },
    attemptsMax: 1, memoryBytes: 0, taskDeadlineMs: 0,
  }
  const copied = async (): Promise<string> => {
    await using mill = await connect({ address: cluster.namenode.address, secretFile: cluster.secretFile })
    return (await clusterIn(mill).cluster.ask(submit, { spec, requestId: requestId(`${name}.0`) })).job
  }
  expect(await copied()).toBe(step!.job)
  await cluster.namenode.kill()
  await cluster.namenode.start()
  expect(await copied()).toBe(step!.job)
  await rm(file)
  expect((await cluster.run(['job', job, '--follow'])).code).toBe(0)
  expect((await stepsOf(job)).map(each => each.driver!.method)).toEqual(['count', 'save'])
})

test('the end of a detached program is that of its steps, and its failure is that of its job', async () => {
  const file = await gate('held')
  const holds = await program('holds.ts', `
    await mill.range(3).count()
    await mill.range(1).mapAsync(async n => { await held(gates); return n }).save(output)`)
  const job = await detach([holds, '--output', '/held', '--param', `gates=${file}`])
  const step = await until('its second step runs', async () => (await stepsOf(job)).find(({ output }) => output === '/held'))
  await cluster.ok(['kill', job])
  await until('its step has ended', async () => (await shown(step.job)).state === 'cancelled')
  await until('its process has ended', async () => driver() === undefined)
  const broken = await detach([await program('broken.ts', `
    const n = await mill.range(3).count()
    if (n === 3) throw new RangeError('three is too few')
  `)])
  const { code, stderr } = await cluster.run(['job', broken, '--follow'])
  expect([code === 0, stderr]).toEqual([false, expect.stringContaining('the program failed after its step 1: RangeError: three is too few')])
  expect(await cluster.ok(['job', broken, '--tasks'])).toContain('broken.ts')
  expect((await stepsOf(broken)).map(({ state }) => state)).toEqual(['succeeded'])
  const outside = await detach([await program('outside.ts', `await mill.range(3).count()\nawait mill.range(3).save('s3://bucket/key')`)])
  expect((await cluster.run(['job', outside, '--follow'])).stderr).toContain('is outside of the cluster')
})

test('as many detached programs as one user may have take no places of their steps, and a step without a place waits for one', async () => {
  const file = await gate('steps')
  const twice = await program('twice.ts', `
    const held2 = () => mill.range(1).mapAsync(async n => { await held(gates); return n }).count()
    const counts = await Promise.all([held2(), held2()])
    await mill.range(1).map(() => counts.join()).save(output)`)
  const names = ['one', 'two', 'three']
  const drives = await Promise.all(names.map(name => detach([twice, '--output', `/${name}`, '--param', `gates=${file}`])))
  await until('a program waits for one of the two that are driven', async () =>
    (await jobs()).some(({ waits }) => waits === 'for another detached program to end: the datanodes drive 2 at a time (setting drives)'))
  expect(cluster.datanodes.map(({ pid }) => driversOf(pid).length).every(count => count <= 1)).toBe(true)
  await until('a step waits for a place', async () =>
    (await jobs()).some(({ waits }) => waits?.startsWith('for a place for its step') === true))
  expect((await jobs()).filter(({ job, state }) => state === 'running' && !drives.includes(job)).length).toBeLessThanOrEqual(3)
  await rm(file)
  for (const [i, job] of drives.entries()) {
    await until(`the program ${names[i]} has ended`, async () => (await shown(job)).state !== 'running')
    expect(await shown(job)).toMatchObject({ state: 'succeeded', stages: [{ failedAttempts: 0 }] })
    expect(await cluster.ok(['cat', `/${names[i]}/part-*`])).toBe('1,1\n')
  }
})
