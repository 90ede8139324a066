// Rows that a job has computed and that are sent to a place outside of the cluster: the place is noted at the inputs of the job.

import { expect, test } from 'vitest'
import { newStage, stageFiles, writePlace } from '../../../../client/transfer/stage.ts'
import { GristmillError } from '../../../../src/base/errors.ts'
import type { Message } from '../../../../src/protocol/message.ts'

const still = { now: () => 5, after: () => () => {} }
const file = (path: string, id: number) => ({ path, id, length: 1, mtimeMs: 1 })

function sending(pins: readonly object[], failure?: GristmillError) {
  const noted: unknown[] = []
  const removed: string[] = []
  const answers: Record<string, (request: Record<string, string>) => unknown> = {
    'namespace.mkdir': ({ path }) => (path === '/.outside' ? { owner: 'system:gristmill', mode: 0o1777 } : { owner: 'ann' }),
    'namespace.list': () => ({ entries: [] }),
    'namespace.stat': ({ path }) => ({ path, id: 99 }),
    'namespace.remove': ({ path }) => { removed.push(path!); return {} },
    'version.show': () => ({ version: { job: 'job-1' }, made: { name: 'sends', origin: { pins } } }),
    'xattr.set': ({ path, name, value }) => {
      if (!name!.startsWith('user.sent.')) return {}
      if (failure) throw failure
      const { id, version, job } = JSON.parse(Buffer.from(value!, 'base64').toString()) as Record<string, unknown>
      noted.push([path, id, version, job])
      return {}
    },
  }
  let sent = 0
  const ask = async ({ name }: Message, request: Record<string, string>) => answers[name]!(request)
  const send = () => writePlace({
    ask: ask as never, clock: still, random: { id: () => 'x' }, exportFiles: async () => ({ files: ++sent }),
  }, 's3://bucket/rows/', async () => {}, undefined)
  return { send, noted, removed }
}

test('a place is noted at the inputs of the job, of a pattern at its outputs and files', async () => {
  const { send, noted, removed } = sending([
    { path: '/plain', files: 1, bytes: 1, digest: 'd', list: [file('/plain', 99)] },
    { path: '/out', files: 1, bytes: 1, digest: 'd', outputs: [{ path: '/out', id: 7, version: 2 }] },
    {
      path: '/days/*', files: 3, bytes: 3, digest: 'd', outputs: [{ path: '/days/1', id: 8, version: 1 }],
      list: [file('/days/1/part-0', 10), file('/days/2', 11), file('/days/3', 12)],
    },
    { path: '/copy', files: 1, bytes: 1, digest: 'd', outside: 's3://bucket/in' },
  ])
  expect(await send()).toEqual({ files: 1 })
  expect(noted).toEqual([
    ['/plain', 99, undefined, 'job-1'], ['/out', 7, 2, 'job-1'], ['/days/1', 8, 1, 'job-1'], ['/days/2', 11, undefined, 'job-1'],
    ['/days/3', 12, undefined, 'job-1'],
  ])
  expect(removed).toHaveLength(1)
})

test('a failure to note the place is none of the sending, which its caller would repeat, and is told', async () => {
  const { send } = sending([{ path: '/plain', files: 1, bytes: 1, digest: 'd' }], new GristmillError('UNAVAILABLE', 'no answer'))
  expect(await send()).toEqual({ files: 1, note: 's3://bucket/rows/ has all rows, but lineage does not name it: no answer' })
})

test('references that were made before a file that cannot have one are removed before the place is copied', async () => {
  const done: string[] = []
  const ask = async ({ name }: Message, { path }: { path: string }) => {
    if (name === 'namespace.remove') done.push(`remove ${path}`)
    if (name === 'namespace.list') return { entries: [] }
    return path === '/.outside' ? { owner: 'system:gristmill', mode: 0o1777 } : { owner: 'ann' }
  }
  await stageFiles({
    ask: ask as never, clock: still, random: { id: () => 'x' }, refer: async () => undefined,
    importFile: async (_, path) => { done.push(`copy to ${path}`); return { bytes: 1 } },
  }, 's3://bucket/rows/', undefined)
  expect(done).toEqual(['remove /.outside/x/ref', 'copy to /.outside/x/'])
})

test('the directory of a query that runs for longer than a week is kept, and renewed until the query ends', async () => {
  let now = 0
  const timers = new Set<{ atMs: number; work: () => void }>()
  const clock = { now: () => now, after: (ms: number, work: () => void) => {
    const timer = { atMs: now + ms, work }
    timers.add(timer)
    return () => { timers.delete(timer) }
  } }
  const pass = (days: number): void => {
    for (const end = now + days * 24 * 3_600_000; ;) {
      const [next] = [...timers].filter(({ atMs }) => atMs <= end).sort((a, b) => a.atMs - b.atMs)
      now = next?.atMs ?? end
      if (!next) return
      timers.delete(next)
      next.work()
    }
  }
  const stages = new Map<string, number>()
  let made = 0
  const ask = async ({ name }: Message, { path, mtimeMs }: { path: string; mtimeMs?: number }) => {
    if (name === 'namespace.mkdir' && path !== '/.outside') stages.set(path, now)
    if (name === 'namespace.attributes') stages.set(path, mtimeMs!)
    if (name === 'namespace.remove') stages.delete(path)
    if (name === 'namespace.list') return { entries: [...stages].map(([each, ms]) => ({ path: each, owner: 'ann', mtimeMs: ms })) }
    return path === '/.outside' ? { owner: 'system:gristmill', mode: 0o1777 } : { owner: 'ann' }
  }
  const begin = () => newStage({ ask: ask as never, clock, random: { id: () => String(++made) } }, 's3://bucket/rows/', undefined)
  const long = await begin()
  // One whose process was killed renews nothing.
  stages.set('/.outside/left', now)
  pass(30)
  const other = await begin()
  expect([...stages.keys()]).toEqual([long.path, other.path])
  await long.drop()
  await other.drop()
  expect([stages.size, timers.size]).toEqual([0, 0])
})
