// Job of the library, on a namenode and datanodes that reply from a table: submit, watch, tasks, logs, kept output and abort. Nothing is
// stored or sent for a job that is refused, and restarts of servers are survived.

import { expect, test } from 'vitest'
import type { CallMessage, Cluster } from '../../../../client/call/cluster.ts'
import { Job, listJobs } from '../../../../client/jobs/job.ts'
import type { ProgramStore } from '../../../../client/jobs/storeprogram.ts'
import { RunInputs } from '../../../../client/jobs/runinputs.ts'
import { submitJob, type Submission } from '../../../../client/jobs/submit.ts'
import { GristmillError } from '../../../../src/base/errors.ts'
import { address, attemptId, jobId, nodeId, programId } from '../../../../src/base/ids.ts'
import { crcOf } from '../../../../src/block/checksum.ts'
import type { Clock } from '../../../../src/ports/clock.ts'
import type { JobSpec, JobStatus } from '../../../../src/protocol/job.ts'
import { locate } from '../../../../src/protocol/namespace.ts'
import { namespaceOf } from './kit.ts'

const job = jobId('job-1')
const statusOf = (state: JobStatus['state'], version: number, more: Partial<JobStatus> = {}): JobStatus => ({
  job, name: 'n', user: 'ann', state, version, output: '/out', submittedMs: 1, stages: [], counters: {},
  ...(state === 'running' ? {} : { finishedMs: 2 }), ...more,
})

/** A cluster whose namenode and datanodes reply with these functions, by name of the call. */
function clusterOf(answers: Record<string, (request: never) => unknown>, nodeAnswers: Record<string, (request: never) => unknown> = {}) {
  const asked: Array<{ name: string; request: unknown }> = []
  const { ask: names } = namespaceOf({ '/in/a': { blocks: [[100, 'a']] }, '/taken/_SUCCESS': {} })
  const answer = (table: typeof answers) => async (name: string, request: unknown) => {
    asked.push({ name, request })
    return table[name]!(request as never)
  }
  let nowMs = 0
  const cluster: Cluster = {
    ask: (async (message, request, signal) => {
      signal?.throwIfAborted()
      return answers[message.name] ? answer(answers)(message.name, request) : names(message, request, signal)
    }) as CallMessage,
    askNode: (async (to, message, request) => answer(nodeAnswers)(`${message.name}@${to}`, request)) as Cluster['askNode'],
    clock: {
      async sleep(ms: number, signal?: AbortSignal) { nowMs += ms; signal?.throwIfAborted() },
      mono: () => nowMs,
    } as Clock,
    random: { below: () => 42, id: () => 'a1b2' } as never,
  }
  return { cluster, asked }
}

const submission = (more: Partial<Submission> = {}): Submission => ({
  name: 'words', program: { id: programId('abc'), bytes: Buffer.from('export default 1') }, params: { k: 'v' }, fingerprint: 'f',
  stages: [
    { name: 'map', inputs: [{ kind: 'files', options: { format: 'lines' } }], broadcasts: [], isSampling: false,
      output: { kind: 'shuffle', partitions: 2 } },
    { name: 'reduce', inputs: [{ kind: 'shuffle', stage: 0, partitions: 2 }], broadcasts: [], isSampling: false,
      output: { kind: 'files', format: 'text' } },
  ],
  input: ['/in'], head: async () => Buffer.from('some lines\n'), output: 'out', outputFormat: 'text',
  inputs: new RunInputs(undefined).step({ number: 1 }), ...more,
})

/** The file stored under a program's name has the program's bytes, unless the test changes it. */
const stores = (write: (path: string) => Promise<void>): ProgramStore => ({
  write,
  read: async () => Buffer.from(submission().program.bytes),
})

test('watch yields every change once, up to the end', async () => {
  const replies = [statusOf('running', 1), statusOf('running', 3), statusOf('running', 3), statusOf('succeeded', 4)]
  const { cluster, asked } = clusterOf({ 'job.watch': () => replies.shift() })
  const seen: number[] = []
  for await (const status of new Job(cluster, job).watch()) seen.push(status.version)
  expect(seen).toEqual([1, 3, 4])
  expect(asked.map(each => (each.request as { after?: number }).after)).toEqual([undefined, 1, 3, 3])
})

