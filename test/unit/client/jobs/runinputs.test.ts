// Inputs of the steps of one run: what each records for its lineage and for reruns, and what a rerun may read. Files of a fake namespace;
// no cluster. A rerun never goes on with files other than the pinned ones and those that its own steps have published.

import { beforeEach, expect, test } from 'vitest'
import { findInputs } from '../../../../client/jobs/inputs.ts'
import { InputReads } from '../../../../client/jobs/inputreads.ts'
import { OutsideCopies } from '../../../../client/jobs/outside.ts'
import { RunInputs, type PinnedInputs, type StepInputs } from '../../../../client/jobs/runinputs.ts'
import { GristmillError } from '../../../../src/base/errors.ts'
import type { InputPin, Origin } from '../../../../src/protocol/job.ts'
import { namespaceOf } from './kit.ts'

const file = { blocks: [[10, 'a']] } as const
const { ask } = namespaceOf({ '/a/1': file, '/a/2': file, '/b/1': file, '/b@1/1': file, '/out/part': file, '/z@1/1': file })
const start = { id: 'r', nowMs: 5 }
/** The namespace that steps read, and what was said of their inputs. */
let namespace = ask
let notes: string[] = []
beforeEach(() => {
  namespace = ask
  notes = []
})

/** Reads inputs as a job of the step does: all of one source. Returns what the job records. */
async function reading(step: StepInputs, ...named: string[]): Promise<Pick<Origin, 'pins' | 'run'>> {
  const reads = new InputReads(step)
  await step.reading(named, async () => {
    const { paths, done, ...source } = reads.source(named)
    await findInputs(namespace, paths, source)
    notes.push(...done())
  })
  try {
    return step.record(await reads.pins(namespace, undefined))
  } catch (error) {
    step.refuse(error)
    throw error
  }
}

const names = (pins: readonly InputPin[] | undefined): string[] => (pins ?? []).map(({ path, own }) => path + (own ? ' own' : ''))
const digestOf = async (path: string): Promise<string> => (await reading(new RunInputs(start).step({ number: 1 }), path)).pins[0]!.digest
const pinnedTo = (inputs: PinnedInputs['inputs'], absent: string[] = []): PinnedInputs =>
  ({ job: 'job-1', inputs, absent: new Set(absent) })

test('a step records its inputs and those of the results that it had; what other steps have read is for reruns alone', async () => {
  const run = new RunInputs(start)
  const collected = await reading(run.step({ number: 1 }), '/a')
  const saved = await reading(run.step({ number: 2, output: '/out', delivered: [{ number: 1, failed: false, job: '-' }] }), '/b')
  const last = await reading(run.step({
    number: 3, output: '/more', delivered: [{ number: 1, failed: false, job: '-' }, { number: 2, failed: false, job: '-' }],
  }), '/out')
  const apart = await reading(run.step({ number: 4, output: '/apart' }), '/b@1')
  expect([collected, saved, last, apart].map(({ pins }) => names(pins))).toEqual([['/a'], ['/b', '/a'], ['/out own', '/a'], ['/b@1']])
  expect([collected, saved, last, apart].map(({ run: of }) => names(of?.others))).toEqual([[], [], ['/b'], ['/a', '/b', '/out own']])
  expect(last.run).toMatchObject({ id: 'r', step: 3, nowMs: 5 })
  expect((await reading(new RunInputs(undefined).step({ number: 1 }), '/a')).run).toBeUndefined()
})

test('a failed step that the program has handled is recorded: what it had read, and that an input was absent', async () => {
  const run = new RunInputs(start)
  const step = run.step({ number: 1 })
  const missing = await reading(step, '/nowhere').catch((error: unknown) => error)
  // What the namenode says of a missing path.
  step.failed(new GristmillError('ENOENT', (missing as Error).message, { details: { path: '/nowhere' } }))
  const failed = run.step({ number: 2 })
  await reading(failed, '/a')
  failed.failed(new GristmillError('EBUSY', 'another output'))
  const { pins, run: of } = await reading(run.step({
    number: 3, output: '/out', delivered: [{ number: 1, failed: true, job: '-' }, { number: 2, failed: true, job: '-' }],
  }), '/b')
  expect([names(pins), of?.absent]).toEqual([['/b', '/a'], ['/nowhere']])
  // The job of step 3 has run, and failed.
  const next = run.step({ number: 4, delivered: [{ number: 3, failed: true, job: '-' }] })
  expect([names(next.record([]).pins), next.isOwn('/out')]).toEqual([['/b', '/a'], false])
})

