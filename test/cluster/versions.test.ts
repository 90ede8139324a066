// Versions of outputs on a cluster of real processes, through the command line: a bug is published, noticed, rolled back, mended and run
// again, and every step is found in lineage, differences and reasons.

import { mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, expect, test } from 'vitest'
import type { Lineage } from '../../client/jobs/lineage.ts'
import type { OpenLineageEvent } from '../../client/jobs/openlineage.ts'
import type { Version } from '../../src/protocol/version.ts'
import type { TestCluster } from '../kit/cluster.ts'
import { startClusterHere } from './inprocess.ts'

let cluster: TestCluster
let dir: string

const program = (amount: string): string => `
import { mapReduce, sum, type Emit } from 'gristmill'
export default mapReduce({
  input: { format: 'csv' },
  output: { format: 'jsonl' },
  params: { least: 0 },
  map(row, emit: Emit<string, number>) { emit(row['town'] ?? '', ${amount}) },
  reduce(town, amounts, emit, { params }) {
    const total = sum(amounts)
    if (total >= params.least) emit(null, { town, total })
  },
})
`

beforeAll(async () => {
  dir = await mkdtemp(join(tmpdir(), 'gristmill-versions-'))
  cluster = await startClusterHere({ datanodes: 1, settings: { GRISTMILL_REPLICATION: '1' } })
  await writeFile(join(dir, 'sums.ts'), program("Number(row['amount'])"))
  await writeFile(join(dir, 'wrong.ts'), program("Math.abs(Number(row['amount']))"))
  await writeFile(join(dir, 'top.ts'), `
import { mapReduce } from 'gristmill'
export default mapReduce({ input: { format: 'jsonl' }, map(row, emit) { emit(null, JSON.stringify(row)) } })
`)
  await cluster.ok(['put', '-', '/sales.csv'], 'town,amount\nUlm,10\nBonn,5\nUlm,-3\n')
})

afterAll(async () => {
  await cluster?.stop()
  await rm(dir, { recursive: true, force: true })
})

const lines = async (words: string[]): Promise<unknown[]> =>
  (await cluster.ok(['--json', ...words])).trim().split('\n').map(line => JSON.parse(line) as unknown)
const graphOf = async (path: string): Promise<Lineage> => JSON.parse(await cluster.ok(['--json', 'lineage', path])) as Lineage
const rows = async (path: string): Promise<string[]> => (await cluster.ok(['cat', `${path}/part-*`])).trim().split('\n').sort()
const run = (name: string, ...words: string[]): Promise<string> => cluster.ok(['run', join(dir, name), '--quiet', ...words])

