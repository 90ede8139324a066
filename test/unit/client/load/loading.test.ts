// Loading of a program's module, in real child processes: its side effects, variables and failures stay in the child, which ends with the
// load or its abort.

import { mkdir, mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, expect, test, vi } from 'vitest'
import type { RunOptions } from '../../../../client/jobs/options.ts'
import { loadLocal } from '../../../../client/jobs/compile.ts'
import { runProgram, type RunTools } from '../../../../client/jobs/run.ts'
import { Plans } from '../../../../client/load/plans.ts'
import { Preparation } from '../../../../client/load/preparation.ts'
import type { Child, ChildOptions } from '../../../../src/ports/process.ts'
import { silent } from '../../../../src/ports/log.ts'
import { localDisk } from '../../../../src/world/disk.ts'
import { systemClock } from '../../../../src/world/clock.ts'
import { systemRandom } from '../../../../src/world/random.ts'
import { bundledProcesses } from '../../../tidy/bundled.ts'

// Programs are loaded in real processes, on a machine that may have other work.
let dir: string
let started: Child[]
let tools: RunTools
beforeEach(async () => {
  dir = await mkdtemp(join(tmpdir(), 'gristmill-loading-'))
  started = []
  const processes = {
    endStrays: bundledProcesses.endStrays,
    start(options: ChildOptions) {
      const child = bundledProcesses.start(options)
      started.push(child)
      return child
    },
  }
  // A submit ends at the first call to the cluster.
  const ask = async () => { throw new Error('the cluster was asked') }
  tools = {
    cluster: { random: systemRandom(), clock: systemClock, ask } as never,
    files: {} as never, disk: localDisk, log: silent, processes, plans: new Plans(), workingDirectory: dir,
    programDir: join(dir, 'programs'), drivers: new Set(),
  }
})
afterEach(async () => {
  for (const { pid } of started) await expect.poll(() => alive(pid), { timeout: 120_000 }).toBe(false)
  await rm(dir, { recursive: true, force: true })
})

const alive = (pid: number): boolean => {
  try { process.kill(pid, 0); return true } catch { return false }
}

async function submitting(top: string, options: Partial<RunOptions> = {}): Promise<unknown> {
  await writeFile(join(dir, 'job.ts'), `import { mapReduce } from 'gristmill'\n${top}\nexport default mapReduce({ map() {} })\n`)
  return runProgram(tools, 'job.ts', { input: '/in', output: '/out', ...options }).catch((error: unknown) => error)
}
const asked = expect.objectContaining({ message: 'the cluster was asked' })

test.each<[string, string]>([
  ['prints', `console.log('hello'); console.error('world'); process.stdout.write('raw')`],
  ['changes the working directory', `process.chdir('/')`],
  ['leaves a timer', `setInterval(() => {}, 1000)`],
  ['changes what the caller sees', `process.env['SPOILED'] = 'yes'; Object.assign(Array.prototype, { spoiled: 1 }); process.exitCode = 3`],
  ['sends messages', `process.send?.('ready'); process.send?.({ error: 'none' }); process.send?.(null)`],
  ['catches signals', `process.on('SIGINT', () => {}); process.on('exit', () => { console.log('bye') })`],
])('a module that %s when it is loaded does not disturb the caller, and its job is submitted', async (_, top) => {
  const written: string[] = []
  const [out, err] = [vi.spyOn(process.stdout, 'write'), vi.spyOn(process.stderr, 'write')].map(spy =>
    spy.mockImplementation(chunk => {
      written.push(String(chunk))
      return true
    }),
  )
  const [cwd, listeners] = [process.cwd(), process.listenerCount('SIGINT')]
  const outcome = await submitting(top)
  out!.mockRestore()
  err!.mockRestore()
  expect(outcome).toEqual(asked)
  expect(written).toEqual([])
  expect([process.cwd(), process.listenerCount('SIGINT'), process.env['SPOILED'], 'spoiled' in [], process.exitCode]).toEqual([
    cwd, listeners, undefined, false, undefined,
  ])
})