test('a rerun reads an input where it is now, in the order of the names of then, and records both names', async () => {
  const run = new RunInputs(start, pinnedTo(new Map([
    ['/a', { path: '/z@1', digest: await digestOf('/z@1') }], ['/b/*', { path: '/b@1/*', digest: await digestOf('/b@1/*') }],
  ])))
  const step = run.step({ number: 1 })
  const reads = new InputReads(step)
  const { paths, done, ...source } = reads.source(['/b/*', '/a'])
  expect(paths).toEqual(['/b@1/*', '/z@1'])
  expect((await findInputs(ask, paths, source)).map(({ path }) => path)).toEqual(['/z@1/1', '/b@1/1'])
  done()
  expect((await reads.pins(ask, undefined)).map(({ path, named }) => [path, named])).toEqual([['/b@1/*', '/b/*'], ['/z@1', '/a']])
})

test.each<[string, (step: StepInputs) => Promise<unknown>, string]>([
  ['that nothing is recorded of', step => reading(step, '/b'), 'nothing is recorded of the input /b, which the program reads now'],
  ['whose files are others', step => reading(step, '/changed'), 'the input /a was changed while the job was being planned'],
  ['that has gone since it was compared', step => reading(step, '/gone'), 'there is no /nowhere'],
  ['that is the same as another one now', step => reading(step, '/a', '/a-then'), 'the inputs /a and /a-then were different files, and both are /a now'],
  ['that is a part of another one now', step => reading(step, '/a', '/part-then'), 'the inputs /a, /part-then were different files, and some of them are one file now'],
])('a rerun ends at an input %s, whatever the program does with the failure', async (_, work, message) => {
  const run = new RunInputs(start, pinnedTo(new Map([
    ['/a', { path: '/a', digest: await digestOf('/a') }], ['/a-then', { path: '/a', digest: await digestOf('/a') }],
    ['/part-then', { path: '/a/1', digest: await digestOf('/a/1') }], ['/changed', { path: '/a', digest: 'other' }],
    ['/gone', { path: '/nowhere', digest: 'd' }],
  ])))
  const error: unknown = await work(run.step({ number: 1 })).then(() => undefined, (thrown: unknown) => thrown)
  expect(error).toMatchObject({ message: expect.stringContaining(message) })
  expect([run.isRefusal(error), run.isRefusal(new Error('other')), run.isRefusal(undefined)]).toEqual([true, false, false])
})

test('a rerun reads outputs of its own earlier steps, and finds no input that was absent; the program may handle that', async () => {
  const run = new RunInputs(start, pinnedTo(new Map(), ['/b', '/out']))
  expect(() => run.step({ number: 1 }).placeOf('/b/')).toThrow(expect.objectContaining({ code: 'ENOENT', details: { path: '/b' } }))
  expect(() => run.step({ number: 1 }).placeOf('/out')).toThrow('there was no /out when job-1 ran')
  run.step({ number: 2, output: '/out' }).record([])
  const after = (failed: boolean) => run.step({ number: 3, delivered: [{ number: 2, failed, job: '-' }] })
  for (const path of ['/out', '/out/part', '/o*/part']) expect(names((await reading(after(false), path)).pins)).toEqual([`${path} own`])
  expect(() => after(true).placeOf('/out')).toThrow('there was no /out')
  await expect(reading(after(false), '/{out,a}/*')).rejects.toThrow('nothing is recorded of the input /{out,a}/*')
  // Without a rerun nothing is refused.
  const free = new RunInputs(start)
  const error = new Error('no')
  free.step({ number: 1 }).refuse(error)
  expect(free.isRefusal(error)).toBe(false)
})