test('a watcher outlives a restart of the namenode', async () => {
  const replies: Array<JobStatus | Error> = [
    statusOf('running', 9), new GristmillError('UNAVAILABLE', 'gone'), new GristmillError('SAFE_MODE', 'wait'), statusOf('running', 1),
    statusOf('succeeded', 2),
  ]
  const { cluster } = clusterOf({ 'job.watch': () => {
    const reply = replies.shift()!
    if (reply instanceof Error) throw reply
    return reply
  } })
  const seen: string[] = []
  for await (const status of new Job(cluster, job).watch()) seen.push(`${status.state} ${status.version}`)
  expect(seen).toEqual(['running 9', 'running 1', 'succeeded 2'])
})

test('waiting throws what made the job fail, with the stack of the user', async () => {
  const failure = {
    code: 'TASK_FAILED', message: 'word is not a function', stack: 'at words.ts:3:9', record: { path: '/in/a', offset: 12 },
  }
  const failed = clusterOf({ 'job.watch': () => statusOf('failed', 2, { failure }) })
  await expect(new Job(failed.cluster, job).wait()).rejects.toMatchObject({
    code: 'JOB_FAILED',
    message: expect.stringContaining('word is not a function'),
    details: { failure },
  })
  const cancelled = clusterOf({ 'job.watch': () => statusOf('cancelled', 2) })
  await expect(new Job(cancelled.cluster, job).wait()).rejects.toMatchObject({ code: 'JOB_CANCELLED' })
  const refusal = { code: 'CHECK_REFUSED', message: 'the check has refused the output: too few rows' }
  const refused = clusterOf({ 'job.watch': () => statusOf('failed', 2, { failure: refusal }) })
  await expect(new Job(refused.cluster, job).wait()).rejects.toMatchObject({
    code: 'CHECK_REFUSED', exitCode: 4, message: `job ${job} has published nothing: ${refusal.message}`, details: { failure: refusal },
  })
  const unknown = clusterOf({ 'job.watch': () => { throw new GristmillError('ENOENT', 'no such job') } })
  await expect(new Job(unknown.cluster, job).wait()).rejects.toMatchObject({ code: 'ENOENT' })
})

test('tasks come page after page', async () => {
  const pages: Record<string, unknown> = { undefined: { tasks: [1, 2], next: 2 }, 2: { tasks: [3] } }
  const { cluster } = clusterOf({ 'job.tasks': ({ from }: { from?: number }) => pages[String(from)] })
  expect(await Array.fromAsync(new Job(cluster, job).tasks() as AsyncIterable<unknown>)).toEqual([1, 2, 3])
})

test('logs are read from every node, one that does not answer is reported at the end, and following goes on until the job is over', async () => {
  const id = (task: number) => attemptId({ job, stage: 0, task, attempt: 0 })
  const statuses = [statusOf('running', 1), statusOf('succeeded', 2)]
  const grown = { [id(0)]: ['one\n', '', 'two\n', ''], [id(1)]: [] as string[] }
  const { cluster } = clusterOf(
    {
      'job.watch': () => (statuses.length > 1 ? statuses.shift() : statuses[0]),
      'job.logs': ({ from }: { from: number }) =>
        from === 0
          ? {
              attempts: [
                { attempt: id(0), node: nodeId('a'), address: address('a:1'), alive: true },
                { attempt: id(1), node: nodeId('b'), address: address('b:1'), alive: false },
              ],
              next: 2,
            }
          : { attempts: [{ attempt: id(2), node: nodeId('c'), address: address('c:1'), alive: true }] },
    },
    {
      'task.log@a:1': ({ attempt, offset }: { attempt: string; offset: number }) => {
        const text = grown[attempt]!.shift()
        return text === undefined ? { text: '' } : { text, next: offset + text.length }
      },
      'task.log@c:1': () => {
        throw new GristmillError('UNAVAILABLE', 'c does not answer')
      },
    },
  )
  const pieces = await Array.fromAsync(new Job(cluster, job).logs({ follow: true }))
  expect(pieces.map(({ attempt, text, unreachable }) => `${attempt} ${text.trim()}${unreachable ?? ''}`)).toEqual([
    `${id(0)} one`, `${id(0)} two`, `${id(1)} node b is not connected to the namenode; its logs can be read once it is back`,
    `${id(2)} c does not answer`,
  ])
})

