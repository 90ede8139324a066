// Jobs on a cluster of real processes, compared with an oracle, while processes are killed.

import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, expect, test } from 'vitest'
import type { JobStatus } from '../../src/protocol/job.ts'
import { run as runProcess, until, type TestCluster } from '../kit/cluster.ts'
import { startClusterHere } from './inprocess.ts'

let cluster: TestCluster
let dir: string
const words = ['grain', 'stone', 'mill', 'water', 'wheel', 'sack', 'flour', 'dust']

/** Lines of words by a fixed rule, and their word counts. */
function text(lines: number): { text: string; counts: Map<string, number> } {
  const counts = new Map<string, number>()
  const rows: string[] = []
  let x = 12345
  for (let line = 0; line < lines; line++) {
    const row: string[] = []
    for (let n = 0; n < 8; n++) {
      x = Math.imul(x, 1103515245) + 12345 >>> 0
      const word = `${words[x % words.length]!}${(x >>> 8) % 40}`
      row.push(word)
      counts.set(word, (counts.get(word) ?? 0) + 1)
    }
    rows.push(row.join(' '))
  }
  return { text: `${rows.join('\n')}\n`, counts }
}

/** With a gate, a file: maps are slow, and the one with the last line waits until the file exists. */
const wordCount = (gate?: string) => `
import { existsSync } from 'node:fs'
import { mapReduce, sum } from 'gristmill'
let seen = 0
export default mapReduce({
  async map(line: string, emit) {
    ${gate === undefined ? '' : heldBy(gate)}
    for (const word of line.split(' ')) emit(word, 1)
  },
  combine: (word, counts) => sum(counts),
  async reduce(word, counts, emit) {
    let total = 0
    for await (const count of counts) total += count
    emit(word, total)
  },
})
`

const input = text(20_000)
const lastLine = input.text.trimEnd().split('\n').at(-1)!
const heldBy = (gate: string): string => `
    if (++seen % 100 === 0) await new Promise(resolve => setTimeout(resolve, 100))
    while (line === ${JSON.stringify(lastLine)} && !existsSync(${JSON.stringify(gate)})) await new Promise(resolve => setTimeout(resolve, 50))`

/** A word count that cannot end before `open` is called. */
async function held(name: string): Promise<{ readonly file: string; open(): Promise<void> }> {
  const gate = join(dir, `${name}.gate`)
  await writeFile(program(`${name}.ts`), wordCount(gate))
  return { file: `${name}.ts`, open: () => writeFile(gate, '') }
}

beforeAll(async () => {
  dir = await mkdtemp(join(tmpdir(), 'gristmill-jobs-'))
  cluster = await startClusterHere({ datanodes: 3 })
  await writeFile(join(dir, 'input.txt'), input.text)
  await cluster.ok(['mkdir', '/in'])
  await cluster.ok(['put', '--block-size', '64KiB', join(dir, 'input.txt'), '/in/'])
  await writeFile(join(dir, 'words.ts'), wordCount())
})

afterAll(async () => {
  await cluster?.stop()
  if (dir) await rm(dir, { recursive: true, force: true })
})

async function outputOf(path: string): Promise<Map<string, number>> {
  const out = await cluster.ok(['cat', `${path}/part-*`])
  const counts = new Map<string, number>()
  for (const line of out.split('\n').filter(Boolean)) {
    const [word, count] = line.split('\t')
    expect(counts.has(word!), `${word} comes twice`).toBe(false)
    counts.set(word!, Number(count))
  }
  return counts
}

const program = (name: string) => join(dir, name)
const wordsOf = (name: string, output: string, ...more: string[]) =>
  ['run', program(name), '--input', '/in', '--output', output, '--reducers', '3', ...more]
