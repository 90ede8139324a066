// Checks of outputs on a cluster of real processes: what a program's check sees, what its refusal leaves, and how a person decides
// otherwise.

import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, expect, test } from 'vitest'
import type { OpenLineageEvent } from '../../client/jobs/openlineage.ts'
import type { JobStatus } from '../../src/protocol/job.ts'
import type { Version } from '../../src/protocol/version.ts'
import type { TestCluster } from '../kit/cluster.ts'
import { root } from '../tidy/source.ts'
import { startClusterHere } from './inprocess.ts'

let cluster: TestCluster
let dir: string

beforeAll(async () => {
  dir = await mkdtemp(join(tmpdir(), 'gristmill-check-'))
  cluster = await startClusterHere({ datanodes: 1, settings: { GRISTMILL_REPLICATION: '1' } })
})

afterAll(async () => {
  await cluster?.stop()
  await rm(dir, { recursive: true, force: true })
})

async function written(name: string, text: string): Promise<string> {
  await writeFile(join(dir, name), text)
  return join(dir, name)
}

const put = (path: string, text: string): Promise<string> => cluster.ok(['put', '-f', '-', path], text)
async function rows(path: string, sorted = true): Promise<string[]> {
  const lines = (await cluster.ok(['cat', `${path}/part-*`])).trim().split('\n')
  return sorted ? lines.sort() : lines
}
const history = async (path: string): Promise<Version[]> =>
  (await cluster.ok(['--json', 'history', path])).trim().split('\n').map(line => JSON.parse(line) as Version)
const newest = async (): Promise<JobStatus> => JSON.parse(await cluster.ok(['--json', 'job', 'last'])) as JobStatus

const towns = `
import { mapReduce, sum, type Emit } from 'gristmill'
export default mapReduce({
  input: { format: 'csv' },
  output: { format: 'csv', columns: ['town', 'total'], delimiter: ';' },
  reducers: 3,
  params: { least: 0 },
  map(row, emit: Emit<string, number>) { emit(row['town'] ?? '', Number(row['amount'])) },
  reduce(town, amounts, emit) { emit(null, { town, total: sum(amounts) }) },
  async check(output, { params, counter, log, phase, path }) {
    counter('checked')
    const totals = []
    for await (const row of output.rows()) totals.push(row as Record<string, string>)
    const before = output.previous
    log(JSON.stringify({
      phase, file: path, path: output.path, files: output.files, count: await output.count(), read: totals.length, schema: await output.schema(),
      before: before && [before.path, before.files, await before.count(), (await before.schema())['town']],
    }))
    const negative = totals.find(({ total }) => Number(total) < params.least)
    if (negative) return negative.town + ' has ' + negative.total
    if (before && await output.count() < await before.count()) throw new RangeError('towns are missing')
  },
})
`

test('a check sees the whole output and the one before it; what it refuses is kept, and a person can publish it all the same', async () => {
  const file = await written('towns.ts', towns)
  await put('/sales', 'town,amount\nUlm,10\nBonn,5\nKiel,1\nUlm,-3\n')
  const words = ['run', file, '-i', '/sales', '-o', '/towns']
  await cluster.ok(words)
  const first = await newest()
  expect(first.stages.map(({ name, state, tasks }) => `${name} ${state} ${tasks}`)).toEqual(['map done 1', 'reduce done 3', 'check done 1'])
  expect([first.counters['user.checked'], first.counters['recordsIn'], first.counters['recordsOut']]).toEqual([1, 4, 3])
  const seen = async (job: string): Promise<unknown> =>
    JSON.parse(/\{"phase".*\}/.exec(await cluster.ok(['logs', job]))![0]) as unknown
  const all = { phase: 'check', file: '', path: '/towns', count: 3, read: 3, schema: { town: 'string', total: 'string' } }
  expect(await seen(first.job)).toMatchObject(all)

  await put('/sales', 'town,amount\nUlm,10\nBonn,5\nUlm,-30\n')
  const refused = await cluster.run([...words, '--overwrite', '--quiet'])
  expect(refused).toMatchObject({ code: 4, stderr: expect.stringContaining('published nothing: the check has refused the output: Ulm has -20') })
  const { job, state, failure, kept } = await newest()
  expect(await seen(job)).toMatchObject({ ...all, count: 2, read: 2, before: ['/towns@1', expect.any(Number), 3, 'string'] })
  expect([state, failure?.code, kept?.unchecked, (await history('/towns')).length]).toEqual(['failed', 'CHECK_REFUSED', true, 1])
  expect(await rows('/towns')).toContain('Kiel;1')

  // Looked at, and published by one who knows better.
  const [where] = /\/\.gristmill\/jobs\/job-\d+\/output/.exec(failure!.message)!
  expect(await rows(where!)).toContain('Ulm;-20')
  expect(await cluster.run(['job', 'publish', job, '-o', '/towns', '--overwrite'])).toMatchObject({
    code: 1, stderr: expect.stringContaining(`the output of ${job} has not passed its check; look at it in ${where}`),
  })
  expect((await cluster.run(['job', 'publish', job, '--despite-check'])).stderr).toContain('add --overwrite')
  await cluster.ok(['job', 'publish', job, '--despite-check', '--overwrite'])
  expect(await rows('/towns')).toContain('Ulm;-20')
  expect((await history('/towns')).map(({ number, check }) => [number, check])).toEqual([[2, 'overruled'], [1, 'passed']])
  expect(await cluster.ok(['history', '/towns'])).toMatch(/published despite its check\n.*checked\n$/)
  expect(await cluster.ok(['lineage', '/towns'])).toMatch(/^\/towns@2 .*published despite its check\n/)
  expect((await cluster.run(words)).stderr).toContain('in spite of its check; --overwrite computes it again')

  // Thrown errors refuse too, with the place in the program.
  await put('/sales', 'town,amount\nUlm,10\n')
  const thrown = await cluster.run([...words, '--overwrite', '--quiet'])
  expect(thrown).toMatchObject({ code: 4, stderr: expect.stringMatching(/refused the output: towns are missing[\s\S]*towns\.ts:\d+/) })
})