test('a bug that was published is found, rolled back, mended and run again over the same inputs', async () => {
  const right = ['{"town":"Bonn","total":5}', '{"town":"Ulm","total":7}']
  await run('sums.ts', '-i', '/sales.csv', '-o', '/sums', '--param', 'least=1')
  expect(await rows('/sums')).toEqual(right)
  expect(await cluster.ok(['why', '/sums'])).toBe('/sums is up to date\n')
  await run('wrong.ts', '-i', '/sales.csv', '-o', '/sums', '--param', 'least=1', '--overwrite')
  await run('top.ts', '-i', '/sums', '-o', '/top')

  // Noticed.
  const different = await cluster.run(['diff', '/sums@1', '/sums@2'])
  expect(different).toMatchObject({
    code: 1, stdout: '- {"town":"Ulm","total":7}\n+ {"town":"Ulm","total":13}\n1 kept, 1 added, 1 removed\n',
  })
  expect((await cluster.run(['diff', '/sums', '/sums@2'])).code).toBe(0)
  expect((await cluster.run(['why', '/sums', '--code', join(dir, 'wrong.ts')])).stdout).toBe('/sums is up to date\n')
  expect(await cluster.run(['why', '/sums', '--code', join(dir, 'sums.ts')])).toMatchObject({ code: 1, stdout: expect.stringMatching(/^the program is [0-9a-f]{12}, and was [0-9a-f]{12}\n$/) })
  const why = (...params: string[]) => cluster.run(['why', '/sums', ...params.flatMap(param => ['--param', param])])
  expect((await why('least=1')).code).toBe(0)
  expect(await why('least=2', 'most=1')).toMatchObject({
    code: 1, stdout: 'the parameter least is 2, and was 1\nthe parameter most is 1, and was not set\n',
  })
  expect((await why('least=some')).stderr).toContain('the parameter least is "some"; it must be a number')

  // Rolled back: what was computed from the bug is stale.
  expect(await cluster.ok(['rollback', '/sums'])).toBe('/sums is version 3, with the contents of version 1\n')
  expect(await rows('/sums')).toEqual(right)
  expect(await rows('/sums@2')).toEqual(['{"town":"Bonn","total":5}', '{"town":"Ulm","total":13}'])
  expect(await cluster.run(['why', '/top'])).toMatchObject({
    code: 1, stdout: 'the input /sums has changed: /sums was version 2 and is version 3\n',
  })

  // The job that read the bug runs again over the version of then, or over what is there now.
  const top = (await lines(['history', '/top']) as Version[])[0]!
  await cluster.ok(['rerun', top.job!, '-o', '/top-again', '--quiet'])
  expect(await rows('/top-again')).toEqual(await rows('/top'))
  await cluster.ok(['rerun', top.job!, '--latest', '--quiet'])
  expect(await rows('/top')).toEqual(right)
  expect((await cluster.run(['why', '/top'])).code).toBe(0)
  const versions = await lines(['history', '/top']) as Version[]
  expect(versions.map(({ number, program: hash }) => [number, hash])).toEqual([[2, top.program], [1, top.program]])
})

test('a version is freed by its number, and the refusal to change one says so', async () => {
  for (let i = 0; i < 2; i++) await run('sums.ts', '-i', '/sales.csv', '-o', '/freed', '--overwrite', '--force')
  const refused = await cluster.run(['rm', '-r', '/freed@1'])
  expect(refused).toMatchObject({ code: 1, stderr: expect.stringContaining('free all of it ("gristmill history rm")') })
  expect(await cluster.run(['history', 'rm', '/freed@2'])).toMatchObject({ code: 1, stderr: expect.stringContaining('newest version') })
  expect(await cluster.run(['history', 'rm', '/freed'])).toMatchObject({ code: 1, stderr: expect.stringContaining('names no version') })
  expect(await cluster.run(['history', 'rm', '--json', '/freed@1'])).toMatchObject({ code: 0, stdout: '{"version":"/freed@1"}\n' })
  expect((await lines(['history', '/freed']) as Version[]).map(({ number }) => number)).toEqual([2])
  expect((await cluster.run(['ls', '/freed@1'])).code).toBe(1)
})

test('a job runs again with its parameters, and with a mended program; a changed input is refused, and named', async () => {
  await run('wrong.ts', '-i', '/sales.csv', '-o', '/least', '--param', 'least=6')
  const [{ job }] = await lines(['history', '/least']) as [Version]
  expect(await rows('/least')).toEqual(['{"town":"Ulm","total":13}'])
  await cluster.ok(['rerun', job!, '--code', join(dir, 'sums.ts'), '--quiet'])
  expect(await rows('/least')).toEqual(['{"town":"Ulm","total":7}'])
  expect(await rows('/least@1')).toEqual(['{"town":"Ulm","total":13}'])
  await cluster.ok(['put', '-f', '-', '/sales.csv'], 'town,amount\nUlm,20\n')
  expect((await cluster.run(['rerun', job!])).stderr).toContain(
    `${job} cannot run again over the same inputs: the input /sales.csv has changed: /sales.csv was replaced; --latest reads them as they are now`,
  )
  await cluster.ok(['rerun', job!, '--latest', '--quiet'])
  expect(await rows('/least')).toEqual(['{"town":"Ulm","total":20}'])
})