test('a follower of logs goes on across restarts of the namenode and of the node that has the log', async () => {
  const id = attemptId({ job, stage: 0, task: 0, attempt: 0 })
  const gone = () => { throw new GristmillError('UNAVAILABLE', 'no answer') }
  const running = () => statusOf('running', 1)
  const asked: number[] = []
  const place = (alive: boolean) => () => ({ attempts: [{ attempt: id, node: nodeId('a'), address: address('a:1'), alive }] })
  const watches = [running, gone]
  const places = [place(true), gone, place(false)]
  const logs = [() => ({ text: 'one\n', next: 4 }), () => ({ text: '', next: 4 }), gone, () => ({ text: 'two\n', next: 8 })]
  const { cluster } = clusterOf(
    {
      'job.watch': () => (watches.shift() ?? (logs.length > 0 ? running : () => statusOf('succeeded', 2)))(),
      'job.logs': () => (places.shift() ?? place(true))(),
    },
    {
      'task.log@a:1': ({ offset }: { offset: number }) => {
        asked.push(offset)
        return (logs.shift() ?? (() => ({ text: '' })))()
      },
    },
  )
  const pieces = await Array.fromAsync(new Job(cluster, job).logs({ follow: true }))
  expect(pieces.map(({ text, unreachable }) => unreachable ?? text)).toEqual(['one\n', 'two\n'])
  expect(asked).toEqual([0, 4, 4, 4, 8])
})

test('a log that its node no longer has is reported, and one of an attempt that has not begun is not', async () => {
  const place = (task: number, ended?: boolean) => ({
    attempt: attemptId({ job, stage: 0, task, attempt: 0 }), node: nodeId('a'), address: address('a:1'), alive: true, ended,
  })
  const { cluster } = clusterOf(
    {
      'job.watch': () => statusOf('succeeded', 1),
      'job.logs': () => ({ attempts: [place(0, true), place(1, false), place(2), place(3, true)] }),
    },
    // The node has the log of task 3 only.
    { 'task.log@a:1': ({ attempt, offset }: { attempt: string; offset: number }) =>
      attempt === place(3).attempt ? { text: 'three\n' } : { text: '', next: offset, absent: true } },
  )
  for (const follow of [false, true]) {
    const pieces = await Array.fromAsync(new Job(cluster, job).logs({ follow }))
    expect(pieces.map(({ attempt, text, unreachable }) => [attempt, unreachable ?? text])).toEqual([
      [place(3).attempt, 'three\n'], [place(0).attempt, expect.stringContaining('node a no longer has this log')],
    ])
  }
})

test('attempts that end after their job, and those that the namenode lists no more, are read to their end', async () => {
  const id = (task: number) => attemptId({ job, stage: 0, task, attempt: 0 })
  const place = (task: number) => ({ attempt: id(task), node: nodeId('a'), address: address('a:1'), alive: true, ended: false })
  const texts = { [id(0)]: 'abcde', [id(1)]: 'vwxyz' }
  // One character more at each look; the first attempt never ends.
  const seen: Record<string, number> = { [id(0)]: 0, [id(1)]: 0 }
  const places = [[place(0), place(1)]]
  const { cluster } = clusterOf(
    { 'job.watch': () => statusOf('cancelled', 1), 'job.logs': () => ({ attempts: places.shift() ?? [place(0)] }) },
    {
      'task.log@a:1': ({ attempt, offset }: { attempt: string; offset: number }) => {
        const text = texts[attempt]!.slice(offset, ++seen[attempt]!)
        const isOver = attempt === id(1) && offset + text.length === texts[attempt]!.length
        return { text, ...!isOver && { next: offset + text.length } }
      },
    },
  )
  const pieces = await Array.fromAsync(new Job(cluster, job).logs({ follow: true }))
  const textOf = (attempt: string) => pieces.filter(piece => piece.attempt === attempt).map(({ text, unreachable }) => unreachable ?? text)
  expect(textOf(id(1)).join('')).toBe('vwxyz')
  expect(textOf(id(0)).slice(0, -1).join('')).toBe('abcde')
  expect(textOf(id(0)).at(-1)).toMatch(/has not ended with its job/)
})

