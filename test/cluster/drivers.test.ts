// Programs that run several steps, on a cluster of real processes: loops and branches on results, replay in executors, failures, and what
// is left when a program ends, is cancelled or is killed.

import { mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { isDeepStrictEqual } from 'node:util'
import { afterAll, afterEach, beforeAll, expect, test } from 'vitest'
import type { JobStatus } from '../../src/protocol/job.ts'
import { until, type TestCluster } from '../kit/cluster.ts'
import { startClusterHere } from './inprocess.ts'

let cluster: TestCluster
let dir: string

beforeAll(async () => {
  dir = await mkdtemp(join(tmpdir(), 'gristmill-drivers-'))
  cluster = await startClusterHere({ datanodes: 3, settings: { GRISTMILL_QUEUES: 'etl:3,adhoc:1:2' } })
})

afterAll(async () => {
  await cluster.stop()
  await rm(dir, { recursive: true, force: true })
})

/** Results that no program has dropped. */
const left = async (): Promise<string> => (await cluster.ok(['ls', '/.gristmill/jobs'])).trim()

afterEach(async () => { expect(await left()).toBe('') })

async function program(name: string, body: string): Promise<string> {
  const file = join(dir, name)
  await writeFile(file, `import { program } from 'gristmill'\nexport default program(async (mill, { input, output }: any) => {\n${body}\n})\n`)
  return file
}

test('every action gives what plain JavaScript gives, and values come as they were', async () => {
  const file = await program('actions.ts', `
    const numbers = mill.range(1000, { partitions: 4 })
    const odd = [undefined, null, NaN, -0, 1n, 'ü', new Uint8Array([1, 2]), new Date(5), new Map([[1, new Set(['a'])]]), { a: [{}] }]
    const back = await mill.range(odd.length).map(i => odd[i]).collect()
    const isSame = (await import('node:util')).isDeepStrictEqual
    const [all, total, few, first, sum, none, fallback] = await Promise.all([
      numbers.collect(), numbers.count(), numbers.filter(n => n % 300 === 299).take(2), numbers.filter(n => n > 700).first(),
      numbers.reduce((a, b) => a + b), numbers.filter(() => false).reduce((a, b) => a + b), numbers.filter(() => false).reduce((a, b) => a + b, 7),
    ])
    const texts = await numbers.map(n => String(n % 10)).reduce((a, b) => a + b)
    const sorted = await numbers.sortBy(n => n, 'desc', { partitions: 3 }).take(3)
    await numbers.forEachPartition(async (values, { counter }) => { for await (const _ of values) counter('visited') })
    console.log(JSON.stringify({
      back: back.map((value, i) => isSame(value instanceof Uint8Array ? new Uint8Array(value) : value, odd[i])), all: all.every((n, i) => n === i), total, few, first, sum, none: none === undefined, fallback,
      texts: texts === Array.from({ length: 1000 }, (_, n) => n % 10).join(''), sorted, empty: await mill.from([]).collect(), nothing: (await mill.from([]).first()) === undefined,
    }))
  `)
  const result = await cluster.run(['run', file])
  expect(result.code, result.stderr).toBe(0)
  expect(JSON.parse(result.stdout.split('\n').find(line => line.startsWith('{'))!)).toEqual({
    back: Array.from({ length: 10 }, () => true), all: true, total: 1000, few: [299, 599], first: 701, sum: 499500, none: true, fallback: 7,
    texts: true, sorted: [999, 998, 997], empty: [], nothing: true,
  })
  expect(result.stdout).toMatch(/^step 2: collect, job-\d+, /m)
})

test('take and first run one task, and all of them only if that has too few values', async () => {
  const lines = Array.from({ length: 200 }, (_, i) => `line ${i}`)
  await cluster.ok(['put', '--block-size', '512', '-', '/blocks'], `${lines.join('\n')}\n`)
  const file = await program('takes.ts', `
    const all = mill.text('/blocks')
    const numbers = all.map((line, { counter }) => { counter('mapped'); return Number(line.slice(5)) })
    console.log(JSON.stringify([
      await numbers.take(3), await numbers.filter(n => n % 2 === 1).first(), await numbers.filter(n => n > 150).take(2), (await all.take(1000)).length,
    ]))
  `)
  const { stdout, stderr } = await cluster.run(['run', file, '--json'])
  const { steps } = JSON.parse(stdout) as { steps: JobStatus[] }
  expect(stderr).toContain('[[0,1,2],1,[151,152],200]')
  expect(steps.map(({ stages: [stage] }) => stage!.tasks)).toEqual([1, 1, 4, 4])
  expect(steps[0]!.counters['user.mapped']).toBe(3)
})

test('a cached Dataset is computed once, keeps values and order, and hides no input from lineage', async () => {
  await cluster.ok(['put', '--block-size', '512', '-', '/uncached'], Array.from({ length: 300 }, (_, i) => `${i * 7 % 300}\n`).join(''))
  const file = await program('cached.ts', `
    const odd = [undefined, NaN, 1n, 'ü', new Date(5), new Map([[1, 2]])]
    const sorted = mill.text(input).map((line, { counter }) => { counter('parsed'); return Number(line) })
      .sortBy(n => n, 'desc', { partitions: 3 }).map(n => ({ n, odd: odd[n % 6] })).cache()
    const few = sorted.filter(row => row.n < 12).cache()
    const isSame = (await import('node:util')).isDeepStrictEqual
    const [all, count, first] = await Promise.all([sorted.collect(), few.count(), sorted.take(2)])
    console.log(JSON.stringify([
      all.every((row, i) => row.n === 299 - i && isSame(row.odd, odd[row.n % 6])), count, first.map(row => row.n), await few.map(row => row.n).collect(),
    ]))
    await few.union(sorted.filter(row => row.n > 298)).map(row => row.n).sortBy(n => n).save(output)
  `)
  const result = await cluster.run(['run', file, '--input', '/uncached', '--output', '/cached', '--json'])
  expect(result.code, result.stderr).toBe(0)
  expect(result.stderr).toContain(`[true,12,[299,298],[${Array.from({ length: 12 }, (_, i) => 11 - i).join()}]]`)
  const { steps, counters } = JSON.parse(result.stdout) as { steps: JobStatus[]; counters: object }
  expect(counters).toEqual({ 'user.parsed': 300 })
  expect(steps.map(step => step.driver!.method)).toEqual(['cache', 'collect', 'cache', 'take', 'count', 'collect', 'save'])
  expect(steps.map(step => step.counters['user.parsed'])).toEqual([300, ...Array.from({ length: 6 }, () => undefined)])
  const saved = (await cluster.ok(['cat', '/cached/part-*'])).trimEnd().split('\n').map(Number)
  expect(saved).toEqual([...Array.from({ length: 12 }, (_, i) => i), 299])
  // What the output was computed from is the input, and not the files of the cache.
  const lineage = await cluster.ok(['lineage', '/cached'])
  expect(lineage).toContain('/uncached')
  expect(lineage).not.toContain('/.gristmill')
  expect(await cluster.ok(['rerun', steps[6]!.job])).toMatch(/^ {2}user\.parsed {2}300$/m)
  expect(await cluster.ok(['diff', '/cached@1', '/cached'])).toBe('13 kept, 0 added, 0 removed\n')
})

test('a program loops on its results, reads what it has saved, and is one object with its steps in JSON', async () => {
  const file = await program('loop.ts', `
    await mill.range(100).save(output + '/0')
    let rounds = 0
    for (let limit = 100; limit > 5; limit = Math.floor(limit / 2)) {
      const most = limit
      const kept = mill.text(output + '/' + rounds).map(Number).filter(n => n < most)
      await kept.save(output + '/' + ++rounds)
      if (await kept.count() !== most) throw new Error('wrong')
    }
    const big = await mill.range(3000).map(n => 'x'.repeat(10) + n).collect()
    await mill.from([rounds]).map(n => [n, big.length, mill.now > 0, mill.random()] as const).save(output + '/end', { format: 'jsonl' })
  `)
  const words = ['run', file, '--output', '/loop', '--json', '--name', 'halving', '--queue', 'adhoc']
  const { driver, state, steps } = JSON.parse(await cluster.ok(words)) as
    { driver: string; state: string; steps: JobStatus[] }
  expect([typeof driver, state, steps.length]).toEqual(['string', 'succeeded', 13])
  expect(steps.map(({ name }) => name).slice(0, 3)).toEqual(['halving', 'halving#2', 'halving#3'])
  expect(steps.map(step => step.driver!.step)).toEqual(steps.map((_, i) => i + 1))
  expect((await cluster.ok(['cat', '/loop/5/part-*'])).trim().split('\n')).toHaveLength(6)
  const [rounds, size, isTime, drawn] = JSON.parse(await cluster.ok(['cat', '/loop/end/part-*'])) as [number, number, boolean, number]
  expect([rounds, size, isTime]).toEqual([5, 3000, true])
  expect(drawn).toBeGreaterThan(0)
  expect(await cluster.ok(['job', steps[2]!.job, '--json'])).toContain(driver)
})

test('a job that waits for its queue says so until it gets a slot, and queues show what runs and waits', async () => {
  const gate = join(dir, 'gate')
  await writeFile(gate, '')
  const file = await program('held.ts', `
    const { existsSync } = await import('node:fs')
    const held = mill.range(4, { partitions: 4 }).mapAsync(async n => {
      while (existsSync(${JSON.stringify(gate)})) await new Promise(resolve => { setTimeout(resolve, 50) })
      return n
    })
    await held.save(output)
  `)
  const words = (output: string): string[] => ['run', file, '--output', output, '--queue', 'adhoc']
  const first = cluster.ok(words('/held'))
  const queue = async (): Promise<object | undefined> =>
    (JSON.parse(await cluster.ok(['queues', '--json'])) as { queues: Array<{ name: string }> }).queues.find(({ name }) => name === 'adhoc')
  const full = { name: 'adhoc', weight: 1, slotsMax: 2, jobs: 1, running: 2, waiting: 2 }
  await until('two tasks of the first job', async () => isDeepStrictEqual(await queue(), full))
  const second = cluster.run([...words('/second'), '--priority', '3'])
  const newest = async (): Promise<JobStatus> => JSON.parse((await cluster.ok(['jobs', '--limit', '1', '--json'])).trim()) as JobStatus
  const waits = 'for its queue adhoc, of which 2 tasks may run at a time'
  await until('the second job waits', async () => (await newest()).waits === waits)
  expect(await newest()).toMatchObject({ output: '/second', state: 'running', priority: 3 })
  expect(await cluster.ok(['jobs', '--limit', '1'])).toMatch(/ waiting +0\/4 /)
  expect(await cluster.ok(['job', 'last'])).toMatch(/^waits +for its queue adhoc, of which 2 tasks may run at a time$/m)
  expect(await cluster.ok(['queues'])).toMatch(/^adhoc +1 +2 +2 +2 +6$/m)
  await rm(gate)
  await first
  const { code, stderr } = await second
  expect(code, stderr).toBe(0)
  expect(stderr).toContain(`waits ${waits}`)
  expect((await newest()).waits).toBeUndefined()
})

test('the time and the random numbers that a program captures are the same on every machine', async () => {
  const file = join(dir, 'stamp.ts')
  await writeFile(file, `
    import { program } from 'gristmill'
    const loaded = [Date.now(), Math.random(), new Date().getTime()]
    export default program(async (mill, { output }: any) => {
      let seen = [String(new Date()), Math.random()]
      const count = await mill.range(3).count()
      const at = Date.now()
      const first = mill.range(8, { partitions: 8 }).map(() => JSON.stringify([loaded, seen, at])).save(output + '/1')
      seen = [Date.now(), Math.random()]
      await Promise.all([first, mill.range(8, { partitions: 8 }).map(() => JSON.stringify([loaded, seen, at])).save(output + '/2')])
      const own = await mill.range(2, { partitions: 2 }).map(() => Math.random()).collect()
      console.log(JSON.stringify([loaded, seen, at]), new Set(own).size, new Date() instanceof Date, Date.now() >= at)
    })`)
  const rows = async (path: string): Promise<string[]> => (await cluster.ok(['cat', `${path}/part-*`])).trim().split('\n')
  const { stdout } = await cluster.run(['run', file, '--output', '/stamps'])
  const [here, ...others] = stdout.split('\n').find(line => line.startsWith('[['))!.split(' ')
  expect(others).toEqual(['2', 'true', 'true'])
  expect([...await rows('/stamps/1'), ...await rows('/stamps/2')]).toEqual(Array.from({ length: 16 }, () => here))
  // Another run has others.
  await cluster.ok(['run', file, '--output', '/stamps2'])
  expect((await rows('/stamps2/1'))[0]).not.toBe(here)
})

test('a broadcast value is computed where the program is started, small or large, and every machine has that one', async () => {
  const file = await program('broadcast.ts', `
    const { randomUUID } = await import('node:crypto')
    const small = await mill.broadcast(() => { console.log('computed'); return { id: randomUUID(), odd: new Map([[1n, undefined]]) } })
    const [large, plain] = await Promise.all([
      mill.broadcast(async () => Array.from({ length: 20_000 }, (_, i) => [i, randomUUID()] as const)), mill.broadcast(undefined),
    ])
    const told = (): string => [small.id, small.odd.has(1n), large.length, large[19_999], plain].join()
    const rows = await mill.range(6, { partitions: 6 }).map(told).collect()
    const failed = await mill.broadcast(() => { throw new RangeError('no table') }).catch((error: any) => error.code + ' ' + error.message)
    console.log(JSON.stringify([new Set([...rows, told()]).size, failed, await mill.range(2).map(() => failed).first() === failed]))
    for (const wrong of [() => () => 1, Promise.resolve(1)]) console.log((await mill.broadcast(wrong).catch((error: any) => error)).message)
    await mill.range(3).map(told).save(output)
  `)
  const result = await cluster.run(['run', file, '--output', '/broadcast'])
  expect(result.code, result.stderr).toBe(0)
  const printed = result.stdout.split('\n').filter(line => !line.startsWith('step '))
  expect(printed.slice(0, 4)).toEqual([
    'computed', '[1,"TASK_FAILED RangeError: no table",true]', expect.stringMatching(/^broadcast was given /),
    'broadcast was given a promise; await it first, or give a function: mill.broadcast(async () => …)',
  ])
  expect((await cluster.ok(['ls', '/.gristmill/uploads'])).trim()).toBe('')
  const big = await program('big.ts', `await mill.broadcast(new Uint8Array(40 << 20))\nawait mill.range(1).save(output)`)
  const refused = await cluster.run(['run', big, '--output', '/big', '--memory', '128MiB'])
  expect([refused.code !== 0, refused.stderr]).toEqual([true, expect.stringContaining(
    'broadcast was given a value of 40.0 MiB; all values that a program broadcasts may have 32.0 MiB, a quarter of the memory of a task (--memory)')])
})

test('a task that changes what tasks share is refused with its step; the program itself may change results between its steps', async () => {
  const file = await program('shared.ts', `
    const rows = await mill.range(3).map(n => ({ n, tags: ['a'] })).collect()
    const [first, total, shipped] = [await mill.from(rows).first(), await mill.from(rows).reduce((a, b) => ({ ...a, n: a.n + b.n })), await mill.broadcast(new Uint8Array(4))]
    // The program may.
    rows.reverse()
    rows[0]!.n = 7
    const changes: Record<string, () => unknown> = {
      nothing: () => rows.toSorted((a, b) => a.n - b.n), collect: () => rows.push(rows[0]!), element: () => { rows[1]!.tags.length = 0 },
      first: () => { first!.n = 9 }, reduce: () => { total!.tags.push('b') }, broadcast: () => { shipped[2] = 1 },
    }
    for (const [name, change] of Object.entries(changes))
      console.log('told', name, await mill.range(4, { partitions: 2 }).map(n => { change(); return n }).count()
        .then(count => count + ' ' + rows.map(row => row.n).join(''), error => /failed: (.*?)(; tasks|$)/.exec(error.message)?.[1] ?? error.message))
    const initial = { n: 1 }
    const add = (a: { n: number }, b: { n: number }) => { a.n += b.n; return a }
    for (let i = 0; i < 2; i++) console.log('told', (await mill.range(3).map(n => ({ n })).reduce(add, initial)).n, (await mill.from([] as { n: number }[]).reduce(add, initial)) === initial)
  `)
  const { code, stdout, stderr } = await cluster.run(['run', file])
  expect(code, stderr).toBe(0)
  const changed = (name: string): string => `a function of the step has changed ${name}`
  expect(stdout.split('\n').filter(line => line.startsWith('told '))).toEqual([
    'nothing 4 710', `collect ${changed('the result of step 1 (collect)')}`, `element ${changed('the result of step 1 (collect)')}`,
    `first ${changed('the result of step 2 (first)')}`, `reduce ${changed('the result of step 3 (reduce)')}`,
    `broadcast ${changed('the result of step 4 (broadcast)')}`, '4 false', '4 false',
  ].map(line => `told ${line}`))
})

test('a failed step throws in the program, which may handle it; the machines reach later steps over the failure', async () => {
  const file = await program('handled.ts', `
    let told = ''
    try {
      await mill.range(3).map((n: number) => { if (n === 2) throw new RangeError('no two'); return n }).count()
    } catch (error: any) {
      told = error.code + (/no two/.test(error.message) ? ' no two' : '')
    }
    const words = told
    await mill.range(1).map(() => words).save(output)
  `)
  const result = await cluster.run(['run', file, '--output', '/handled', '--attempts', '1'])
  expect(result.code, result.stderr).toBe(0)
  expect(await cluster.ok(['cat', '/handled/part-*'])).toBe('JOB_FAILED no two\n')
  expect(result.stdout).toMatch(/^step 1: count, job-\d+, failed, /m)
})

test.each([
  ['its failed step', `await mill.range(3).count()\nawait mill.text('/absent').count()`, 'no such file or directory'],
  ['its own code', `await mill.range(3).count()\nthrow new RangeError('too few')`, 'the program failed after its step 1: RangeError: too few'],
  ['a step that it does not wait for', `void mill.text('/absent').save(output); await mill.range(3).count()`, 'no such file or directory'],
  ['a result that is too large', `await mill.range(1_000_001).collect()`, 'and a program gets at most 1000000'],
  ['a machine on which it does something else',
    `const n = await mill.range(3).count()\nawait mill.range(n + process.pid).count()`,
    'the program is not deterministic: step 2 (count) was'],
])('a program ends with the failure of %s, and leaves nothing', async (_, body, message) => {
  const result = await cluster.run(['run', await program('failing.ts', body), '--output', '/failing'])
  expect(result.code, result.stderr).not.toBe(0)
  expect(result.stderr).toContain(message)
})

test('a result of more values than a call may have arguments is used by a later step', async () => {
  const file = await program('many.ts', `
    const all = await mill.range(150_000, { partitions: 1 }).collect()
    console.log('told', await mill.from([1]).map(x => x + all.length + all[149_999]).collect())
  `)
  const result = await cluster.run(['run', file])
  expect([result.stderr, result.stdout]).toEqual([expect.anything(), expect.stringContaining('told [ 300000 ]')])
})

test('a program that never uses the output of the run is refused before a job runs, also detached', async () => {
  const other = await program('other.ts', `await mill.range(3).save('/other1'); await mill.range(3).save('/other2')`)
  for (const how of [[], ['--detach']]) {
    const refused = await cluster.run(['run', other, '--output', '/several', ...how])
    expect([refused.code === 0, refused.stderr]).toEqual([false, expect.stringContaining('other saves to /other1 and /other2, and not to the output')])
  }
  const one = await program('one.ts', 'await mill.range(3).save(output)')
  const queued = await cluster.run(['run', one, '--output', '/other', '--queue', 'etc'])
  expect([queued.code === 0, queued.stderr]).toEqual([false, expect.stringContaining('there is no queue etc; the queues are default, etl, adhoc')])
  expect(await cluster.ok(['ls', '/'])).not.toMatch(/several|other/)
})

test('all that a program prints is printed, whole lines and whole characters, also before its first step and at its very end', async () => {
  const file = await program('prints.ts', `
    for (let i = 0; i < 1000; i++) console.log('before', i)
    console.error('an error')
    await mill.range(3).count()
    console.log('é'.repeat(150_001))
    process.stdout.write('half a ')
    await mill.range(3).map(n => n).count()
    console.log('line')
    console.log('')
    for (let i = 0; i < 50_000; i++) console.log('after', i)
    process.stdout.write('the end')
  `)
  const { code, stdout, stderr } = await cluster.run(['run', file])
  expect(code, stderr).toBe(0)
  const wanted = [
    ...Array.from({ length: 1000 }, (_, i) => `before ${i}`), 'é'.repeat(150_001), 'half a line', '',
    ...Array.from({ length: 50_000 }, (_, i) => `after ${i}`), 'the end', '',
  ]
  const printed = stdout.split('\n').filter(line => !line.startsWith('step '))
  expect(printed.length).toBe(wanted.length)
  expect(printed.findIndex((line, i) => line !== wanted[i])).toBe(-1)
  expect(stderr).toMatch(/^an error$/m)
})

test('an input that is replaced between two steps fails the second one, which the program may handle; new files are left out', async () => {
  const file = await program('replaced.ts', `
    const numbers = mill.text('/growing').map(Number)
    const total = await numbers.reduce((a, b) => a + b)
    console.log('total', total)
    const { existsSync } = await import('node:fs')
    while (!existsSync(input)) await new Promise(resolve => { setTimeout(resolve, 20) })
    await numbers.map(n => n / total!).save(output).catch((error: any) => { console.log(error.code, error.message) })
    console.log(await mill.text('/growing').count().catch((error: any) => error.code))
  `)
  for (const [name, change] of [['grown', '/growing/b'], ['changed', '/growing/a']] as const) {
    await cluster.run(['rm', '-r', '/growing'])
    await cluster.ok(['mkdir', '/growing'])
    await cluster.ok(['put', '-', '/growing/a'], '1\n3\n')
    const flag = join(dir, name)
    const running = cluster.run(['run', file, '--input', flag, '--output', `/${name}`, '--name', name])
    await until('the first step has ended', async () => new RegExp(`succeeded.* ${name} `).test(await cluster.ok(['jobs'])))
    await cluster.ok(['put', '-f', '-', change], '4\n')
    await writeFile(flag, '')
    const { stdout, stderr } = await running
    expect(stdout).toContain('total 4\n')
    if (name === 'grown') {
      expect([stderr, await cluster.ok(['cat', '/grown/part-*'])]).toEqual([expect.stringContaining('left out, because'), '0.25\n0.75\n'])
      expect(stdout).toMatch(/^2$/m)
    } else {
      expect(stdout).toMatch(/EBUSY.*\/growing\/a was changed since step 1/)
      expect(stdout).toMatch(/^EBUSY$/m)
    }
  }
})