test('lineage goes from an output to its inputs and to what was computed from it, as text, Mermaid and OpenLineage', async () => {
  await cluster.ok(['put', '-', '/raw.csv'], 'town,amount\nUlm,1\n')
  await run('sums.ts', '-i', '/raw.csv', '-o', '/one')
  await run('top.ts', '-i', '/one/part-*', '-o', '/two')
  const graph = await graphOf('/one')
  expect(graph.edges).toEqual([{ from: '/raw.csv', to: '/one@1' }, { from: '/one@1', to: '/two@1' }])
  expect(graph.nodes.map(({ id, kind }) => [id, kind])).toEqual([['/one@1', 'output'], ['/raw.csv', 'input'], ['/two@1', 'output']])
  const up = await graphOf('/two')
  expect(up.edges.map(({ from, to }) => `${from} ${to}`).sort()).toEqual(['/one@1 /two@1', '/raw.csv /one@1'])
  expect(await cluster.ok(['lineage', '/two'])).toMatch(/^\/two@1 .*\n {2}from \/one@1 .*\n {4}from \/raw\.csv {2}1 file, 18 bytes\n$/)
  expect(await cluster.ok(['lineage', '/one', '--mermaid'])).toMatch(
    /^flowchart LR\n {2}n0\["\/one@1 by job-\d+"\]\n {2}n1\[\("\/raw\.csv"\)\]\n {2}n2\["\/two@1 by job-\d+"\]\n {2}n1 --> n0\n {2}n0 --> n2\n$/,
  )
  const events = await lines(['lineage', '/two', '--openlineage']) as OpenLineageEvent[]
  expect(events.map(({ inputs, outputs }) => [inputs.map(({ name }) => name), outputs.map(({ name }) => name)])).toEqual([
    [['/one@1'], ['/two@1']], [['/raw.csv'], ['/one@1']],
  ])
  for (const { run: { runId }, eventType } of events) {
    expect(eventType).toBe('COMPLETE')
    expect(runId).toMatch(/^[0-9a-f]{8}-[0-9a-f]{4}-8[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}$/)
  }
  // A file that no job has published has its outputs too; one of an output is the output.
  expect(await cluster.ok(['lineage', '/raw.csv'])).toMatch(
    /^\/raw\.csv {2}1 file, 18 bytes {2}no job has published it\n {2}into \/one@1 .*\n {4}into \/two@1 .*\n$/,
  )
  expect((await graphOf('/raw.csv')).nodes[0]).toMatchObject({ id: '/raw.csv', kind: 'input', files: 1 })
  await cluster.ok(['mkdir', '/unread'])
  expect(await cluster.ok(['lineage', '/unread'])).toBe('/unread  0 files, 0 bytes  no job has published it\n')
  expect((await graphOf('/one/part-00000.jsonl')).root).toBe('/one@1')
  expect((await cluster.run(['lineage', '/absent'])).stderr).toContain('/absent: no such file or directory')
  // An input that is gone is a reason too.
  await cluster.ok(['rm', '/raw.csv'])
  expect((await cluster.run(['why', '/one'])).stdout).toContain('the input /raw.csv cannot be read any more')
})

test('a rollback says which versions it has pushed out', async () => {
  await cluster.ok(['put', '-', '/pushed.csv'], 'town,amount\nUlm,1\n')
  await run('sums.ts', '-i', '/pushed.csv', '-o', '/pushed')
  await run('wrong.ts', '-i', '/pushed.csv', '-o', '/pushed', '--overwrite')
  for (let version = 3; version <= 11; version++) expect((await cluster.run(['rollback', '/pushed'])).stderr).toBe('')
  expect((await cluster.run(['rollback', '/pushed'])).stderr).toBe(
    'freed /pushed@1: no more are kept (setting versionsKeep); a tag keeps a version\n',
  )
  expect(JSON.parse(await cluster.ok(['--json', 'rollback', '/pushed']))).toMatchObject({ version: 13, from: 11, freed: [2] })
})