test.each<[string, string, RegExp]>([
  ['ends its process', `console.log('last words'); process.exit(0)`, /its module ended the process \(exit code 0\)/],
  ['kills its process', `process.kill(process.pid, 'SIGKILL')`, /its module ended the process \(SIGKILL\)/],
  ['throws', `throw new Error('at load')`, /cannot be loaded: Error: at load/],
  [
    'forgets a promise',
    `void Promise.reject(new Error('forgotten')); await new Promise(resolve => setTimeout(resolve, 5000))`,
    /its module ended the process \(exit code 1\)/,
  ],
  ['fills its memory', `const kept: unknown[] = []; for (;;) kept.push(new Array(1000).fill({}))`, /used all its memory/],
])('a module that %s is an invalid program, and the caller goes on', async (_, top, message) => {
  const outcome = await submitting(top, { memoryBytes: 64 << 20 })
  expect(outcome).toMatchObject({ code: 'PROGRAM_INVALID', message: expect.stringMatching(message) })
  if (top.includes('last words')) expect(outcome).toMatchObject({ details: { output: 'last words' } })
  if (top.includes('forgotten')) expect(outcome).toMatchObject({ details: { output: expect.stringContaining('forgotten') } })
})

test('a module that never ends to load is given up when the caller aborts', async () => {
  const controller = new AbortController()
  const outcome = submitting(`for (;;) {}`, { signal: controller.signal })
  await expect.poll(() => started.length, { timeout: 120_000 }).toBe(1)
  controller.abort(new Error('enough'))
  expect(await outcome).toMatchObject({ code: 'ABORTED', message: 'the operation was aborted: enough' })
  const late = submitting(`for (;;) {}`, { signal: AbortSignal.abort(new DOMException('too late', 'TimeoutError')) })
  expect(await late).toMatchObject({ code: 'TIMEOUT' })
})

test('a module sees the variables that the run gives, TMPDIR, and no others', async () => {
  const outcome = await submitting(
    `throw new Error(JSON.stringify(Object.entries(process.env).filter(([name]) => !name.startsWith('NODE_')).sort()))`,
    { env: { TOKEN: 'a b', B: '' } },
  )
  expect(outcome).toMatchObject({
    message: expect.stringContaining(
      JSON.stringify([
        ['B', ''], ['TMPDIR', join(dir, 'programs')], ['TOKEN', 'a b'],
      ]),
    ),
  })
  for (const env of [{ '1A': 'x' }, { 'A=B': 'x' }, { NODE_OPTIONS: '--inspect' }, { A: 'x\0' }, { A: 5 as unknown as string }])
    expect(await submitting('', { env })).toMatchObject({ code: 'EINVAL' })
  expect(await submitting('', { env: { A: 'x'.repeat(40_000) } })).toMatchObject({ code: 'TOO_LARGE' })
})

test('old bundles that cannot be removed keep no program from running', async () => {
  await mkdir(tools.programDir)
  for (let i = 0; i < 201; i++) await writeFile(join(tools.programDir, `${i}.mjs`), '')
  const tried: string[] = []
  tools = { ...tools, disk: { ...localDisk, removeTree: async path => { tried.push(path); throw new Error('not ours') } } }
  for (let runs = 0; runs < 2; runs++) expect(await submitting('')).toEqual(asked)
  expect(tried.length).toBe(1)
})

test('the paths of the run are a part of the cache\'s key for a program that gets them, and for no other', async () => {
  const runs = [['/in', '/o1'], ['/in', '/o2'], [['/a', '/b'], '/o2'], ['/in', '/o1']] as const
  for (const [input, output] of runs) expect(await submitting('', { input, output })).toEqual(asked)
  expect(started.length).toBe(1)
  await writeFile(join(dir, 'flow.ts'), `
    import { program } from 'gristmill'
    export default program(async (mill, { input, output }: any) => { await mill.text(input).save(output) })
  `)
  const saved: unknown[] = []
  for (const output of ['/o1', '/o2', '/o1', '/o2']) {
    const paths = { input: '/in', output }
    const given = { local: join(dir, 'flow.ts'), params: { values: {}, texts: {} }, paths, env: {}, seed: 0, nowMs: 0 }
    const { first, hadOneStep } = await loadLocal({ ...tools, ...tools.cluster } as never, given as never, () => undefined)
    saved.push(('step' in first ? first.step.planned : first.planned).output)
    if (!('step' in first)) continue
    first.loading.end()
    hadOneStep(first.step)
  }
  expect([saved, started.length]).toEqual([['/o1', '/o2', '/o1', '/o2'], 3])
})