const run = (name: string, output: string, ...more: string[]) => cluster.run(wordsOf(name, output, ...more))
const newest = async (): Promise<JobStatus | undefined> => {
  const line = (await cluster.ok(['jobs', '--json', '--limit', '1'])).split('\n')[0]
  return line ? JSON.parse(line) as JobStatus : undefined
}
const runningWith = (output: string, done: number) => until(`a job for ${output} with ${done} tasks done`, async () => {
  const status = await newest()
  return status?.output === output && status.state === 'running' && status.stages[0]!.done >= done && status
})

test('a word count is right, is published whole, and counts what it read', async () => {
  const result = await runProcess(wordsOf('words.ts', '/words', '--json'), cluster.env)
  expect(result.stderr + result.stdout).toContain('succeeded')
  expect(result.code).toBe(0)
  expect(await outputOf('/words')).toEqual(input.counts)
  expect((await cluster.ok(['ls', '/words'])).split(/\s+/)).toContain('_SUCCESS')
  const status = (await newest())!
  expect(status.stages[0]!.tasks).toBeGreaterThan(10)
  expect(status.stages[0]!.counters.recordsIn).toBe(20_000)
  // Every block has a replica on every node, so all input is read locally.
  expect(status.counters.bytesReadLocal).toBe(Buffer.byteLength(input.text))
})

test("an output that exists is refused and left alone; with --overwrite a job's output becomes a version, and with --force anything goes to the trash", async () => {
  await cluster.ok(['mkdir', '-p', '/kept/below'])
  await cluster.ok(['put', '-', '/kept/mine'], 'mine')
  for (const [flags, reason] of [
    [[], '--overwrite'], [['--overwrite'], '--force'],
  ] as const) {
    const refused = await run('words.ts', '/kept', ...flags)
    expect(refused.code).toBe(1)
    expect(refused.stderr).toContain('/kept')
    expect(refused.stderr).toContain(reason)
    expect(await cluster.ok(['cat', '/kept/mine'])).toBe('mine')
  }
  expect((await run('words.ts', '/kept', '--overwrite', '--force')).code).toBe(0)
  expect(await outputOf('/kept')).toEqual(input.counts)
  expect((await cluster.run(['cat', '/kept/mine'])).code).toBe(1)
  await cluster.ok(['trash', 'restore', '/kept', '--to', '/kept-before'])
  expect(await cluster.ok(['cat', '/kept-before/mine'])).toBe('mine')
  expect((await run('words.ts', '/kept', '--overwrite')).code).toBe(0)
  expect(await outputOf('/kept')).toEqual(input.counts)
  expect(await outputOf('/kept@1')).toEqual(input.counts)
  expect((await cluster.run(['rm', '-r', '/kept@1'])).stderr).toContain('a version never changes')
  for (const output of ['/in', '/in/side', '/'])
    expect(await run('words.ts', output, '--overwrite', '--force'), output).toMatchObject({ code: 1, stdout: '' })
  expect((await cluster.ok(['ls', '/in'])).trim()).toBe('input.txt')
})