test('a job that would compute what its output is already returns it at once, and says so; any difference is refused as before', async () => {
  await cluster.ok(['put', '-', '/same.csv'], 'town,amount\nUlm,1\n')
  const words = ['run', join(dir, 'sums.ts'), '-i', '/same.csv', '-o', '/same']
  await cluster.ok(words)
  const [before] = await lines(['history', '/same']) as [Version]
  const again = await cluster.run(words)
  // An output cannot be a version, and the advice is not to replace it.
  for (const more of [[], ['--overwrite']])
    expect(await cluster.run([...words.slice(0, -1), '/same@1', ...more])).toMatchObject({
      code: 1, stderr: expect.stringContaining('the output /same@1 cannot be published: /same@1 is a version of an output'),
    })
  expect(again.code).toBe(0)
  expect(again.stderr).toContain(`/same is up to date: ${before.job} has computed it with the same program, parameters and inputs`)
  expect(await lines(['history', '/same'])).toEqual([before])
  for (const more of [['--param', 'least=5'], ['--reducers', '2']])
    expect(await cluster.run([...words, ...more])).toMatchObject({ code: 1, stderr: expect.stringContaining('/same: file exists') })
  // A changed input, and an output that a user has changed.
  await cluster.ok(['put', '-f', '-', '/same.csv'], 'town,amount\nUlm,1\n')
  expect((await cluster.run(words)).code).toBe(1)
  await cluster.ok([...words, '--overwrite', '--quiet'])
  expect((await cluster.run(words)).code).toBe(0)
  await cluster.ok(['put', '-', '/same/more'], 'x')
  expect((await cluster.run(words)).stderr).toContain('/same: file exists')
})

/** /made.csv → /DIR/a → /DIR/b; returns the job of /DIR/b and its rows. */
async function chain(at: string): Promise<{ job: string; before: string[] }> {
  await cluster.run(['put', '-', '/made.csv'], 'town,amount\nUlm,4\n')
  await run('sums.ts', '-i', '/made.csv', '-o', `${at}/a`)
  await run('top.ts', '-i', `${at}/a`, '-o', `${at}/b`)
  const [{ job }] = await lines(['history', `${at}/b`]) as [Version]
  return { job: job!, before: await rows(`${at}/b`) }
}

async function refused(job: string, output: string, reason: string): Promise<void> {
  expect(await cluster.run(['rerun', job, '-o', output, '--quiet'])).toMatchObject({
    code: 1, stderr: expect.stringContaining(`${job} cannot run again over the same inputs: the input ${reason}; --latest reads them as they are now`),
  })
  expect((await cluster.run(['stat', output])).code).not.toBe(0)
}

test('rerun refuses an output that was changed by hand after a job had read it, also when it was replaced since', async () => {
  const { job, before } = await chain('/hand')
  await cluster.ok(['put', '-', '/hand/a/part-7.jsonl'], '{"town":"Bonn","total":1}\n')
  await refused(job, '/hand/b2', '/hand/a has changed: /hand/a/part-7.jsonl is new')
  await run('wrong.ts', '-i', '/made.csv', '-o', '/hand/a', '--overwrite')
  await refused(job, '/hand/b2', '/hand/a has changed: /hand/a was version 1 and is version 2')
  // What is returned to the state of then is read again.
  await cluster.ok(['rollback', '/hand/a', '--to', '1'])
  await cluster.ok(['rm', '/hand/a/part-7.jsonl'])
  await run('wrong.ts', '-i', '/made.csv', '-o', '/hand/a', '--overwrite')
  await cluster.ok(['rerun', job, '-o', '/hand/b2', '--quiet'])
  expect(await rows('/hand/b2')).toEqual(before)
})

