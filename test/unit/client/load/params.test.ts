// Parameters of a program that is loaded in a real child process: values that JSON would change are refused, with their place, before any
// call to the cluster.

import { mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, expect, test, vi } from 'vitest'
import { runProgram, type RunTools } from '../../../../client/run.ts'
import { Plans } from '../../../../client/load/plans.ts'
import { silent } from '../../../../src/ports/log.ts'
import { localDisk } from '../../../../src/world/disk.ts'
import { systemClock } from '../../../../src/world/clock.ts'
import { systemRandom } from '../../../../src/world/random.ts'
import { bundledProcesses } from '../../../tidy/bundled.ts'

// Programs are loaded in real processes, on a machine that may have other work.
vi.setConfig({ testTimeout: 60_000, hookTimeout: 60_000 })

let dir: string
beforeEach(async () => { dir = await mkdtemp(join(tmpdir(), 'gristmill-params-')) })
afterEach(() => rm(dir, { recursive: true, force: true }))

/** A submit ends at the first call to the cluster. */
const tools = (): RunTools => ({
  cluster: {
    random: systemRandom(), clock: systemClock,
    ask: async () => {
      throw new Error('the cluster was asked')
    },
  } as never,
  files: {} as never, disk: localDisk, log: silent, processes: bundledProcesses, plans: new Plans(), workingDirectory: dir,
  programDir: join(dir, 'programs'),
})

async function submitting(defaults: string, params: Record<string, unknown>): Promise<unknown> {
  await writeFile(
    join(dir, 'job.ts'),
    `import { mapReduce } from 'gristmill'\nexport default mapReduce({ params: ${defaults}, map() {} })\n`,
  )
  return runProgram(tools(), 'job.ts', { input: '/in', output: '/out', params }).catch((error: unknown) => error)
}

test.each<[unknown, RegExp]>([
  [JSON.parse('[{"__proto__":1}]'), /the parameter "p" has an object with the key "__proto__", which no parameter may have/],
  [new Map([['a', 1]]), /the parameter "p" holds a Map, which cannot be written as JSON/],
  [{ at: new Date(0) }, /"p" holds a Date at \.at/], [[1, NaN], /NaN at \[1\]/], [10n, /a bigint/], [Buffer.from('x'), /a Buffer/],
  [new URL('http://a.b'), /a URL/], [() => 1, /a function/],
])('a parameter that would not arrive as it is, is refused (%#)', async (value, message) => {
  expect(await submitting('{}', { p: value })).toMatchObject({ code: 'EINVAL', message: expect.stringMatching(message) })
})

test('so is one of the program\'s own; JSON values and undefined ones pass', async () => {
  expect(await submitting('{ stop: new Set(["a"]) }', {})).toMatchObject({
    code: 'EINVAL',
    message: expect.stringMatching(/the parameter of job "stop" holds a Set/),
  })
  expect(await submitting('{ n: 1 }', { n: undefined, list: [1, { a: null, b: undefined }], text: 'é' })).toMatchObject({
    message: 'the cluster was asked',
  })
})
