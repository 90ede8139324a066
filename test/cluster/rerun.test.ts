// Reruns of programs over Datasets on a cluster of real processes: the whole program runs again over the inputs of all its steps as they
// were, and ends with an error where it would read anything else.

import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, expect, test } from 'vitest'
import type { Lineage } from '../../client/jobs/lineage.ts'
import type { JobStatus } from '../../src/protocol/job.ts'
import type { Result, TestCluster } from '../kit/cluster.ts'
import { runHere, startClusterHere } from './inprocess.ts'

let cluster: TestCluster
let dir: string

beforeAll(async () => {
  dir = await mkdtemp(join(tmpdir(), 'gristmill-rerun-'))
  cluster = await startClusterHere({ datanodes: 1, settings: { GRISTMILL_REPLICATION: '1' } })
  await program('copy.ts', 'await mill.text(input).save(output)')
})

afterAll(async () => {
  await cluster?.stop()
  await rm(dir, { recursive: true, force: true })
})

async function program(name: string, body: string): Promise<string> {
  const file = join(dir, name)
  await writeFile(file, `import { program } from 'gristmill'\nexport default program(async (mill, { input, output }: any) => {\n${body}\n})\n`)
  return file
}

const put = (path: string, text: string): Promise<string> => cluster.ok(['put', '-f', '-', path], text)
const copy = (from: string, to: string): Promise<string> =>
  cluster.ok(['run', join(dir, 'copy.ts'), '-i', from, '-o', to, '--overwrite', '--quiet'])
const rows = async (path: string): Promise<string[]> => (await cluster.ok(['cat', `${path}/part-*`])).trim().split('\n').sort()

/** Runs a program; returns the ids of its jobs. */
async function run(file: string, ...words: string[]): Promise<string[]> {
  const told = JSON.parse(await cluster.ok(['run', file, ...words, '--json'])) as { job?: string; steps?: JobStatus[] }
  return told.steps ? told.steps.map(({ job }) => job) : [told.job!]
}

const rerun = (job: string, ...words: string[]): Promise<Result> => cluster.run(['rerun', job, ...words])
const refused = (job: string, reason: string) => ({
  code: 1, stderr: expect.stringContaining(`${job} cannot run again over the same inputs: ${reason}`) as unknown,
})

test('every job of a program runs the whole program again: outputs get new versions, inputs that were replaced are read as they were', async () => {
  await put('/raw', 'a\nb\n')
  await copy('/raw', '/base')
  await put('/rates', '2\n')
  const file = await program('several.ts', `
    const [rate] = (await mill.text('/rates').collect()).map(Number)
    await mill.text(input).map(line => line.repeat(rate)).save(output)
    const n = await mill.text(output).count()
    await mill.from([n]).save(output + '-count')
    console.log('lines: ' + n)
  `)
  const jobs = await run(file, '-i', '/base', '-o', '/made')
  expect(jobs).toHaveLength(4)
  await put('/raw', 'c\n')
  await copy('/raw', '/base')
  for (const [i, job] of jobs.entries()) {
    const again = await rerun(job)
    expect(again, again.stderr).toMatchObject({ code: 0, stderr: expect.stringContaining(`${job} is step ${i + 1} of a run of several: the whole program runs again`) })
    expect(again.stdout).toContain('lines: 2\n')
    expect([await rows('/made'), await rows('/made-count')]).toEqual([['aa', 'bb'], ['2']])
  }
  expect((await cluster.ok(['history', '/made'])).match(/^\s*\d+ /gm)).toHaveLength(5)
  // A rerun can be run again, elsewhere, and over the inputs of now.
  const [newest] = (await cluster.ok(['history', '/made', '--json'])).split('\n')
  expect((await rerun((JSON.parse(newest!) as { job: string }).job, '-o', '/other')).code).toBe(0)
  expect([await rows('/other'), await rows('/other-count')]).toEqual([['aa', 'bb'], ['2']])
  expect((await rerun(jobs[3]!, '-o', '/other', '--latest')).code).toBe(0)
  expect([await rows('/other'), await rows('/other-count')]).toEqual([['cc'], ['1']])
  // Lineage of what was computed from a result names what the result was computed from; the saved output is no input of the count alone.
  const graph = JSON.parse(await cluster.ok(['lineage', '/made-count', '--json'])) as Lineage
  expect(graph.edges.map(({ from }) => from)).toEqual(expect.arrayContaining(['/rates', '/base@1']))
  await put('/rates', '3\n')
  expect(await rerun(jobs[1]!)).toMatchObject(refused(jobs[1]!, 'the input /rates has changed: /rates was replaced; --latest reads them as they are now'))
  expect(await cluster.run(['why', '/made-count'])).toMatchObject({ code: 1, stdout: expect.stringContaining('/rates was replaced') })
})

test('a path that no step had read is refused, even if the program handles failures, and nothing is published from it', async () => {
  await put('/known', 'k\n')
  await put('/unknown', 'u\n')
  const jobs = await run(await program('one.ts', 'await mill.text(input).save(output)'), '-i', '/known', '-o', '/one')
  const other = await program('two.ts', `
    const lines = await mill.text('/unknown').collect().catch(() => ['handled'])
    await mill.text(input).map(line => line + lines[0]).save(output)
  `)
  const reason = 'nothing is recorded of the input /unknown, which the program reads now; --latest reads all inputs as they are now'
  expect(await rerun(jobs[0]!, '--code', other)).toMatchObject(refused(jobs[0]!, reason))
  expect(await rows('/one')).toEqual(['k'])
  expect((await rerun(jobs[0]!, '--code', other, '--latest')).code).toBe(0)
  expect(await rows('/one')).toEqual(['ku'])
  // A mended program reads what the old one has read.
  const mended = await program('mended.ts', "await mill.text(input).map(line => line + '!').save(output)")
  expect((await rerun(jobs[0]!, '--code', mended)).code).toBe(0)
  expect(await rows('/one')).toEqual(['k!'])
})