test('an output that was renamed is found where it is: rerun reads it, lineage names it, another output at its old path is not taken for it', async () => {
  const { job, before } = await chain('/moved')
  const [{ job: first, id }] = await lines(['history', '/moved/a']) as [Version]
  await cluster.ok(['mv', '/moved/a', '/moved/old'])
  await run('wrong.ts', '-i', '/sales.csv', '-o', '/moved/a')
  expect((await cluster.run(['why', '/moved/b'])).stdout).toBe(
    'the input /moved/a has changed: /moved/a is another output than the one that was read\n',
  )
  await cluster.ok(['rerun', job, '-o', '/moved/b2', '--quiet'])
  expect(await rows('/moved/b2')).toEqual(before)
  const up = await graphOf('/moved/b')
  expect(up.edges).toContainEqual({ from: '/moved/old@1', to: '/moved/b@1' })
  expect(up.nodes.find(node => node.id === '/moved/old@1')).toMatchObject({ job: first, inode: id, version: 1 })
  expect((await graphOf('/moved/old')).edges).toContainEqual({ from: '/moved/old@1', to: '/moved/b@1' })
  expect((await graphOf('/moved/a')).edges.map(({ to }) => to)).toEqual(['/moved/a@1'])
  // Gone: lineage does not name the other output, and rerun does not read it.
  await cluster.ok(['rm', '-r', '--skip-trash', '/moved/old'])
  expect((await graphOf('/moved/b')).nodes).toContainEqual({
    id: `/moved/a@1#${id}`, kind: 'output', path: '/moved/a', version: 1, inode: id, missing: true,
  })
  await refused(job, '/moved/b3',
    '/moved/a has changed: /moved/a is another output than the one that was read, and version 1 of /moved/a is not kept any more')
})

test('patterns and versions that were named as inputs are found too; two inputs that have become one are refused', async () => {
  const { before } = await chain('/asked')
  const jobs: string[] = []
  for (const [i, inputs] of [['/asked/a/part-*'], ['/asked/a@1/part-*'], ['/asked/a@1'], ['/asked/a', '/asked/a@1']].entries()) {
    await run('top.ts', ...inputs.flatMap(input => ['-i', input]), '-o', `/asked/c${i}`)
    const [{ job }] = await lines(['history', `/asked/c${i}`]) as [Version]
    jobs.push(job!)
  }
  await cluster.ok(['mv', '/asked/a', '/asked/old'])
  await run('wrong.ts', '-i', '/sales.csv', '-o', '/asked/a')
  for (const job of jobs.slice(0, 3)) {
    await cluster.ok(['rerun', job, '-o', `/asked/${job}`, '--quiet'])
    expect(await rows(`/asked/${job}`)).toEqual(before)
  }
  expect(await cluster.run(['rerun', jobs[3]!, '-o', '/asked/twice'])).toMatchObject({
    code: 1, stderr: expect.stringContaining('two of them are /asked/old@1 now; --latest reads them as they are now'),
  })
})

test('a directory that is called like a version is not taken for the version, and the refusal says which name to free', async () => {
  const { job, before } = await chain('/named')
  await run('wrong.ts', '-i', '/sales.csv', '-o', '/named/a', '--overwrite')
  await cluster.ok(['mkdir', '/named/a@1'])
  await cluster.ok(['put', '-', '/named/a@1/part-0.jsonl'], '{"town":"Bonn","total":1}\n')
  await refused(job, '/named/b2', '/named/a has changed: /named/a was version 1 and is version 2; '
    + '/named/a@1 is an entry of that name, which hides the version: rename it')
  await cluster.ok(['mv', '/named/a@1', '/named/other'])
  await cluster.ok(['rerun', job, '-o', '/named/b2', '--quiet'])
  expect(await rows('/named/b2')).toEqual(before)
})

test('after a rollback, lineage tells what was computed from which number, in both directions', async () => {
  await chain('/two')
  await run('wrong.ts', '-i', '/made.csv', '-o', '/two/a', '--overwrite')
  await cluster.ok(['rollback', '/two/a'])
  await cluster.ok(['put', '-', '/two/a/part-7.jsonl'], '{"town":"Bonn","total":1}\n')
  await run('top.ts', '-i', '/two/a', '-o', '/two/c')
  const below = async (path: string): Promise<string[]> =>
    (await graphOf(path)).edges.filter(({ from }) => from.startsWith('/two/a@')).map(({ from, to }) => `${from} ${to}`)
  expect(await below('/two/a@1')).toEqual(['/two/a@1 /two/b@1'])
  expect(await below('/two/a')).toEqual(['/two/a@3 /two/c@1'])
  expect(await below('/two/b')).toEqual(['/two/a@1 /two/b@1'])
  expect(await below('/two/c')).toEqual(['/two/a@3 /two/c@1'])
})