test('a submission stores its program once, splits its input and sends both', async () => {
  let spec: JobSpec | undefined
  const stored: string[] = []
  const { cluster } = clusterOf({ 'job.submit': (request: { spec: JobSpec }) => { spec = request.spec; return { job } } })
  const handle = await submitJob(cluster, stores(async path => void stored.push(path)), submission())
  expect(handle.id).toBe(job)
  expect(stored).toEqual(['/.gristmill/programs/abc.js'])
  expect(spec).toMatchObject({
    name: 'words',
    program: { id: 'abc', path: '/.gristmill/programs/abc.js' },
    params: { k: 'v' }, seed: 42, output: { path: '/out', overwrite: false },
    stages: [
      { input: { kind: 'packed', splits: [expect.stringContaining('/in/a')], options: { format: 'lines' } } },
      { input: { kind: 'shuffle', stage: 0 } },
    ],
  })
})

test('an input that changed while a rerun was being planned is refused before anything is sent', async () => {
  const first = clusterOf({ 'job.submit': () => ({ job }) })
  await submitJob(first.cluster, stores(async () => undefined), submission())
  const { digest } = (first.asked[0]!.request as { spec: JobSpec }).spec.origin!.pins[0]!
  const again = clusterOf({ 'job.submit': () => ({ job }) })
  const pinned = (path: string, as: string) => {
    const inputs = new RunInputs(undefined, { job: 'job-1', inputs: new Map([[path, { path: '/in', digest: as }]]), absent: new Set() })
    return submitJob(again.cluster, stores(async () => undefined), submission({ inputs: inputs.step({ number: 1 }) }))
  }
  await expect(pinned('/in', 'another')).rejects.toMatchObject({
    code: 'EBUSY', message: 'the input /in was changed while the job was being planned; submit it again',
  })
  await expect(pinned('/else', digest)).rejects.toMatchObject({
    code: 'EINVAL', message: expect.stringContaining('nothing is recorded of the input /in, which the program reads now'),
  })
  expect(again.asked).toEqual([])
  expect((await pinned('/in', digest)).id).toBe(job)
})

test('splits that the namenode has lost since they were sent are sent again, and not for ever', async () => {
  const stale = () => { throw new GristmillError('ESTALE', 'the splits are not there any more') }
  let lost = 2
  const { cluster, asked } = clusterOf({ 'job.submit': () => (lost-- > 0 ? stale() : { job }) })
  expect((await submitJob(cluster, stores(async () => undefined), submission())).id).toBe(job)
  expect(asked.map(each => each.name)).toEqual(['job.submit', 'job.submit', 'job.submit'])
  const never = clusterOf({ 'job.submit': stale })
  await expect(submitJob(never.cluster, stores(async () => undefined), submission())).rejects.toMatchObject({ code: 'ESTALE' })
})

test('a job that other processes may send has a request id of its name and try, and the namenode looks at its output', async () => {
  let lost = 1
  const { cluster, asked } = clusterOf({ 'job.submit': () => {
    if (lost-- > 0) throw new GristmillError('ESTALE', 'the splits are not there any more')
    return { job }
  } })
  const sent: string[] = []
  const onReady = async () => {
    sent.push(...asked.map(({ name }) => name))
    return 'run.1.all.f'
  }
  expect((await submitJob(cluster, stores(async () => undefined), submission({ output: '/taken', onReady }))).id).toBe(job)
  expect(asked.map(({ request }) => (request as { requestId?: string }).requestId)).toEqual(['run.1.all.f.0', 'run.1.all.f.1'])
  expect(sent).toEqual([])
  const plain = submitJob(cluster, stores(async () => undefined), submission({ output: '/taken' }))
  await expect(plain).rejects.toMatchObject({ code: 'EEXIST' })
})

