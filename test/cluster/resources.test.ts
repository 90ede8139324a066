// Slots and memory that programs declare, and tasks that run out of memory, in an embedded cluster with executors of the bundle: two slots
// of 64 MiB, and 256 MiB for all tasks.

import { mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, expect, test } from 'vitest'
import type { Mill } from '../../client/mill.ts'
import type { RunOptions } from '../../client/jobs/options.ts'
import type { JobStatus } from '../../src/protocol/job.ts'
import { openHere } from './inprocess.ts'

let dir: string
let mill: Mill

beforeAll(async () => {
  dir = await mkdtemp(join(tmpdir(), 'gristmill-resources-'))
  mill = await openHere(join(dir, 'home'), { slots: 2, memory: '64MiB', nodeMemory: '256MiB' })
  await mill.writeFile('/in', 'a\nb\n')
})
afterAll(async () => {
  await mill?.close()
  await rm(dir, { recursive: true, force: true })
})

/** Holds some 60 MiB on the heap of a task, which is more than its share of 64 MiB, and less than that of 128 MiB. */
const large = 'const kept = []; while (kept.length < 4) kept.push(Array.from({ length: 1_900_000 }, (_, i) => i + 0.5))'

async function run(name: string, code: string, options: RunOptions = {}): Promise<JobStatus> {
  const file = join(dir, `${name}.js`)
  await writeFile(file, code)
  const started = await mill.run(file, { input: '/in', output: `/out/${name}`, attemptsMax: 1, ...options })
  return started.wait()
}

const dataset = (body: string): string => `import { program } from 'gristmill'
export default program(async (mill, { input, output }) => { await mill.text(input)${body}.save(output) })`

const failed = ({ stages }: JobStatus): number => stages.reduce((sum, { failedAttempts }) => sum + failedAttempts, 0)

test('a task that has used up its memory runs again with that of all slots, and its output is that of one run', async () => {
  const status = await run('again', dataset(`.map(line => { ${large}; return line + kept.length })`))
  expect([status.state, failed(status) > 0]).toEqual(['succeeded', true])
  expect(await mill.readFile('/out/again/part-00000.txt', 'utf8')).toBe('a4\nb4\n')
})

test('a task that declares the memory has it at once', async () => {
  const status = await run('declared', `import { mapReduce } from 'gristmill'
export default mapReduce({
  resources: { map: { cpu: 2, memory: '128MiB' } },
  map(line, emit) { ${large}; emit(line, kept.length) },
})`)
  expect([status.state, failed(status)]).toEqual(['succeeded', 0])
})

test('a task for which the memory of all slots is too little fails with what it had, and is not tried for ever', async () => {
  const running = run('never', dataset('.map(line => { const kept = []; for (;;) kept.push(new Array(10_000).fill(0.5)) })'), { attemptsMax: 4 })
  await expect(running).rejects.toThrow(/used more than 128 MiB of memory.*has run alone on its datanode/s)
})

test('a job whose tasks no datanode can run is refused, with what the datanodes have', async () => {
  const many = run('many', dataset(`.map(line => line).resources({ cpu: 3 })`))
  await expect(many).rejects.toMatchObject({ code: 'EINVAL', message: expect.stringMatching(/"map" needs 3 slots.*one has are 2 slots/) })
  const much = run('much', dataset(`.map(line => line).resources({ memory: '1GiB' })`))
  await expect(much).rejects.toMatchObject({ code: 'EINVAL', message: expect.stringMatching(/1\.0 GiB of memory.*256 MiB for all/) })
  await expect(run('more', dataset('.map(line => line)'), { cpu: 3 })).rejects.toMatchObject({ code: 'EINVAL' })
  // What the run says is in place of what the program declares.
  const less = await run('less', dataset(`.map(line => line).resources({ cpu: 3 })`), { cpu: 2 })
  expect(less.state).toBe('succeeded')
  // A rerun has it too.
  const again = await mill.rerun(less.job)
  expect((await again.wait()).state).toBe('succeeded')
})
