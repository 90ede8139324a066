// Adaptive rules on a cluster of real processes: stages are rewritten from the sizes of their input, the status says how and why, and each
// rule that is off leaves the same result.

import { mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, expect, test } from 'vitest'
import type { JobStatus } from '../../src/protocol/job.ts'
import { adaptiveRules } from '../../src/plan/adaptive.ts'
import type { TestCluster } from '../kit/cluster.ts'
import { startClusterHere } from './inprocess.ts'

let cluster: TestCluster
let dir: string

const rows = Array.from({ length: 3000 }, (_, id) => ({ id, k: id % 3 > 0 ? 7 : id % 200, text: `row ${id % 13}` }))

beforeAll(async () => {
  dir = await mkdtemp(join(tmpdir(), 'gristmill-adaptive-'))
  cluster = await startClusterHere({ datanodes: 2 })
  await cluster.ok(['put', '--block-size', '8KiB', '-', '/rows.jsonl'], rows.map(row => `${JSON.stringify(row)}\n`).join(''))
})

afterAll(async () => {
  await cluster.stop()
  await rm(dir, { recursive: true, force: true })
})

interface Result { readonly lines: string[]; readonly status: JobStatus; readonly adapted: string[] }

let runs = 0

async function run(name: string, body: string, ...more: string[]): Promise<Result> {
  const file = join(dir, `${name}.ts`)
  await writeFile(file, `import { program } from 'gristmill'
    interface Row { readonly id: number; readonly k: number; readonly text: string }
    export default program<{ input: string, output: string }>((mill, { input, output }) => {
      const rows = mill.jsonl(input).map(row => row as Row)
      ${body}
    })`)
  const output = `/out/${name}${runs++}`
  await cluster.ok(['run', file, '--input', '/rows.jsonl', '--output', output, '--partition-size', '4KiB', ...more])
  const [newest] = (await cluster.ok(['jobs', '--json'])).split('\n')
  const status = JSON.parse(newest!) as JobStatus
  return {
    lines: (await cluster.ok(['cat', `${output}/part-*`])).trim().split('\n'), status,
    adapted: status.stages.flatMap(stage => (stage.adapted ?? []).map(({ rule }) => rule)),
  }
}

const programs: ReadonlyArray<readonly [string, string, readonly string[]]> = [
  [
    'draws', `return rows.filter(row => row.id < 90).groupBy(row => row.k)
      .map((k, all, { random }) => [k, [...all].length, random()] as const)
      .sortBy(([k]) => k).save(output, { format: 'jsonl' })`,
    ['merge-partitions', 'drop-empty-partitions'],
  ],
  [
    'skewed', `return rows.join(rows.filter(row => row.id < 2000), row => row.k % 20, row => row.id, { strategy: 'merge' })
      .map(([a, b]) => a.id + ' ' + b.text).save(output)`,
    ['split-partitions'],
  ],
  [
    'switched', `const few = rows.filter(row => row.id < 6).countBy(row => row.k)
      return rows.leftJoin(few, row => row.k, ([k]) => k).map(([row, found]) => row.id + ' ' + found?.[1]).save(output)`,
    ['switch-joins'],
  ],
]

test.each(programs)('%s: a stage is rewritten, and the result is that without adaptive rules', async (name, body, wanted) => {
  const plain = await run(name, body, ...adaptiveRules.flatMap(({ name: rule }) => ['--without-rule', rule]))
  expect(plain.adapted).toEqual([])
  const { lines, adapted, status } = await run(name, body)
  const isOrdered = body.includes('sortBy')
  expect(isOrdered ? lines : lines.toSorted()).toEqual(isOrdered ? plain.lines : plain.lines.toSorted())
  for (const rule of wanted) expect(adapted).toContain(rule)
  const shown = await cluster.ok(['job', status.job])
  for (const { adapted: rules = [] } of status.stages) for (const { rule, why } of rules) expect(shown).toContain(`: ${rule}, ${why}`)
  // Counters of input and output are those of the same rows.
  expect(status.counters['recordsOut']).toBe(plain.status.counters['recordsOut'])
})