/** Files stored under the names of programs and assets, with bytes and owners. */
function shelf(
  files: Record<string, { readonly bytes: string; readonly owner?: string } | undefined>,
  counted?: { reads: string[]; atOnce: number },
) {
  const find = (path: string) => {
    if (path === '/in') return { path, type: 'directory' }
    const found = files[path]
    if (!found) throw new GristmillError('ENOENT', path)
    return { path, type: 'file', length: found.bytes.length, owner: found.owner ?? 'bob' }
  }
  const names = namespaceOf({ '/in/a': { blocks: [[100, 'a']] } }).ask
  let reading = 0
  return {
    answers: {
      'job.submit': () => ({ job }),
      'namespace.stat': ({ path }: { path: string }) => find(path),
      'namespace.locate': (request: { path: string }) =>
        request.path.startsWith('/in')
          ? names(locate, request)
          : {
              status: find(request.path),
              blocks: [{ length: files[request.path]!.bytes.length, crc: crcOf(Buffer.from(files[request.path]!.bytes)) }],
            },
    },
    store: {
      write: async (path: string, bytes: Uint8Array) => {
        if (files[path]) throw new GristmillError('EEXIST', path)
        files[path] = { bytes: Buffer.from(bytes).toString(), owner: 'ann' }
      },
      read: async (path: string) => {
        counted?.reads.push(path)
        if (counted) counted.atOnce = Math.max(counted.atOnce, ++reading)
        await new Promise(resolve => setImmediate(resolve))
        reading--
        return Buffer.from(files[path]!.bytes)
      },
    } satisfies ProgramStore,
  }
}
const text = Buffer.from(submission().program.bytes).toString()
const shared = '/.gristmill/programs/abc.js'

test('a program that is there is not stored again; of one that is this user\'s own no byte is read, of others all are', async () => {
  for (const [owner, reads] of [['ann', []], ['bob', [shared]]] as const) {
    const seen = { reads: [] as string[], atOnce: 0 }
    const { answers, store } = shelf({ [shared]: { bytes: text, owner } }, seen)
    const { cluster } = clusterOf(answers)
    await submitJob({ ...cluster, user: 'ann' }, { ...store, write: () => { throw new Error('stored again') } }, submission())
    expect(seen.reads).toEqual(reads)
  }
})

test('a program that another client is storing is waited for', async () => {
  const { answers, store } = shelf({ [shared]: { bytes: text } })
  let looked = 0
  const coming = <R>(find: (request: { path: string }) => R) => (request: { path: string }): R => {
    if (request.path === shared && ++looked < 4) throw new GristmillError('ENOENT', 'not yet')
    return find(request)
  }
  const { cluster } = clusterOf({
    ...answers,
    'namespace.stat': coming(answers['namespace.stat']),
    'namespace.locate': coming<unknown>(answers['namespace.locate']),
  })
  await submitJob(cluster, { ...store, write: () => { throw new GristmillError('EBUSY', 'somebody writes it') } }, submission())
  expect(looked).toBeGreaterThan(3)
})

test('a program whose name is taken by another file is stored in a directory of its user, always the same one', async () => {
  for (const [what, found] of Object.entries({
    other: { bytes: 'other bytes here' }, short: { bytes: 'short' }, mine: { bytes: 'other bytes here', owner: 'ann' },
  })) {
    const files: Parameters<typeof shelf>[0] = { [shared]: found }
    const { answers, store } = shelf(files)
    const specs: JobSpec[] = []
    const { cluster } = clusterOf({
      ...answers,
      'job.submit': ({ spec }: { spec: JobSpec }) => {
        specs.push(spec)
        return { job }
      },
    })
    for (let run = 0; run < 3; run++) await submitJob({ ...cluster, user: 'ann' }, store, submission())
    expect(Object.keys(files), what).toEqual([shared, expect.stringMatching(/^\/\.gristmill\/programs\/abc-[0-9a-f]{16}\/abc\.js$/)])
    expect(new Set(specs.map(({ program }) => program.path))).toEqual(new Set(Object.keys(files).slice(1)))
    // Another user stored a file under the name first.
    files[Object.keys(files)[1]!] = { bytes: 'neither the bytes' }
    await submitJob({ ...cluster, user: 'ann' }, store, submission())
    expect(specs.at(-1)!.program).toEqual({ id: 'abc', path: expect.stringMatching(/\/abc-a1b2\/abc\.js$/) as string })
  }
})

test('other bytes with the length and the checksum of the program are not taken for it', async () => {
  const { answers, store } = shelf({ [shared]: { bytes: 'x'.repeat(text.length) } })
  const forged = { ...answers, 'namespace.locate': (request: { path: string }) => {
    const found = answers['namespace.locate'](request) as { blocks: Array<{ crc: number }> }
    return request.path === shared ? { ...found, blocks: [{ length: text.length, crc: crcOf(Buffer.from(text)) }] } : found
  } }
  let path = ''
  const { cluster } = clusterOf({ ...forged, 'job.submit': ({ spec }: { spec: JobSpec }) => { path = spec.program.path; return { job } } })
  await submitJob({ ...cluster, user: 'ann' }, store, submission())
  expect(path).not.toBe(shared)
})