test('a job that cannot publish what it has computed is published elsewhere, and a reserved output is refused', async () => {
  const late = await held('late')
  await cluster.ok(['mkdir', '/late'])
  const detached = (await run(late.file, '/late/out', '--detach')).stdout.trim()
  expect(await run('words.ts', '/late/out/deeper')).toMatchObject({
    code: 1,
    stderr: expect.stringContaining(`${detached}, which runs, will publish /late/out`),
  })
  expect(await cluster.run(['rm', '-r', '/late'])).toMatchObject({ code: 1, stderr: expect.stringContaining(detached) })
  await cluster.ok(['quota', 'set', '/late', '--names', '1'])
  await late.open()
  const ended = await until('the end of the job', async () => {
    const status = JSON.parse(await cluster.ok(['job', detached, '--json'])) as JobStatus
    return status.state !== 'running' && status.state !== 'publishing' && status
  })
  expect(ended).toMatchObject({ state: 'failed', failure: { message: expect.stringContaining(`gristmill job publish ${detached}`) } })
  expect(await cluster.ok(['job', detached])).toMatch(/^kept {7}.* until .*, or gristmill job drop /m)
  expect(await cluster.run(['job', 'publish', detached])).toMatchObject({ code: 2, stderr: expect.stringContaining('--output') })
  expect(await cluster.run(['job', 'publish', detached, '-o', '/words'])).toMatchObject({
    code: 1, stderr: expect.stringContaining('--overwrite'),
  })
  expect(await cluster.ok(['job', 'publish', detached, '-o', 'late-words'])).toBe(`${detached}: published as /late-words\n`)
  expect(await outputOf('/late-words')).toEqual(input.counts)
  expect(JSON.parse(await cluster.ok(['job', detached, '--json']))).toMatchObject({ state: 'succeeded', output: '/late-words' })
  expect(await cluster.run(['job', 'drop', detached])).toMatchObject({
    code: 1,
    stderr: expect.stringContaining('its output is /late-words already'),
  })
  expect(await cluster.run(['job', 'drop'])).toMatchObject({ code: 2, stderr: expect.stringContaining('missing operand <id>') })
})

test('an input without records gives an empty output', async () => {
  await cluster.ok(['mkdir', '/nothing'])
  expect((await cluster.run(['run', program('words.ts'), '--input', '/nothing', '--output', '/empty'])).code).toBe(0)
  expect((await cluster.ok(['ls', '/empty'])).trim()).toBe('_SUCCESS')
})

test('a program that throws fails its job with the stack of its author and leaves nothing', async () => {
  await writeFile(program('bad.ts'), `import { mapReduce } from 'gristmill'

export default mapReduce({
  map(line: string, emit) {
    if (line.includes('flour')) throw new Error('no flour today')
    emit(line, 1)
  },
})
`)
  const result = await run('bad.ts', '/bad')
  expect(result.code).toBe(1)
  expect(result.stderr).toContain('no flour today')
  expect(result.stderr).toContain('bad.ts:5')
  expect((await cluster.run(['stat', '/bad'])).code).toBe(1)
  expect((await newest())!.stages[0]!.failedAttempts).toBeGreaterThanOrEqual(4)
})

test('a killed job ends, publishes nothing, and leaves no staging behind', async () => {
  const running = run((await held('killed')).file, '/killed')
  const { job } = await runningWith('/killed', 1)
  await cluster.ok(['kill', job])
  expect((await running).code).toBe(130)
  expect((await newest())!.state).toBe('cancelled')
  expect((await cluster.run(['stat', '/killed'])).code).toBe(1)
  await until('the staging of the job to be gone', async () => (await cluster.run(['stat', `/.gristmill/jobs/${job}`])).code === 1)
})

test('while an operator holds the cluster in safe mode a job waits, writes nothing, and goes on afterwards', async () => {
  // Map-only: each of its tasks writes an output file.
  const gate = join(dir, 'copy.gate')
  await writeFile(program('copy.ts'), `import { existsSync } from 'node:fs'
import { mapReduce } from 'gristmill'
let seen = 0
export default mapReduce({ async map(line: string, emit) { ${heldBy(gate)}
 emit(line, 1) } })`)
  const running = cluster.run(['run', program('copy.ts'), '--input', '/in', '--output', '/waited'])
  await runningWith('/waited', 2)
  await cluster.ok(['safemode', 'enter'])
  try {
    const staged = async (): Promise<string> => cluster.ok(['ls', '-R', '/.gristmill/jobs'])
    const [before, files] = [await newest(), await staged()]
    expect(before!.state).toBe('running')
    await new Promise(resolve => setTimeout(resolve, 4_000)) // longer than its slots need for their tasks
    const held = (await newest())!
    expect(held.state).toBe('running')
    expect(held.stages[0]!.done).toBe(before!.stages[0]!.done)
    expect(await staged()).toBe(files)
  } finally {
    await writeFile(gate, '')
    await cluster.ok(['safemode', 'leave']) // the following tests use the same cluster
  }
  expect((await running).code).toBe(0)
  expect((await newest())!.stages[0]!.failedAttempts).toBe(0)
  expect((await cluster.ok(['cat', '/waited/part-*'])).split('\n').sort()).toEqual(input.text.replaceAll('\n', '\t1\n').split('\n').sort())
})