test('a program that is run again is not loaded again, unless it or its parameters have changed', async () => {
  for (const [top, params, loads] of [
    ['', {}, 1], ['', {}, 1], ['', { n: 1 }, 2], ['// other\nconst x = 1; void x', { n: 1 }, 3], ['', { n: 1 }, 3],
  ] as const) {
    expect(await submitting(top, { params })).toEqual(asked)
    expect(started.length, JSON.stringify([top, params])).toBe(loads)
  }
})

test.each([
  ['saves', '', true, ''],
  ['prints after its step', `console.log('done')`, true, 'done\n'],
  ['waits after its step', 'await new Promise(resolve => { setTimeout(resolve, 20) })', false, ''],
  ['prints more than a pipe holds', `process.stdout.write('é'.repeat(300_000))`, true, 'é'.repeat(300_000)],
])('a program of one step that %s is planned once if it did no more than that', async (_, after, atOnce, printed) => {
  await writeFile(join(dir, 'one.ts'), `
    import { program } from 'gristmill'
    export default program(async mill => { await mill.range(3).save('/out'); ${after} })
  `)
  let output = ''
  const ended = Promise.withResolvers<unknown>()
  const { first } = await loadLocal({ ...tools, ...tools.cluster } as never, {
    local: join(dir, 'one.ts'), params: { values: {}, texts: {} }, env: {}, seed: 0, nowMs: 0,
    onOutput: (text: string) => { output += text },
  } as never, event => ended.resolve(event))
  if (!('step' in first)) throw new Error('the program has a step')
  await first.loading.deliver(1, { lines: [] })
  const event = await ended.promise
  await first.loading.end()
  expect(event).toEqual({ ended: true, atOnce })
  expect([output === printed, first.loading.hasPrinted]).toEqual([true, printed !== ''])
})

/** A program that was begun before its cluster was reached. */
function begun(file: string, where: string | undefined): Preparation {
  const prepared = new Preparation({ file: join(dir, file), env: {}, memoryBytes: undefined, onOutput: undefined })
  prepared.begin({ ...tools, ...tools.cluster }, where)
  return prepared
}

test('a program that was begun before is not begun again, and its process loads no other program and no second run', async () => {
  await writeFile(join(dir, 'job.ts'), `import { mapReduce } from 'gristmill'\n\nexport default mapReduce({ map() {} })\n`)
  const prepared = begun('job.ts', join(dir, 'programs'))
  await expect.poll(() => started.length).toBe(1)
  tools = { ...tools, prepared }
  await writeFile(join(dir, 'other.ts'), `import { mapReduce } from 'gristmill'\nexport default mapReduce({ map() {} })\n`)
  const other = await runProgram(tools, 'other.ts', { input: '/in', output: '/out' }).catch((error: unknown) => error)
  expect([other, started.length]).toEqual([asked, 2])
  // The file has changed since: the run is of what was bundled.
  expect(await submitting('throw new Error("changed")')).toEqual(asked)
  expect(started.length).toBe(2)
  expect(await submitting('throw new Error("changed")')).toMatchObject({ code: 'PROGRAM_INVALID' })
  expect(started.length).toBe(3)
  await prepared.end()
})

test.each([
  ['a directory that is there', 'programs', 4], ['no directory yet', undefined, 2],
])('what was begun in vain is ended: %s', async (_, name, count) => {
  await writeFile(join(dir, 'wrong.ts'), 'export default {')
  for (const file of ['wrong.ts', 'missing.ts']) {
    const prepared = begun(file, name && join(dir, name))
    await prepared.end()
    await prepared.end()
    tools = { ...tools, prepared: begun(file, name && join(dir, name)) }
    const error = await runProgram(tools, file, { input: '/in', output: '/out' }).catch((thrown: unknown) => thrown)
    expect(error).toMatchObject({ code: file === 'wrong.ts' ? 'PROGRAM_INVALID' : 'ENOENT' })
  }
  // `afterEach` waits for the end of all processes.
  expect(started.length).toBe(count)
})

test('where no process can be begun, the run tells why', async () => {
  await writeFile(join(dir, 'file'), '')
  tools = { ...tools, programDir: join(dir, 'file/programs'), prepared: begun('job.ts', join(dir, 'file/programs')) }
  expect(await submitting('')).toMatchObject({ code: 'ENOTDIR' })
  expect(started).toEqual([])
})