test('assets are looked at several at a time, and the program after them', async () => {
  const assets = Array.from({ length: 20 }, (_, i) => ({ name: `a${i}`, id: `id${i}`, bytes: 2, content: Buffer.from(`${i % 10}x`) }))
  const files = Object.fromEntries([
    ...assets.map(({ id, content }) => [`/.gristmill/programs/${id}.asset`, { bytes: content.toString() }] as const),
    [shared, { bytes: text }] as const,
  ])
  const seen = { reads: [] as string[], atOnce: 0 }
  const { answers, store } = shelf(files, seen)
  await submitJob({ ...clusterOf(answers).cluster, user: 'ann' }, store, submission({ program: { ...submission().program, assets } }))
  expect(seen.atOnce).toBeGreaterThan(3)
  expect(seen.reads).toHaveLength(21)
  expect(seen.reads.at(-1)).toBe(shared)
})

test('an output that exists is refused before anything is stored or sent, unless it may be overwritten', async () => {
  const { cluster, asked } = clusterOf({ 'job.submit': () => ({ job }) })
  const stored: string[] = []
  const store = stores(async path => void stored.push(path))
  await expect(submitJob(cluster, store, submission({ output: '/taken' }))).rejects.toMatchObject({
    code: 'EEXIST', message: expect.stringContaining('/taken'),
  })
  expect([stored, asked]).toEqual([[], []])
  await submitJob(cluster, store, submission({ output: '/taken', overwrite: true }))
  expect(asked.map(each => each.name)).toEqual(['job.submit'])
})

test('an abort before the submit submits nothing; one after it kills the job', async () => {
  const { cluster, asked } = clusterOf({ 'job.submit': () => ({ job }), 'job.kill': () => statusOf('cancelled', 3) })
  const before = new AbortController()
  before.abort(new Error('changed my mind'))
  await expect(submitJob(cluster, stores(async () => undefined), submission({ signal: before.signal }))).rejects.toThrow('changed my mind')
  expect(asked).toEqual([])
  const after = new AbortController()
  await submitJob(cluster, stores(async () => undefined), submission({ signal: after.signal }))
  after.abort()
  await Promise.resolve()
  expect(asked.map(each => each.name)).toEqual(['job.submit', 'job.kill'])
})

test('jobs are listed as many as are wanted', async () => {
  const { cluster, asked } = clusterOf({ 'job.list': () => ({ jobs: [statusOf('running', 1)] }) })
  expect(await listJobs(cluster, 5000)).toHaveLength(1)
  expect(asked[0]!.request).toEqual({ limit: 1000 })
})

