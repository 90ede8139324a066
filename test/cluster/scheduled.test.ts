// A schedule that the cluster follows: it goes on without the files and the process of its user, waits in the namenode between two builds,
// also when that is started again, and builds in another process when its own is killed; it is replaced and ended by its user.

import { mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, expect, test } from 'vitest'
import type { JobStatus } from '../../src/protocol/job.ts'
import { until, type TestCluster } from '../kit/cluster.ts'
import { driversOf } from './driverprocess.ts'
import { startClusterHere } from './inprocess.ts'

let cluster: TestCluster
let dir: string

beforeAll(async () => {
  dir = await mkdtemp(join(tmpdir(), 'gristmill-scheduled-'))
  cluster = await startClusterHere({ datanodes: 2, settings: { GRISTMILL_SLOTS: '1' } })
  await cluster.ok(['mkdir', '/raw'])
})

afterAll(async () => {
  await cluster?.stop()
  await rm(dir, { recursive: true, force: true })
})

const driver = (): number | undefined => cluster.datanodes.flatMap(node => driversOf(node.pid))[0]
const put = (path: string, text: string): Promise<string> => cluster.ok(['put', '-f', '-', path], text)
const shown = async (job: string): Promise<JobStatus> => JSON.parse(await cluster.ok(['job', job, '--json'])) as JobStatus
const rows = async (path: string): Promise<string> => (await cluster.run(['cat', `${path}/part-*`])).stdout.trim()

test('the cluster follows a schedule without its user and without a process between two builds', async () => {
  const file = join(dir, 'nightly.ts')
  const write = (name: string, text: string): Promise<void> => writeFile(join(dir, name), text)
  await write('unit.txt', 'grams')
  await write('sums.ts', `
    import { mapReduce, sum } from 'gristmill'
    import { readFileSync } from 'node:fs'
    export default mapReduce({
      assets: ['unit.txt'],
      map(line: string, emit: any, { asset }: any) { emit(readFileSync(asset('unit.txt'), 'utf8'), Number(line)) },
      reduce(unit: any, ns: any, emit: any) { emit(unit, sum(ns)) },
    })`)
  await write('total.ts', `
    import { program } from 'gristmill'
    export default program(async (mill, { input, output }: any) => {
      const [line] = await mill.text(input).collect()
      console.log('has read', line)
      await mill.from(['total ' + line]).save(output)
    })`)
  await write('nightly.ts', `
    import { workflow } from 'gristmill'
    export default workflow({ schedule: '0 0 1 1 *', datasets: {
      '/sums': { program: './sums.ts', input: '/raw' }, '/total': { program: './total.ts', input: '/sums' } } })`)
  await put('/raw/a', '1\n2\n')
  const words = ['build', '-f', file, '--schedule', '--detach']
  const job = (await cluster.ok(words)).trim()
  await until('the first build has published', async () => await rows('/total') === 'total grams\t3')
  await until('it waits for the next one', async () => /the next build is at .*-01-01T00:00/.test(await cluster.ok(['logs', job])))
  expect(await cluster.ok(['logs', job])).toContain('has read grams\t3')
  const waits = { name: 'nightly', state: 'running', waits: expect.stringMatching(/^for .*-01-01T00:00:00.000Z, the next time of its schedule$/) }
  await until('no process is left', async () => driver() === undefined)
  expect(await shown(job)).toMatchObject(waits)
  // A build from here takes what the cluster has built for up to date.
  expect(await cluster.ok(['build', '-f', file, '--dry-run'])).toContain('2 datasets: 2 up to date')

  await cluster.namenode.kill()
  await cluster.namenode.start()
  await until('the namenode waits again', async () => (await shown(job)).waits?.includes('the next time of its schedule') === true)
  expect(await shown(job)).toMatchObject(waits)

  await rm(join(dir, 'unit.txt'))
  await put('/raw/b', '4\n')
  await write('sums.ts', `
    import { mapReduce, sum } from 'gristmill'
    export default mapReduce({ map(line: string, emit: any) { emit('kilograms', Number(line)) }, reduce(unit: any, ns: any, emit: any) { emit(unit, sum(ns)) } })`)
  const refused = await cluster.run(words)
  expect([refused.code === 0, refused.stderr]).toEqual([false, expect.stringContaining(`${job} follows a schedule named nightly`)])
  const next = (await cluster.ok([...words, '--replace'])).trim()
  await until('the schedule that was replaced has ended', async () => (await shown(job)).state === 'cancelled')
  await until('the next one has built', async () => await rows('/total') === 'total kilograms\t7')
  const other = (await cluster.ok([...words, '--name', 'beside', '/sums'])).trim()
  await until('another one beside it has looked', async () => (await cluster.ok(['logs', other])).includes('0 of 1 datasets were built'))
  for (const each of [next, other]) await cluster.ok(['kill', each])
})