test('the rules of the guide to quality let its output pass, with a report for collectors of lineage, and name what breaks them', async () => {
  const guide = await readFile(join(root, 'docs/guide/quality.md'), 'utf8')
  const block = (form: string): string => new RegExp(`^\`\`\`${form}\\n([^]*?)^\`\`\`$`, 'm').exec(guide)![1]!
  const file = await written('stock.ts', block('ts'))
  for (const name of ['farms.csv', 'sacks.csv', 'bad.csv']) await put(`/${name}`, block(`csv ${name.replace('.', '\\.')}`))
  for (const line of block('sh').trim().split('\n').slice(1)) await cluster.ok(line.replace('stock.ts', file).split(' ').slice(1))
  const [event] = (await cluster.ok(['lineage', '/stock', '--openlineage'])).split('\n')
  expect((JSON.parse(event!) as OpenLineageEvent).outputs[0]!.facets!.dataQualityMetrics).toMatchObject({
    rowCount: 2, columnMetrics: { farm: { nullCount: 0, distinctCount: 2 }, sacks: { nullCount: 0, min: 7, max: 15 } },
  })
  const refused = await cluster.run(['run', file, '--input', '/bad.csv', '--output', '/stock', '--overwrite', '--quiet'])
  expect(refused).toMatchObject({ code: 4, stderr: expect.stringContaining(`the check has refused the output: ${block('text').trim()}`) })
  expect((await history('/stock')).map(({ number }) => number)).toEqual([1])
})

test('a save with a check publishes, or throws in the program, which may go on; other verdicts and a check that dies are no pass', async () => {
  const file = await written('saves.ts', `
    import { program, type ComputedOutput } from 'gristmill'
    const atLeast = (least: number) => async (output: ComputedOutput) => {
      let lines = 0
      for await (const line of output.lines()) if (line !== '') lines++
      return lines < least ? lines + ' rows' : undefined
    }
    export default program(async mill => {
      const output = '/saves'
      await mill.range(5, { partitions: 2 }).save(output + '/five', { check: atLeast(5) })
      const told = await mill.range(3).save(output + '/three', { check: atLeast(4) }).catch(error => [error.code, error.message])
      const none = await mill.from<number>([]).save(output + '/none', { format: 'jsonl', check: async output => [output.files, await output.count()].join() })
        .catch(error => error.message)
      const odd = await mill.range(1).save(output + '/odd', { check: (() => false) as never }).catch(error => error.message)
      const row = { '~standard': { version: 1, vendor: 'x', validate: (value: unknown) => typeof value === 'number' ? { value } : { issues: [{ message: 'no number' }] } } } as const
      const bad = await mill.from<unknown>([1, 'x']).save(output + '/bad', { format: 'jsonl', check: async output => { for await (const _ of output.rows(row)); } })
        .catch(error => error.message)
      const dead = await mill.range(1).save(output + '/dead', { check: () => { process.exit(3) } }).catch(error => [error.code, error.message])
      await mill.from([told, none, odd, bad, dead]).save(output + '/told', { format: 'jsonl' })
    })
  `)
  expect(await cluster.run(['run', file, '--attempts', '2'])).toMatchObject({ code: 0 })
  const [told, none, odd, bad, dead] = (await rows('/saves/told', false)).map(line => JSON.parse(line) as unknown)
  expect(told).toEqual(['CHECK_REFUSED', expect.stringContaining('the check has refused the output: 3 rows')])
  expect(none).toContain('the check has refused the output: 0,0')
  expect(odd).toContain('it returned false; it returns nothing for an output that is good')
  expect(bad).toContain('a row does not match the schema: no number')
  expect(dead).toEqual(['JOB_FAILED', expect.stringContaining('--despite-check')])
  expect((await cluster.ok(['ls', '/saves'])).match(/five|three|none|odd|bad|dead|told/g)).toEqual(['five', 'told'])
})