test('an output that overlaps an input is refused before anything is stored or sent, however both are spelled', async () => {
  const { cluster, asked } = clusterOf({ 'job.submit': () => ({ job }) })
  const submit = (input: string[], output: string, outputFormat: Submission['outputFormat'] = 'text') =>
    submitJob(
      cluster,
      stores(() => {
        throw new Error('stored')
      }),
      submission({ input, output, outputFormat, overwrite: true }),
    )
  for (const [input, output] of [
    [['/ow/other'], '/ow'], [['/logs'], '/logs/summary'], [['/logs'], '/logs'], [['/logs'], '/logs/'], [['/logs/'], '/logs/x'],
    [['/a/../logs'], 'logs/./summary'], [['logs'], '//logs//summary/'], [['/x', '/in'], '/in/a'], [['/'], '/anywhere'],
    [['/ow/one.txt'], '/ow'],
    // Outputs that the next run would read as input.
    [['/data/*'], '/data/out'], [['/data/**'], '/data/a/b'], [['/data/**/*.txt'], '/data/out'], [['/{data,logs}/o?t'], '/logs/out'],
    [['/data/*'], '/data/out/deeper'], [['/data/out/part-*'], '/data/out'],
    // Hidden names that are named explicitly.
    [['/logs/.o*'], '/logs/.out'], [['/logs/.*/part-*'], '/logs/.out'], [['/logs/.out'], '/logs/.out/x'], [['/logs/.out/x'], '/logs/.out'],
  ] as Array<[string[], string]>)
    await expect(submit(input, output), `${input} ${output}`).rejects.toMatchObject({
      code: 'EINVAL', message: expect.stringContaining('is refused'),
    })
  expect(asked).toEqual([])
  const specs: JobSpec[] = []
  const beside = clusterOf({ 'job.submit': (request: { spec: JobSpec }) => { specs.push(request.spec); return { job } } })
  for (const [input, output, format] of [
    [['/in'], '/in2', 'text'], [['/in/*.csv', '/in'], '/out', 'jsonl'], [['/in', '/in/**/*.txt'], '/out', 'csv'],
    [['/in/*', '/in/a'], '/out', 'text'],
    // Hidden names below an input are not input.
    [['/in'], '/in/.out', 'text'], [['/in'], '/in/_tmp/out', 'text'], [['/i*'], '/in/.out', 'text'], [['/in/*'], '/in/.out', 'text'],
  ] as Array<[string[], string, Submission['outputFormat']]>) {
    const submitted = submission({ input, output, outputFormat: format, force: true, overwrite: true })
    await submitJob(
      beside.cluster, stores(async () => undefined), submitted,
    ).catch((error: GristmillError) => {
      if (error.code !== 'ENOENT') throw error
    })
  }
  expect(specs.map(({ inputs, output }) => [inputs, output.path, output.force])).toEqual([
    [['/in'], '/in2', true], [['/in/a'], '/out', true], [['/in'], '/in/.out', true], [['/in'], '/in/_tmp/out', true],
    [[], '/in/.out', true], [[], '/in/.out', true],
  ])
})

test('kept output of a job is published by its path', async () => {
  const { cluster, asked } = clusterOf({
    'job.publish': () => statusOf('succeeded', 9, { output: '/elsewhere' }),
    'job.watch': () => statusOf('failed', 8, { kept: { untilMs: 5 } }),
  })
  expect(await new Job(cluster, job).publish('elsewhere/', { overwrite: true })).toMatchObject({ state: 'succeeded', output: '/elsewhere' })
  expect(asked.slice(1)).toEqual([{ name: 'job.publish', request: { job, output: { path: '/elsewhere', overwrite: true, force: false } } }])
})

test('kept output is not published where a pattern among the inputs of its job would find it, nor over files that one matches', async () => {
  const kept = (patterns: string[], more: object = { patternCount: patterns.length }) =>
    clusterOf({
      'job.publish': () => statusOf('succeeded', 9), 'job.patterns': () => ({ patterns }),
      'job.watch': () => statusOf('failed', 8, { kept: { untilMs: 5, format: 'csv', ...more } }),
    })
  for (const [pattern, output] of [
    ['/logs/*/part-*.csv', '/logs/sums'], ['/logs/*', '/logs/sums'], ['/i*/a', '/in'], ['/*/a', '/in'],
  ] as const) {
    const { cluster, asked } = kept([pattern])
    await expect(new Job(cluster, job).publish(output, { overwrite: true, force: true }), `${pattern} ${output}`).rejects.toMatchObject({
      code: 'EINVAL', message: expect.stringContaining(pattern),
    })
    expect(asked.map(each => each.name)).toEqual(['job.watch', 'job.patterns'])
    // A namenode of an earlier version sends them with the status.
    const former = kept([], { patterns: [pattern] })
    await expect(new Job(former.cluster, job).publish(output, { overwrite: true, force: true })).rejects.toMatchObject({
      code: 'EINVAL', message: expect.stringContaining(pattern),
    })
    expect(former.asked.map(each => each.name)).toEqual(['job.watch'])
  }
  for (const [pattern, output] of [
    ['/logs/*/part-*.txt', '/logs/sums'], ['/logs/*.csv', '/logs/sums'], ['/in/*', '/input'],
  ] as const)
    await new Job(kept([pattern]).cluster, job).publish(output)
})

test('kept output of a job is dropped', async () => {
  const { cluster, asked } = clusterOf({ 'job.drop': () => statusOf('failed', 9) })
  expect(await new Job(cluster, job).drop()).toMatchObject({ state: 'failed' })
  expect(asked).toEqual([{ name: 'job.drop', request: { job } }])
})