const ofSchedule = async (parent: string): Promise<JobStatus[]> => {
  const lines = (await cluster.ok(['jobs', '--json'])).split('\n').filter(Boolean)
  return lines.map(line => JSON.parse(line) as JobStatus).filter(job => job.parent === parent)
}

test('a build goes on in another process when its own is killed, without the files of its user, and ends with its schedule', async () => {
  const file = join(dir, 'held.ts')
  const gate = join(dir, 'gate')
  await writeFile(join(dir, 'waits.ts'), `
    import { existsSync } from 'node:fs'
    import { setTimeout } from 'node:timers/promises'
    import { program } from 'gristmill'
    export default program(async (mill, { input, output, gate, asks }: any) => {
      const held = mill.text(input).mapAsync(async line => { while (!existsSync(gate)) await setTimeout(20); return line })
      if (!asks) return void await held.save(output)
      const [line] = await held.collect()
      await mill.from([line]).save(output)
    })`)
  await writeFile(file, `
    import { workflow } from 'gristmill'
    const params = { gate: ${JSON.stringify(gate)} }
    export default workflow({ schedule: '0 0 1 1 *', datasets: {
      '/one': { program: './waits.ts', input: '/one.txt', params }, '/two': { program: './waits.ts', input: '/one.txt', params: { ...params, asks: true } } } })`)
  await put('/one.txt', 'line\n')
  const words = ['build', '-f', file, '--schedule', '--detach']
  const job = (await cluster.ok(words)).trim()
  await until('both datasets are being built', async () => (await ofSchedule(job)).length === 2)
  for (const name of ['held.ts', 'waits.ts']) await rm(join(dir, name))
  process.kill(driver()!, 'SIGKILL')
  await until('the next process has begun the program of two steps again', async () => (await ofSchedule(job)).length === 3)
  // A dataset of one job goes on; a step whose result no process awaits does not.
  expect((await ofSchedule(job)).map(({ output, state }) => [output === '/one', state]).sort())
    .toEqual([[false, 'cancelled'], [false, 'running'], [true, 'running']])
  await cluster.ok(['kill', job])
  await until('its jobs have ended', async () => (await ofSchedule(job)).every(({ state }) => state === 'cancelled'))
  await until('no process is left', async () => driver() === undefined)
})

test('of schedules of one name that are submitted at the same time, one is followed', async () => {
  const file = join(dir, 'twice.ts')
  await writeFile(file, "import { workflow } from 'gristmill'\nexport default workflow({ schedule: '0 0 1 1 *', datasets: { '/x': { program: 'gristmill:wordcount', input: '/raw' } } })")
  const words = ['build', '-f', file, '--schedule', '--detach']
  const submitted = await Promise.all([cluster.run(words), cluster.run(words), cluster.run(words)])
  const [job, ...others] = submitted.filter(({ code }) => code === 0).map(({ stdout }) => stdout.trim())
  expect(others).toEqual([])
  for (const { stderr } of submitted.filter(({ code }) => code !== 0)) expect(stderr).toContain(`${job} follows a schedule named twice`)
  await cluster.ok(['kill', job!])
})

test('a workflow without a schedule, and one whose program does not compile, are refused', async () => {
  const file = join(dir, 'plain.ts')
  await writeFile(file, "import { workflow } from 'gristmill'\nexport default workflow({ datasets: { '/x': { program: 'gristmill:wordcount', input: '/raw' } } })")
  expect((await cluster.run(['build', '-f', file, '--schedule', '--detach'])).stderr).toContain('the workflow has no schedule')
  await writeFile(join(dir, 'broken.ts'), 'export default nothing(')
  await writeFile(file, "import { workflow } from 'gristmill'\nexport default workflow({ schedule: '0 0 1 1 *', datasets: { '/x': { program: './broken.ts', input: '/raw' } } })")
  expect((await cluster.run(['build', '-f', file, '--schedule', '--detach'])).stderr).toContain('broken.ts')
  await writeFile(file, "import { workflow } from 'gristmill'\nexport default workflow({ schedule: '0 0 * * *', timeZone: 'Mars', datasets: { '/x': { program: 'gristmill:wordcount', input: '/raw' } } })")
  expect((await cluster.run(['build', '-f', file, '--schedule', '--detach'])).stderr).toContain('the time zone "Mars" is not known')
  expect(await cluster.ok(['jobs'])).not.toContain('plain')
})
