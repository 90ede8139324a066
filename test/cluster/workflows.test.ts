// Workflows on a cluster of real processes: a build computes what is missing or stale, and nothing else; failures stop only what depends on
// them, and the next build goes on.

import { mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { connect } from '../../client/index.ts'
import type { BuiltDataset } from '../../client/workflows/build.ts'
import type { Version } from '../../src/protocol/version.ts'
import type { Result, TestCluster } from '../kit/cluster.ts'
import { startClusterHere } from './inprocess.ts'

let cluster: TestCluster
let dir: string
const range = ['--to', '2026-11-02']

beforeAll(async () => {
  dir = await mkdtemp(join(tmpdir(), 'gristmill-workflows-'))
  cluster = await startClusterHere({ datanodes: 2 })
  await cluster.ok(['mkdir', '/raw'])
  for (const day of ['01', '02']) await put(`/raw/2026-11-${day}`, `a ${day}\nb 1\n`)
  await written('sums.ts', `
    import { mapReduce, sum, type Emit } from 'gristmill'
    export default mapReduce({
      params: { day: '', factor: 1 },
      map(line, emit: Emit<string, number>, { params }) {
        const [name, n] = line.split(' ')
        if (Number.isNaN(Number(n))) throw new Error('no number in ' + params.day)
        emit(name!, Number(n) * params.factor)
      },
      reduce(name, ns, emit) { emit(name, sum(ns)) },
    })`)
  await written('total.ts', `
    import { program } from 'gristmill'
    export default program(async (mill, { input, output, by }: { input: string[], output: string, by: string }) => {
      const [unit] = await mill.text(by).collect()
      const total = await mill.text(input).map(line => Number(line.split('\\t')[1])).reduce((a, b) => a + b, 0)
      await mill.from([total + unit!]).save(output)
    }, { params: { by: '/unit' } })`)
  await put('/unit', 'g\n')
})

afterAll(async () => {
  await cluster?.stop()
  await rm(dir, { recursive: true, force: true })
})

async function written(name: string, text: string): Promise<string> {
  await writeFile(join(dir, name), text)
  return join(dir, name)
}

const workflow = (name: string, datasets: object, more: object = { start: '2026-11-01' }): Promise<string> => written(
  name, `import { workflow } from 'gristmill'\nexport default workflow(${JSON.stringify({ ...more, datasets })})\n`,
)
const put = (path: string, text: string): Promise<string> => cluster.ok(['put', '-f', '-', path], text)
const rows = async (path: string): Promise<string[]> => (await cluster.ok(['cat', `${path}/part-*`])).trim().split('\n').sort()
const build = (file: string, ...words: string[]): Promise<Result> => cluster.run(['build', '-f', file, ...words, '--json'])
const parsed = ({ stdout }: Result): BuiltDataset[] => stdout.split('\n').filter(Boolean).map(line => JSON.parse(line) as BuiltDataset)
const paths = (result: Result, state: BuiltDataset['state']): string[] =>
  parsed(result).filter(each => each.state === state).map(({ path }) => path).sort()
const versions = async (path: string): Promise<number> =>
  (await cluster.ok(['--json', 'history', path])).trim().split('\n').map(line => JSON.parse(line) as Version).length

const datasets = (factor = 1, more: object = {}) => ({
  '/week': { program: './total.ts', input: '/sums/{start..day}' },
  '/sums/{day}': { program: './sums.ts', input: '/raw/{day}', params: { day: '{day}', factor }, ...more },
  '/words': { program: 'gristmill:wordcount', input: '/sums/*' },
})
const days = ['/sums/2026-11-01', '/sums/2026-11-02']

test('a build computes what is missing or stale, in order, and nothing else', async () => {
  const file = await workflow('workflow.ts', datasets())
  const planned = await build(file, ...range, '--dry-run')
  expect([planned.code, paths(planned, 'planned')]).toEqual([0, [...days, '/week', '/words']])
  const first = await build(file, ...range)
  expect([first.code, paths(first, 'built')], first.stderr).toEqual([0, [...days, '/week', '/words']])
  expect([await rows('/week'), await rows(days[1]!)]).toEqual([['5g'], ['a\t2', 'b\t1']])

  /** Builds after a change, and expects exactly these datasets to be computed again. */
  const after = async (change: () => Promise<unknown>, expected: string[], ...reasons: RegExp[]): Promise<void> => {
    await change()
    const result = await build(file, ...range)
    expect([result.code, paths(result, 'built')], result.stderr).toEqual([0, expected])
    const told = parsed(result).find(({ path }) => path === expected[0])?.reasons.map(({ message }) => message).join('\n')
    for (const reason of reasons) expect(told).toMatch(reason)
  }
  const all = [...days, '/week', '/words']
  await after(async () => {}, [])
  await after(() => put('/raw/2026-11-02', 'a 7\n'), all.slice(1), /\/raw\/2026-11-02 was replaced/)
  expect(await rows('/week')).toEqual(['9g'])
  // What only a step of a program reads, whose result another step uses; and an output that is gone.
  await after(() => Promise.all([put('/unit', 'kg\n'), cluster.ok(['rm', '-r', '/words'])]), ['/week', '/words'], /\/unit was replaced/)
  await after(() => put(`${days[1]}/part-00000`, 'a\t1000\n'), all.slice(1), /files of .* were changed/)
  await after(
    () => workflow('workflow.ts', datasets(2, { reducers: 2 })), all,
    /the parameter factor is 2, and was 1/, /option reducers is 2, and was not set/,
  )
  expect(await rows('/week')).toEqual(['18kg'])
  const { '/sums/{day}': _, ...others } = datasets(2)
  const sums = { program: './sums.ts', input: ['/raw/{day}', '/raw/{day-1}', '/unit*'], params: { day: '{day}' } }
  await put('/unit', '')
  await after(
    () => workflow('workflow.ts', { ...others, '/sums/{day}': sums }), all,
    /option reducers is not set, and was 2/, /parameter factor is 1, and was 2/,
    /the inputs are \/raw\/2026-11-01, \/unit\*, and were \/raw\/2026-11-01$/m,
  )
  const code = `import { mapReduce } from 'gristmill'
    export default mapReduce({
      params: { day: '', factor: 1 }, map(line, emit) { emit('n', 5) }, reduce(key, ns, emit) { for (const n of ns) emit(key, n) },
    })`
  await after(() => written('sums.ts', code), all, /the program is \w+, and was \w+/)
  await after(async () => {}, [])
  // Only what is asked for.
  await put('/raw/2026-11-02', 'one\ntwo\n')
  const asked = await build(file, ...range, '/words', '--force')
  expect([asked.code, paths(asked, 'built')]).toEqual([0, [days[1]!, '/words']])
  const head = await versions(days[1]!)
  expect(await cluster.run(['build', '-f', file, ...range, '/week', '--dry-run'])).toMatchObject({
    code: 0, stdout: `/week: the input ${days[1]} has changed: ${days[1]} was version ${head - 1} and is version ${head}\n` +
      `3 datasets: 1 to build, 2 up to date; nothing was done\n`,
  })
  await put('/unit', 'kg\n')
})

test('a failure stops what depends on it and nothing else, and the next build goes on', async () => {
  await cluster.ok(['mkdir', '/parts'])
  for (const [name, text] of [['1', 'x 1\n'], ['2', 'x one\n'], ['3', 'x 3\n']]) await put(`/parts/${name}`, text!)
  const strict = await written('strict.ts', `
    import { mapReduce } from 'gristmill'
    export default mapReduce({ map(line, emit) {
      const n = Number(line.split(/\\s/)[1])
      if (Number.isNaN(n)) throw new Error('not a number: ' + line)
      emit('x', n)
    } })`)
  const elsewhere = await written('elsewhere.ts', `
    import { program } from 'gristmill'
    export default program(async (mill, { input }: { input: string }) => {
      await mill.from([await mill.text(input).count()]).save('/other-place')
    })`)
  await cluster.ok(['mkdir', '/plain'])
  const from = (input: string | string[], program = strict): object => ({ program, input })
  const file = await workflow('failing.ts', {
    '/f/1': from('/parts/1'), '/f/2': from('/parts/2'), '/f/3': from('/parts/3'), '/g/all': from(['/f/1', '/f/2', '/f/3']),
    '/g/some': from(['/f/1', '/f/3'], 'gristmill:wordcount'),
    '/h': from('/g/all'), '/lost': from('/nowhere/x'), '/plain': from('/parts/1'), '/astray': from('/parts/1', elsewhere),
  }, {})
  const result = await build(file)
  expect([result.code, paths(result, 'built'), paths(result, 'failed'), paths(result, 'skipped')], result.stderr)
    .toEqual([1, ['/f/1', '/f/3', '/g/some'], ['/astray', '/f/2', '/lost', '/plain'], ['/g/all', '/h']])
  for (const reason of [
    '/f/2 could not be built: job ', 'not a number: x one', '/lost could not be built: there is no /nowhere/x',
    '/plain exists, and no job has published it',
  ]) expect(result.stderr).toContain(reason)
  expect(result.stderr).toMatch(/astray could not be built: .*(has not published \/astray|and not to the output \/astray)/)
  expect((await cluster.run(['build', '-f', file, '-n'])).stdout).toMatch(/9 datasets: 4 to build, 2 failed, 3 up to date; nothing was done\n$/)
  await put('/parts/2', 'x 2\n')
  const next = await build(file)
  expect([next.code, paths(next, 'built'), paths(next, 'fresh')], next.stderr)
    .toEqual([1, ['/f/2', '/g/all', '/h'], ['/f/1', '/f/3', '/g/some']])
})

test('what a dataset needs beside its inputs makes it stale, too', async () => {
  const own = await written('own.ts', `
    import { program } from 'gristmill'
    export default program(async (mill, { output }: { output: string }) => { await mill.text('/needed/a').save(output) })`)
  const file = await workflow('needs.ts', {
    '/copy': { program: own, needs: ['/needed', '/stamp'] }, '/needed/a': { program: './total.ts', input: '/numbers' },
  }, {})
  await put('/numbers', 'a\t1\n')
  await put('/stamp', '1')
  const built = async (...words: string[]): Promise<string[]> => paths(await build(file, ...words), 'built')
  expect(await built()).toEqual(['/copy', '/needed/a'])
  expect(await built()).toEqual([])
  await put('/stamp', '2')
  expect(await built('/needed/a')).toEqual([])
  expect(await built('/copy')).toEqual(['/copy'])
  await put('/numbers', 'a\t2\n')
  expect(await built('/copy')).toEqual(['/copy', '/needed/a'])
  expect(await rows('/copy')).toEqual(await rows('/needed/a'))
  expect(await rows('/copy')).toEqual(['2kg'])
  // The time of the path does not tell of a rename, of a change far below, or of a change while the program runs.
  await cluster.ok(['mkdir', '-p', '/ref/deep'])
  for (const path of ['/ref/old', '/ref/deep/a', '/ref/now']) await put(path, `${path}\n`)
  const once = await workflow('once.ts', { '/once': { program: './total.ts', input: '/numbers', needs: '/ref' } }, {})
  const stale = async (): Promise<string> => parsed(await build(once)).find(({ state }) => state === 'built')?.reasons[0]!.message ?? ''
  expect(await stale()).toBe('it does not exist')
  await cluster.ok(['rm', '/ref/now'])
  await cluster.ok(['mv', '/ref/old', '/ref/now'])
  expect(await stale()).toBe('/ref, which it needs, has changed: /ref/now was replaced, /ref/old is gone')
  await put('/ref/deep/a', 'other\n')
  expect(await stale()).toBe('/ref, which it needs, has changed: /ref/deep/a was replaced')
  const mill = await connect({ address: `gristmill://${cluster.namenode.address}`, secretFile: cluster.secretFile })
  try {
    const changes: Array<Promise<unknown>> = []
    const change = ({ job, state }: BuiltDataset): void => { if (job && state === 'building') changes.push(put('/ref/now', 'while\n')) }
    await mill.build(once, { force: true, onDataset: change })
    await Promise.all(changes)
    expect(await stale()).toBe('/ref, which it needs, has changed: /ref/now was replaced')
    expect(await stale()).toBe('')
    // An error of the caller's function ends the build, and its programs.
    const own = new Error('enough')
    const refuse = ({ job }: BuiltDataset): void => { if (job) throw own }
    await expect(mill.build(once, { force: true, onDataset: refuse })).rejects.toThrow('enough')
    await expect.poll(async () => (await mill.jobs()).filter(({ state }) => state === 'running')).toEqual([])
  } finally {
    await mill.close()
  }
  await cluster.ok(['rm', '-r', '/ref'])
  expect((await build(once)).stderr).toContain('/once could not be built: ')
  // The old output is not taken for a new one, if the program saves elsewhere now.
  await written('own.ts', `
    import { program } from 'gristmill'
    export default program(async mill => { if (await mill.text('/numbers').count() > 0) await mill.from([1]).save('/away') })`)
  expect((await build(file, '/copy')).stderr).toContain('own.ts has ended, and has not published /copy')
})

test('two builds at the same time compute each dataset once, and one that is ended is gone on with', async () => {
  await put('/slow', '1\n')
  const slow = await written('slow.ts', `
    import { mapReduce } from 'gristmill'
    export default mapReduce({ params: { ms: 200 }, async map(line, emit, { params }) {
      await new Promise(done => setTimeout(done, params.ms))
      emit(line, 1)
    } })`)
  const file = await workflow('slow-workflow.ts', {
    '/slow1': { program: slow, input: '/slow' }, '/slow2': { program: slow, input: '/slow1' }, '/slow3': { program: slow, input: '/slow2' },
  }, {})
  const both = await Promise.all([build(file), build(file)])
  expect(both.map(({ code }) => code), both.map(({ stderr }) => stderr).join('\n')).toEqual([0, 0])
  for (const path of ['/slow1', '/slow2', '/slow3']) expect(await versions(path), path).toBe(1)
  // Aborted while the second of them runs.
  await put('/slow', '2\n')
  const mill = await connect({ address: `gristmill://${cluster.namenode.address}`, secretFile: cluster.secretFile })
  try {
    const ending = new AbortController()
    await expect(mill.build(file, {
      signal: ending.signal, onDataset: ({ path, job }) => { if (path === '/slow2' && job !== undefined) ending.abort() },
    })).rejects.toMatchObject({ code: 'ABORTED' })
    await expect.poll(async () => (await mill.jobs()).filter(({ state }) => state === 'running')).toEqual([])
    const { datasets: rest } = await mill.build(file)
    expect(rest.map(({ path, state }) => [path, state])).toEqual([['/slow1', 'fresh'], ['/slow2', 'built'], ['/slow3', 'built']])
    // A rejected build tells what has failed.
    await cluster.ok(['rm', '-r', '/slow', '/slow1'])
    await expect(mill.build(file)).rejects.toMatchObject({
      code: 'JOB_FAILED', message: expect.stringContaining('1 of 3 datasets could not be built, and 2 that depend on them were left out; /slow1: '),
      details: { failed: [{ path: '/slow1', code: 'ENOENT' }] },
    })
  } finally {
    await mill.close()
  }
})

test('what another build publishes while a program runs is not replaced, and not computed again', async () => {
  const file = (name: string): string => JSON.stringify(join(dir, name))
  await written('gated.ts', `
    import { existsSync } from 'node:fs'
    import { program } from 'gristmill'
    const waits = existsSync(${file('gate')})
    export default program(async (mill, { output }: { output: string }) => {
      const lines = await mill.text('/unit').count()
      while (waits && !existsSync(${file('open')})) await new Promise(done => setTimeout(done, 20))
      await mill.from([lines]).save(output)
    })`)
  const declared = await workflow('gated-workflow.ts', { '/gated': { program: './gated.ts' } }, {})
  const mill = await connect({ address: `gristmill://${cluster.namenode.address}`, secretFile: cluster.secretFile })
  try {
    await written('gate', '')
    const { promise: begun, resolve } = Promise.withResolvers<unknown>()
    const first = mill.build(declared, { onDataset: ({ job }) => { if (job) resolve(job) } })
    await Promise.race([begun, first])
    await rm(join(dir, 'gate'))
    expect((await mill.build(declared)).datasets).toMatchObject([{ path: '/gated', state: 'built' }])
    await written('open', '')
    expect((await first).datasets).toMatchObject([{ path: '/gated', state: 'fresh' }])
  } finally {
    await mill.close()
  }
  expect(await versions('/gated')).toBe(1)
})

test.each([
  ["export default workflow({ datasets: { '/a': { programme: 'x' } } })", 'the dataset /a does not know "programme"; it knows program, input'],
  ["export default workflow({ datasets: {} })", 'the workflow has no datasets'],
  ["export default workflow({ datasets: { 'a': { program: 'x' } } })", 'the dataset "a" is no path of the cluster'],
  ["export default workflow({ datasets: { '/a': { program: './missing.ts', input: '/unit' } } })", 'missing.ts'],
  ["export default workflow({ datasets: { '/a': { program: 'x', params: { big: 1n } } } })", 'the parameter of /a "big" holds a bigint'],
  ["export default workflow({ timeZone: 'Mars', datasets: { '/a': { program: 'x', input: '/b' } } })", 'the time zone "Mars" is not known'],
  ['export default 5', "the file's default export is no workflow: export default workflow("],
  ["throw new Error('on loading')", 'on loading'],
  ['workflow(', 'does not compile'],
])('%s is refused', async (text, reason) => {
  const file = await written('wrong.ts', `import { workflow } from 'gristmill'\nvoid workflow\n${text}\n`)
  const result = await cluster.run(['build', '-f', file])
  expect(result).toMatchObject({ code: expect.toSatisfy(code => code === 1 || code === 65), stderr: expect.stringContaining(reason) })
  expect(result.stdout).not.toContain(': built')
})

test('a workflow is not a program, and a missing file is named', async () => {
  const file = await workflow('workflow.ts', datasets())
  expect(await cluster.run(['run', file, '-i', '/unit', '-o', '/x'])).toMatchObject({
    code: 65, stderr: expect.stringContaining('build them: gristmill build --file FILE'),
  })
  expect(await cluster.run(['build'])).toMatchObject({
    code: 1, stderr: expect.stringContaining('there is no workflow.ts in this directory; name the file of the workflow: --file FILE'),
  })
  expect(await cluster.run(['build', '-f', file, '/nope'])).toMatchObject({
    code: 1, stderr: expect.stringContaining('the workflow has no dataset /nope'),
  })
})
