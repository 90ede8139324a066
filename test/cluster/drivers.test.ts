// Programs that run several steps, on a cluster of real processes: loops and branches on results, replay in executors, failures, and what
// is left when a program ends, is cancelled or is killed.

import { mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, afterEach, beforeAll, expect, test } from 'vitest'
import type { JobStatus } from '../../src/protocol/job.ts'
import type { TestCluster } from '../kit/cluster.ts'
import { startClusterHere } from './inprocess.ts'

let cluster: TestCluster
let dir: string

beforeAll(async () => {
  dir = await mkdtemp(join(tmpdir(), 'gristmill-drivers-'))
  cluster = await startClusterHere({ datanodes: 3 })
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
  const { driver, state, steps } = JSON.parse(await cluster.ok(['run', file, '--output', '/loop', '--json', '--name', 'halving'])) as
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