test('an input that did not exist, which the program has handled, does not exist for a rerun either', async () => {
  const file = await program('state.ts', `
    const before = await mill.text('/state').collect().catch(() => [])
    await mill.from([...before, 'line ' + before.length]).save('/state')
    await mill.text('/state').map(line => line + '.').save('/state-copy')
  `)
  const first = await run(file, '--overwrite')
  const second = await run(file, '--overwrite')
  expect(await rows('/state-copy')).toEqual(['line 0.', 'line 1.'])
  expect((await rerun(first.at(-1)!)).code).toBe(0)
  expect([await rows('/state'), await rows('/state-copy')]).toEqual([['line 0'], ['line 0.']])
  // The second run has read the output of the first one, which is an older version by now.
  expect((await rerun(second[0]!)).code).toBe(0)
  expect([await rows('/state'), await rows('/state-copy')]).toEqual([['line 0', 'line 1'], ['line 0.', 'line 1.']])
  expect(await rerun(second[0]!, '-o', '/elsewhere')).toMatchObject({
    code: 1, stderr: expect.stringContaining('was run without an output and names its outputs itself; leave --output out'),
  })
})

test('an input that changed while the program ran fails the step; a run of which no output is left is refused', async () => {
  await put('/moving', '1\n')
  // The second step is asked for when the test has replaced its input.
  const changing = await program('changing.ts', `
    const { existsSync } = await import('node:fs')
    await mill.text(input).save(output)
    while (!existsSync('${join(dir, 'go')}')) await new Promise(resolve => { setTimeout(resolve, 20) })
    await mill.text(input).save('/changing')
  `)
  const running = cluster.run(['run', changing, '-i', '/moving', '-o', '/changed'])
  await until(async () => (await cluster.run(['stat', '/changed/_SUCCESS'])).code === 0)
  await put('/moving', '2\n')
  await writeFile(join(dir, 'go'), '')
  expect(await running).toMatchObject({ code: 1, stderr: expect.stringContaining('/moving was changed since step 1 of the program has read it') })
  const [first] = /job-\d+/.exec(await cluster.ok(['history', '/changed', '--json']))!
  expect(await rerun(first)).toMatchObject(refused(first, 'the input /moving has changed: /moving was replaced'))
  expect((await rerun(first, '--latest')).code).toBe(0)
  expect([await rows('/changed'), await rows('/changing')]).toEqual([['2'], ['2']])
  for (const output of ['/changing', '/changed']) await cluster.ok(['rm', '-r', '--skip-trash', output])
  expect(await rerun(first)).toMatchObject({ code: 1, stderr: expect.stringContaining('no version of an output is left that says what it has read') })
})

async function until(holds: () => Promise<boolean>): Promise<void> {
  while (!await holds()) await new Promise(resolve => { setTimeout(resolve, 20) })
}

test('the program of another user is loaded only if it is trusted: it gets the rights of who runs it again', async () => {
  await cluster.ok(['mkdir', '/eve'])
  await cluster.ok(['chown', 'eve', '/eve'])
  await put('/eve-in', 'a\nb\n')
  const asEve = async (...words: string[]): Promise<string> => {
    const { code, stdout, stderr } = await runHere(words, { ...cluster.env, GRISTMILL_USER: 'eve' })
    expect(code, stderr).toBe(0)
    return stdout
  }
  const loaded = join(dir, 'loaded')
  const name = JSON.stringify(loaded)
  const body = `import { appendFileSync } from 'node:fs'\ntry { appendFileSync(${name}, 'x') } catch {}\n`
  const ofDatasets = await program('eves.ts', 'await mill.text(input).save(output)')
  const ofMapReduce = join(dir, 'evesmap.ts')
  await writeFile(ofMapReduce, "import { mapReduce } from 'gristmill'\nexport default mapReduce({ map(line, emit) { emit(null, line) } })\n")
  for (const [file, out] of [[ofDatasets, '/eve/a'], [ofMapReduce, '/eve/b']] as const) {
    await writeFile(file, body + await readFile(file, 'utf8'))
    const told = JSON.parse(await asEve('run', file, '-i', '/eve-in', '-o', out, '--json')) as { job?: string; steps?: JobStatus[] }
    const job = told.job ?? told.steps![0]!.job
    const before = await readFile(loaded, 'utf8').catch(() => '')
    // A version of the superuser with the same contents: the program is still that of the other user.
    await asEve('rerun', job, '--quiet')
    await cluster.ok(['rollback', out])
    expect(await rerun(job)).toMatchObject({ code: 1, stderr: expect.stringMatching(/ran a program of the user eve, .*--trust.*--code/) })
    expect(await readFile(loaded, 'utf8').catch(() => '')).toBe(before)
    expect((await rerun(job, '--trust', '--quiet')).code).toBe(0)
    expect((await rerun(job, '--code', file, '--quiet')).code).toBe(0)
  }
})