test('all steps of a run read the same files: later ones are left out, and one that was replaced or removed fails the step', async () => {
  const run = new RunInputs(start)
  const one = await reading(run.step({ number: 1 }), '/a', '/b/*')
  const more = { '/a/1': file, '/a/2': file, '/a/3': file, '/a/4': file, '/b/1': file, '/out/part': file, '/c': file } as const
  namespace = namespaceOf(more).ask
  const two = await reading(run.step({ number: 2 }), '/a')
  expect([two.pins[0]!.digest, two.pins[0]!.files]).toEqual([one.pins[0]!.digest, 2])
  expect(notes).toEqual([
    expect.stringMatching(/^left out, because .*: \/a\/3 and 1 more, new in \/a since the program's first step that reads it$/),
  ])
  // Said once; another input leads to what there is when it is read first; a run of one job, and another run, read what there is.
  await reading(run.step({ number: 3 }), '/a')
  expect(notes).toHaveLength(1)
  expect((await reading(run.step({ number: 3 }), '/a/*')).pins[0]!.files).toBe(4)
  expect((await reading(new RunInputs(undefined).step({ number: 1 }), '/a')).pins[0]!.files).toBe(4)
  expect((await reading(new RunInputs({ id: 's', nowMs: 5 }).step({ number: 1 }), '/a')).pins[0]!.files).toBe(4)
  const says = (how: string, path: string): object => expect.objectContaining({
    code: 'EBUSY', message: expect.stringMatching(`^${path} was ${how} since step 1 of the program has read it, and`) as string,
  })
  namespace = namespaceOf({ '/a/1': file, '/b/1': file }).ask
  await expect(reading(run.step({ number: 4 }), '/a')).rejects.toEqual(says('removed', '/a/2'))
  // Another inode, also below another name of the input.
  namespace = namespaceOf({ '/x': file, '/y': file, '/z': file, '/a/1': file, '/a/2': file, '/b/1': { blocks: [[11, 'b']] } }).ask
  await expect(reading(run.step({ number: 5 }), '/b')).rejects.toEqual(says('changed', '/b/1'))
})

test('what a step of the run itself has published is read as it is now', async () => {
  const run = new RunInputs(start)
  await reading(run.step({ number: 1 }), '/out')
  await reading(run.step({ number: 2, output: '/out', delivered: [{ number: 1, failed: false, job: '-' }] }), '/a')
  namespace = namespaceOf({ '/out/part': { blocks: [[12, 'c']] }, '/out/part-2': file }).ask
  const delivered = [1, 2].map(number => ({ number, failed: false, job: '-' }))
  const read = await reading(run.step({ number: 3, delivered }), '/out')
  expect([names(read.pins)[0], read.pins[0]!.files]).toEqual(['/out own', 2])
})

test('a place outside of the cluster is copied once for all steps, and the copy is removed at the end; a rerun has none', async () => {
  let fails = true
  const done: string[] = []
  const copies = new OutsideCopies({
    copy: async url => {
      if (fails) throw new GristmillError('UNAVAILABLE', 'down')
      done.push(url)
      return { path: '/a', drop: async () => { done.push('dropped') } }
    },
    write: () => Promise.reject(new Error()),
  })
  const run = new RunInputs(start, undefined, [], copies)
  const [first, second] = [run.step({ number: 1 }), run.step({ number: 2 })]
  const url = 's3://b/k*[1]'
  await expect(first.take([url], undefined)).rejects.toThrow('down')
  expect(copies.isUsed).toBe(false)
  fails = false
  for (const step of [first, second]) {
    await step.take(['/b', url], undefined)
    expect((await reading(step, url)).pins).toMatchObject([{ path: '/a', files: 2, named: '/s3:/b/k__1_' }])
  }
  expect(done).toEqual([url])
  await copies.close()
  expect(done).toEqual([url, 'dropped'])
  const again = new RunInputs(start, pinnedTo(new Map()), [], copies).step({ number: 1 })
  await expect(again.take([url], undefined)).rejects.toMatchObject({ code: 'EINVAL', message: expect.stringMatching(/job-1.*--latest/) })
  await again.take(['/b'], undefined)
  await expect(new RunInputs(start).step({ number: 1 }).take([url], undefined)).rejects.toMatchObject({ code: 'EACCES' })
})

test('a copy that one step began is there for the others when that step is killed, and ends when no step waits for it', async () => {
  let signalOf: AbortSignal | undefined
  const made = Promise.withResolvers<{ path: string; drop: () => Promise<void> }>()
  let dropped = 0
  const copies = new OutsideCopies({
    copy: (_, signal) => {
      signalOf = signal
      return made.promise
    },
    write: () => Promise.reject(new Error()),
  })
  const [first, second] = [new AbortController(), new AbortController()]
  const taken = [first, second].map(({ signal }) => copies.take(['s3://b/k'], signal))
  first.abort()
  await expect(taken[0]).rejects.toMatchObject({ code: 'ABORTED' })
  expect(signalOf!.aborted).toBe(false)
  made.resolve({ path: '/a', drop: async () => { dropped++ } })
  await taken[1]
  expect([copies.pathOf('s3://b/k'), dropped]).toEqual(['/a', 0])
  await copies.close()
  expect(dropped).toBe(1)
  const alone = new OutsideCopies({
    copy: (_, signal) => new Promise((_resolve, reject) => { signal!.addEventListener('abort', () => reject(signal!.reason as Error)) }),
    write: () => Promise.reject(new Error()),
  })
  const only = alone.take(['s3://b/k'], second.signal)
  second.abort()
  await expect(only).rejects.toMatchObject({ code: 'ABORTED' })
  expect(alone.isUsed).toBe(false)
})