test('committed parts of a running job are neither taken away nor added to, and all of them are published', async () => {
  const gate = join(dir, 'staged.gate')
  await writeFile(program('staged.ts'), `import { existsSync } from 'node:fs'
import { mapReduce } from 'gristmill'
let seen = 0
export default mapReduce({ async map(line: string, emit) { ${heldBy(gate)}
 emit(line, 1) } })`)
  const running = cluster.run(['run', program('staged.ts'), '--input', '/in', '--output', '/staged'])
  const { job } = await runningWith('/staged', 2)
  const output = `/.gristmill/jobs/${job}/output`
  try {
    const parts = (await cluster.ok(['ls', output])).split('\n').filter(line => line.includes('part-'))
    expect(parts.length).toBeGreaterThanOrEqual(2)
    for (const words of [
      ['rm', `${output}/part-*`], ['rm', '-r', '--skip-trash', `/.gristmill/jobs/${job}`], ['mv', output, '/mine'],
      ['put', program('staged.ts'), `${output}/part-99999.txt`], ['chmod', '000', output],
    ]) {
      const refused = await cluster.run(words)
      expect(refused.code, words.join(' ')).toBe(1)
      expect(refused.stderr).toContain(`stays as it is while ${job} runs`)
    }
  } finally {
    await writeFile(gate, '')
  }
  expect((await running).code).toBe(0)
  expect((await cluster.ok(['cat', '/staged/part-*'])).split('\n').sort()).toEqual(input.text.replaceAll('\n', '\t1\n').split('\n').sort())
})

test('a datanode that is killed midway changes nothing in the result', async () => {
  const survivor = await held('survivor')
  const running = run(survivor.file, '/survived')
  await runningWith('/survived', 2)
  await cluster.datanodes[2]!.kill()
  await survivor.open()
  const result = await running
  expect(result.stderr).not.toContain('failed:')
  expect(result.code).toBe(0)
  expect(await outputOf('/survived')).toEqual(input.counts)
  const status = (await newest())!
  expect(status.stages[0]!.counters.recordsIn).toBe(20_000)
  await cluster.datanodes[2]!.start()
})

test('a namenode that is killed midway goes on with the job when it is back, and nothing is counted twice', async () => {
  const resumed = await held('resumed')
  const running = run(resumed.file, '/resumed')
  const before = await runningWith('/resumed', 3)
  await cluster.namenode.kill()
  await resumed.open()
  await cluster.namenode.start()
  const result = await running
  expect(result.stderr).not.toContain('failed:')
  expect(result.code).toBe(0)
  expect(await outputOf('/resumed')).toEqual(input.counts)
  const status = (await newest())!
  expect(status.job).toBe(before.job)
  expect(status.stages[0]!.counters.recordsIn).toBe(20_000)
})

test('console output of a task is in the logs of the job', async () => {
  await writeFile(program('chatty.ts'), `import { mapReduce } from 'gristmill'
export default mapReduce({ map(line: string, emit) { if (line.startsWith('grain1 ')) console.log('seen ' + line.length) } })
`)
  expect((await run('chatty.ts', '/chatty')).code).toBe(0)
  const expected = (await readFile(join(dir, 'input.txt'), 'utf8')).split('\n').filter(line => line.startsWith('grain1 ')).length
  const logs = await cluster.ok(['logs', (await newest())!.job])
  expect(logs.split('\n').filter(line => line.includes('seen ')).length).toBe(expected)
})
