// Reservation of job outputs against the routes of namespace, trash and snapshots, on namenode state in memory: while a job runs, no call
// takes its output's name or rights, and all others go on.

import { expect, test } from 'vitest'
import { OutputReservations } from '../../../../../namenode/jobs/publish/outputs.ts'
import { reserving } from '../../../../../namenode/jobs/publish/reservations.ts'
import { aclRoutes } from '../../../../../namenode/namespace/acls.ts'
import { namespaceRoutes } from '../../../../../namenode/namespace/routes.ts'
import { mkdir } from '../../../../../namenode/namespace/names.ts'
import { setVersioning } from '../../../../../namenode/objects/versioning.ts'
import { snapshotRoutes } from '../../../../../namenode/snapshots/routes.ts'
import { trashRoutes } from '../../../../../namenode/trash/routes.ts'
import { requestId, jobId, type JobId } from '../../../../../src/base/ids.ts'
import { silent } from '../../../../../src/ports/log.ts'
import * as acl from '../../../../../src/protocol/acl.ts'
import type { Message } from '../../../../../src/protocol/message.ts'
import * as names from '../../../../../src/protocol/namespace.ts'
import * as snapshot from '../../../../../src/protocol/snapshot.ts'
import * as trash from '../../../../../src/protocol/trash.ts'
import * as object from '../../../../../src/protocol/object.ts'
import * as writing from '../../../../../src/protocol/writing.ts'
import { route } from '../../../../../src/rpc/serve.ts'
import { seeded } from '../../../../../src/world/random.ts'
import { openBench, root } from '../../kit.ts'
import { JournalJobStore } from '../../../../../namenode/jobs/store/store.ts'
import { mapOnly, names as namesIn, over, runTask, submit } from '../store/storekit.ts'

async function house() {
  const bench = await openBench()
  const outputs = new OutputReservations()
  const { journal, clock } = bench
  const actor = (user: string) => ({ user, root: user === 'grace' })
  const routes = [
    ...namespaceRoutes({
      journal, view: journal.view, clock, log: silent, actor, defaults: { replication: 1, blockBytes: 4096 }, trashKeepMs: 1000,
      removed: () => undefined,
    } as never),
    ...aclRoutes({ journal, clock, actor }),
    ...trashRoutes({ journal, clock, actor, keepMs: 1000, frozen: () => false, removed: () => undefined }),
    ...snapshotRoutes({ journal, clock, actor, removed: () => undefined }),
    route(writing.create, () => ({ lease: 1 }) as never),
    route(writing.put, ({ files }) => ({ inlineBytes: 9, files: files.map(({ path }) => ({ status: { path } as never })) })),
    route(object.remove, () => ({})), route(object.removeVersion, () => ({ marker: false })),
    route(object.put, ({ objects }) => ({ inlineBytes: 9, objects: objects.map(({ to }) => ({ status: { path: to } as never })) })),
  ].map(each => reserving(each, { journal, outputs, actor }))
  let requests = 0
  const call = async (message: Message, request: object, user = 'grace'): Promise<unknown> =>
    routes
      .find(each => each.message === message)!
      .handler({ requestId: requestId(`c:${++requests}`), ...request } as never, { user } as never)
  return { bench, outputs, call }
}

const busy = {
  code: 'EBUSY',
  message: expect.stringMatching(/is reserved: job-3, which runs, will publish .*gristmill kill job-3/) as string,
  details: { job: 'job-3' },
}

test.each([
  ['files', writing.put, 'files', 'path'], ['objects', object.put, 'objects', 'to'],
] as const)('of the small %s of one call those at reserved paths are refused, and the others are written', async (_, message, field, at) => {
  const { outputs, call } = await house()
  outputs.reserve('/mine/out', jobId('job-3'), 'ann')
  const paths = ['/a', '/mine/out', '/mine/beside', '/mine/out/x', '/mine', '/.gristmill/jobs/job-1']
  const asked = { [field]: paths.map((path, number) => ({ [at]: path, number })) }
  const reply = (await call(message, asked) as Record<string, Array<{ status?: { path: string }; error?: { code: string } }>>)[field]!
  expect(reply.map(({ status, error }) => status?.path ?? error?.code))
    .toEqual(['/a', 'EBUSY', '/mine/beside', 'EBUSY', 'EBUSY', 'EACCES'])
  expect(reply[1]!.error).toMatchObject(busy)
  const deep = `/d${'/x'.repeat(900)}`
  await expect(call(message, { [field]: Array.from({ length: 12 }, (__, number) => ({ [at]: deep, number })) }))
    .rejects.toMatchObject({ code: 'TOO_LARGE' })
})

test('while a job runs, nothing is made at its output or below it; beside it everything goes on, and above it directories are made', async () => {
  const { bench, outputs, call } = await house()
  await call(names.mkdir, { path: '/mine/old', parents: true })
  const { item } = (await call(names.remove, { path: '/mine/old', recursive: true })) as { item: string }
  await call(names.mkdir, { path: '/other' })
  outputs.reserve('/mine/out', jobId('job-3'), 'ann')
  const made: Array<[Message, object]> = [
    [names.mkdir, { path: '/mine/out' }],
    [names.mkdir, { path: '/mine/out/a/b', parents: true }],
    [names.touch, { path: '/mine/out' }], [names.touch, { path: '/mine/out/a' }],
    [names.rename, { from: '/other', to: '/mine/out' }],
    [names.rename, { from: '/other', to: '/mine/out/b' }],
    [writing.create, { path: '/mine/out' }],
    [writing.create, { path: '/mine/out/part-00000', parents: true }],
    [trash.restore, { item, to: '/mine/out' }],
  ]
  for (const [message, request] of made)
    await expect(call(message, request), `${message.name} ${JSON.stringify(request)}`).rejects.toMatchObject(busy)
  outputs.reserve('/mine/old', jobId('job-4'), 'ann')
  await expect(call(trash.restore, { item })).rejects.toMatchObject({ code: 'EBUSY', details: { job: 'job-4' } })
  outputs.release(jobId('job-4'))
  for (const path of ['/mine/output', '/mine/ou', '/mine/out2/x', '/x/mine/out']) await call(names.mkdir, { path, parents: true })
  await call(names.mkdir, { path: '/mine', parents: true })
  await bench.do(mkdir, { path: '/.gristmill/jobs/job-3', nowMs: 1, ...root })
  await call(writing.create, { path: '/.gristmill/jobs/job-3/0/part-00000' })
  expect(namesIn(bench, '/mine')).toEqual(['/mine/ou', '/mine/out2', '/mine/output'])
  outputs.release(jobId('job-3'))
  await call(names.mkdir, { path: '/mine/out' })
})

test('only the start of a job makes names in the directory of stagings, also for the superuser; below one that is there its user writes', async () => {
  const { bench, call } = await house()
  await call(names.mkdir, { path: '/mine' })
  const { item } = (await call(names.remove, { path: '/mine', recursive: true })) as { item: string }
  await call(names.mkdir, { path: '/other' })
  const squats: Array<[Message, object, string]> = [
    [names.mkdir, { path: '/.gristmill/jobs/job-1' }, 'EACCES'],
    [names.touch, { path: '/.gristmill/jobs/job-1' }, 'EACCES'],
    [names.rename, { from: '/other', to: '/.gristmill/jobs/job-1' }, 'EACCES'],
    [trash.restore, { item, to: '/.gristmill/jobs/job-1' }, 'EACCES'],
    [writing.create, { path: '/.gristmill/jobs/job-1' }, 'EACCES'],
    [writing.create, { path: '/.gristmill/jobs/job-1/f', parents: true }, 'ENOENT'],
    [names.mkdir, { path: '/.gristmill/jobs/job-1/a/b', parents: true }, 'ENOENT'],
    [names.rename, { from: '/other', to: '/.gristmill/jobs/job-1/a' }, 'ENOENT'],
  ]
  for (const user of ['grace', 'mallory']) {
    for (const [message, request, code] of squats) {
      await expect(call(message, request, user), `${message.name} ${JSON.stringify(request)}`).rejects.toMatchObject({
        code,
        message: expect.stringContaining('only the start of a job') as string,
      })
    }
  }
  expect(namesIn(bench, '/.gristmill/jobs')).toEqual([])
  await bench.do(mkdir, { path: '/.gristmill/jobs/job-1', nowMs: 1, ...root })
  await call(names.mkdir, { path: '/.gristmill/jobs/job-1/a/b', parents: true })
  await call(names.mkdir, { path: '/.gristmill/jobs/job-1', parents: true })
})

/** A job of ann whose first task is committed; a file and a trash item of grace. */
async function staging() {
  const parts = await house()
  const { bench, call, outputs } = parts
  const store = new JournalJobStore({ journal: bench.journal, clock: bench.clock })
  await call(names.mkdir, { path: '/gone' })
  const { item } = (await call(names.remove, { path: '/gone', recursive: true })) as { item: string }
  await call(names.touch, { path: '/file' })
  const job = await submit(store, mapOnly('/out'), 'ann', 'staged:1')
  outputs.reserve('/out', job, 'ann')
  await runTask(bench, store, job, 0)
  const at = `/.gristmill/jobs/${job}`
  const changes: Array<[Message, object]> = [
    [names.remove, { path: `${at}/output/part-0` }], [names.remove, { path: `${at}/output`, recursive: true, skipTrash: true }],
    [names.remove, { path: `${at}/${job}.0.0.0`, recursive: true }],
    [names.rename, { from: `${at}/output/part-0`, to: '/mine' }], [names.rename, { from: `${at}/output`, to: '/mine' }],
    [names.rename, { from: at, to: '/mine' }], [names.rename, { from: '/file', to: `${at}/output/part-0`, overwrite: true }],
    [names.rename, { from: '/file', to: `${at}/output/part-9` }],
    [names.mkdir, { path: `${at}/output/a/b`, parents: true }], [names.mkdir, { path: `${at}/other` }],
    [names.touch, { path: `${at}/output/part-9` }], [names.touch, { path: `${at}/output/part-0`, mtimeMs: 5 }],
    [names.setAttributes, { path: `${at}/output`, mode: 0o500 }], [names.setAttributes, { path: at, owner: 'mallory' }],
    [names.setAttributes, { path: `${at}/output/part-0`, mode: 0 }],
    [acl.change, { path: `${at}/output`, kind: 'modify', entries: ['user:mallory:rwx'] }],
    [writing.create, { path: `${at}/output/part-9`, parents: true }], [writing.create, { path: `${at}/output/part-0`, overwrite: true }],
    [writing.create, { path: `${at}/${job}.0.1.0/a/part-1`, parents: true }], [writing.create, { path: `${at}/part-1` }],
    [writing.create, { path: `${at}/job-2.0.1.0/part-1`, parents: true }],
    [writing.create, { path: `${at}/${job}.0.x.0/part-1`, parents: true }],
    [trash.restore, { item, to: `${at}/output/part-9` }], [snapshot.create, { path: `${at}/output`, name: 's' }],
  ]
  return { ...parts, store, job, at, changes }
}

test('the staging of a running job stays as its attempts and the namenode make it, for every caller', async () => {
  const { bench, store, job, at, changes, call } = await staging()
  changes.push([names.remove, { path: at, recursive: true }])
  for (const user of ['ann', 'grace', 'mallory']) {
    for (const [message, request] of changes) {
      // A trash item is looked up for its own user only.
      if (message === trash.restore && user !== 'grace') continue
      await expect(call(message, request, user), `${message.name} ${JSON.stringify(request)} of ${user}`).rejects.toMatchObject({
        code: 'EBUSY', details: { job },
        message: expect.stringMatching(/stays as it is while job-1 runs, .*gristmill kill job-1/) as string,
      })
    }
  }
  await call(writing.create, { path: `${at}/${job}.0.1.0/part-1`, parents: true }, 'ann')
  await call(names.rename, { from: '/file', to: '/file2' })
  await runTask(bench, store, job, 1)
  expect(await store.publish(job, over(store, job, 'succeeded'))).toBeUndefined()
  expect(namesIn(bench, '/out')).toEqual(['/out/_SUCCESS', '/out/part-0', '/out/part-1'])
  await expect(call(writing.create, { path: `${at}/${job}.0.1.1/part-1`, parents: true }, 'ann')).rejects.toMatchObject({ code: 'ENOENT' })
})

test('a kept output stays as it is until it is published or dropped; its user and the superuser may remove all of it', async () => {
  const { bench, store, job, at, changes, call } = await staging()
  await runTask(bench, store, job, 1)
  const failure = { code: 'EEXIST', message: 'there is one' } as const
  await store.finish(job, { ...over(store, job, 'failed'), failure }, { keep: { bytes: 10 } })
  for (const [message, request] of changes) {
    await expect(call(message, request), `${message.name} ${JSON.stringify(request)}`).rejects.toMatchObject({
      code: 'EBUSY', details: { job }, message: expect.stringContaining(`"gristmill job publish ${job} --output PATH"`) as string,
    })
  }
  // A late attempt.
  await expect(call(writing.create, { path: `${at}/${job}.0.1.0/part-1`, parents: true }, 'ann')).rejects.toMatchObject({ code: 'ENOENT' })
  expect(namesIn(bench, `${at}/output`)).toHaveLength(2)
  await call(names.remove, { path: at, recursive: true }, 'ann')
  await store.tidy()
  expect(store.head(job)!.kept).toBeUndefined()
})

test('while a job runs, the directories above the stagings stay open to its user', async () => {
  const { outputs, job, call } = await staging()
  for (const [path, mode] of [['/.gristmill/jobs', 0o700], ['/.gristmill', 0o600], ['/', 0o700]] as const) {
    await expect(call(names.setAttributes, { path, mode }), path).rejects.toMatchObject({
      code: 'EBUSY', message: expect.stringContaining(`${path} has to stay open to ann while ${job} runs`) as string,
    })
  }
  await call(names.setAttributes, { path: '/.gristmill', mode: 0o711 })
  outputs.release(job)
  await call(names.setAttributes, { path: '/.gristmill/jobs', mode: 0o700 })
})

test('what is there already below an output that will be replaced can be asked for again, changed and removed', async () => {
  const { outputs, call } = await house()
  await call(names.mkdir, { path: '/out' })
  await call(names.touch, { path: '/out/part' })
  outputs.reserve('/out', jobId('job-3'), 'ann')
  await call(names.mkdir, { path: '/out', parents: true })
  await call(names.touch, { path: '/out/part', mtimeMs: 5 })
  await call(names.setAttributes, { path: '/out/part', mode: 0o600 })
  await call(names.rename, { from: '/out/part', to: '/part' })
  await call(names.remove, { path: '/out', recursive: true })
})

test('a repeated request that took effect before the job was submitted gets its first answer', async () => {
  const { outputs, call } = await house()
  const request = { requestId: requestId('again:1'), path: '/out/a', parents: true }
  await call(names.mkdir, request)
  await call(names.rename, { requestId: requestId('again:2'), from: '/out/a', to: '/out/b' })
  outputs.reserve('/out', jobId('job-3'), 'ann')
  expect(await call(names.rename, { requestId: requestId('again:2'), from: '/out/a', to: '/out/b' })).toEqual({})
})

test('while a job runs, the directories above its output stay, and no file takes the name of one', async () => {
  const { bench, outputs, call } = await house()
  for (const path of ['/a/b/c', '/a/beside', '/else']) await call(names.mkdir, { path, parents: true })
  await call(names.touch, { path: '/file' })
  await call(names.touch, { path: '/gone' })
  await call(names.mkdir, { path: '/full' })
  const { item } = await call(names.remove, { path: '/gone' }) as { item: string }
  const { item: directory } = await call(names.remove, { path: '/full' }) as { item: string }
  // The directory /a/b/new does not exist yet.
  outputs.reserve('/a/b/new/out', jobId('job-3'), 'ann')
  outputs.reserve('/a/b/new/other', jobId('job-4'), 'ann')
  const above = {
    code: 'EBUSY',
    message: expect.stringMatching(/while job-3 runs, which will publish \/a\/b\/new\/out; .*gristmill kill job-3/) as string,
    details: { job: 'job-3' },
  }
  const harms: Array<[Message, object]> = [
    [names.remove, { path: '/a', recursive: true }],
    [names.remove, { path: '/a/b', recursive: true, skipTrash: true }],
    [names.rename, { from: '/a', to: '/z' }], [names.rename, { from: '/a/b', to: '/else/b' }],
    [names.rename, { from: '/file', to: '/a/b/new' }], [names.touch, { path: '/a/b/new' }],
    [writing.create, { path: '/a/b/new', parents: true }],
    [trash.restore, { item, to: '/a/b/new' }],
  ]
  // Refused for every user; the message to the superuser says how to kill the job.
  for (const user of ['grace', 'mallory'])
    for (const [message, request] of harms.slice(0, -1))
      await expect(call(message, request, user), `${message.name} ${JSON.stringify(request)}`).rejects.toMatchObject(above)
  await expect(call(...harms.at(-1)!)).rejects.toMatchObject(above)
  // Changes beside it are allowed, also in directories above it.
  await call(names.remove, { path: '/a/b/c' })
  await call(names.rename, { from: '/a/beside', to: '/moved' })
  await expect(call(names.remove, { path: '/missing' })).rejects.toMatchObject({ code: 'ENOENT' })
  await call(trash.restore, { item: directory, to: '/a/b/new' })
  await expect(call(names.rename, { from: '/a/b/new', to: '/moved/new' })).rejects.toMatchObject(above)
  outputs.release(jobId('job-3'))
  await expect(call(names.remove, { path: '/a', recursive: true })).rejects.toMatchObject({ details: { job: 'job-4' } })
  outputs.release(jobId('job-4'))
  await call(names.rename, { from: '/a', to: '/z' })
  expect(namesIn(bench, '/')).toEqual(['/else', '/file', '/moved', '/z'])
})

test('a directory that has the path of an output in it does not get the name of one above the output, by a move or from the trash', async () => {
  const { outputs, call } = await house()
  for (const path of ['/foo/q/y', '/bar/q/other', '/file']) await call(names.mkdir, { path, parents: true })
  await call(names.touch, { path: '/file/q' })
  await call(names.mkdir, { path: '/trashed/q/y', parents: true })
  const { item } = (await call(names.remove, { path: '/trashed', recursive: true })) as { item: string }
  outputs.reserve('/p2/q/y', jobId('job-3'), 'ann')
  const refused = (path: string, holds: string): object => ({
    code: 'EBUSY', details: { job: 'job-3', path },
    message: expect.stringContaining(`the directory cannot become ${path} while job-3 runs, which will publish /p2/q/y: it holds ${holds};`) as string,
  })
  await expect(call(names.rename, { from: '/foo', to: '/p2' })).rejects.toMatchObject(refused('/p2', 'q/y'))
  await expect(call(names.rename, { from: '/file', to: '/p2' })).rejects.toMatchObject(refused('/p2', 'q'))
  await expect(call(trash.restore, { item, to: '/p2' })).rejects.toMatchObject(refused('/p2', 'q/y'))
  await call(names.rename, { from: '/bar', to: '/p2' })
  await expect(call(names.rename, { from: '/p2', to: '/bar' })).rejects.toMatchObject({ code: 'EBUSY' })
  outputs.release(jobId('job-3'))
  await call(trash.restore, { item, to: '/p3' })
  await call(names.rename, { from: '/foo', to: '/p4' })
})

test('while a job runs, its user and the superuser do not take the rights from it that it needs to publish; others may', async () => {
  const { outputs, call } = await house()
  for (const path of ['/a', '/a/b', '/a/b/old']) {
    await call(names.mkdir, { path })
    await call(names.setAttributes, { path, owner: path === '/a' ? 'bob' : 'ann', mode: 0o755 })
  }
  outputs.reserve('/a/b/new/out', jobId('job-3'), 'ann')
  outputs.reserve('/a/b/old', jobId('job-4'), 'ann')
  const refused = (job: string) => ({
    code: 'EBUSY', details: expect.objectContaining({ job }) as object,
    message: expect.stringMatching(/has to stay open to ann while job-\d runs, which will publish .*gristmill kill/) as string,
  })
  const harms: Array<[object, string, string]> = [
    // A directory to be looked into, the lowest one that is there, and the one to be replaced.
    [{ path: '/a', mode: 0o700 }, 'grace', 'job-3'], [{ path: '/a/b', mode: 0o555 }, 'ann', 'job-3'],
    [{ path: '/a/b', owner: 'bob' }, 'grace', 'job-3'], [{ path: '/a/b/old', mode: 0o500 }, 'ann', 'job-4'],
  ]
  for (const [request, user, job] of harms)
    await expect(call(names.setAttributes, request, user), JSON.stringify(request)).rejects.toMatchObject(refused(job))
  await expect(call(acl.change, { path: '/a/b', kind: 'modify', entries: ['user::r-x'] }, 'ann')).rejects.toMatchObject(refused('job-3'))
  // A list that cannot be is refused for what it is.
  await expect(call(acl.change, { path: '/a/b', kind: 'set', entries: ['user::r-x'] }, 'ann')).rejects.toMatchObject({ code: 'EINVAL' })
  await call(acl.change, { path: '/a/b', kind: 'modify', entries: ['user:bob:rwx'] }, 'ann')
  // Changes that take nothing from the job, and those of a user who cannot kill it.
  await call(names.setAttributes, { path: '/a', mode: 0o711 }, 'bob')
  await call(names.setAttributes, { path: '/a/b', mode: 0o700 }, 'ann')
  await call(names.setAttributes, { path: '/a/b', mtimeMs: 5 }, 'ann')
  await call(names.setAttributes, { path: '/a', mode: 0o700 }, 'bob')
  // A change is not refused if the job lacked that right before.
  await call(names.setAttributes, { path: '/a', mode: 0o500 }, 'grace')
  outputs.release(jobId('job-3'))
  outputs.release(jobId('job-4'))
  await call(names.setAttributes, { path: '/a', mode: 0o711 }, 'bob')
  await call(names.setAttributes, { path: '/a/b', mode: 0o555 }, 'ann')
})

test('in a bucket with versioning no delete marker is made at the output of a running job, and no version brought back there', async () => {
  const { bench, outputs, call } = await house()
  await call(names.mkdir, { path: '/mine' })
  outputs.reserve('/mine/out', jobId('job-3'), 'ann')
  const drop = (path: string): Promise<unknown> => call(object.remove, { path, keep: '/mine', directory: false })
  await drop('/mine/out/k')
  await bench.do(setVersioning, { path: '/mine', state: 'Enabled' })
  for (const path of ['/mine/out/k', '/mine/out']) await expect(drop(path)).rejects.toMatchObject(busy)
  await expect(call(object.removeVersion, { path: '/mine/out/k', keep: '/mine', version: 'null' })).rejects.toMatchObject(busy)
  await drop('/mine/k')
  await call(object.removeVersion, { path: '/mine/k', keep: '/mine', version: 'null' })
})

test('a directory that a running job may replace gets no snapshots, nor one in it; those above it do', async () => {
  const { outputs, call } = await house()
  await call(names.mkdir, { path: '/a/out/in', parents: true })
  outputs.reserve('/a/out', jobId('job-3'), 'ann')
  for (const path of ['/a/out', '/a/out/in']) await expect(call(snapshot.create, { path, name: 's' })).rejects.toMatchObject(busy)
  await call(snapshot.create, { path: '/a', name: 's' })
})

test('a mutation that is declared as checked is refused without a rule, so that a namenode with it does not start', async () => {
  const { journal } = await openBench()
  const parts = { journal, outputs: new OutputReservations(), actor: () => root }
  const wrap = (message: Message) => reserving(route(message, () => ({})), parts)
  const move = { ...names.mkdir, name: 'test.move' }
  expect(() => wrap(move)).toThrow(`test.move is declared with paths: 'checked', and the rules of reservations.ts say something else`)
  expect(() => wrap({ ...move, paths: 'unchecked' })).not.toThrow()
})

test('the outputs at, below and within every path are those of the running jobs, whatever jobs have begun and ended', () => {
  const random = seeded(8)
  const outputs = new OutputReservations()
  const running = new Map<JobId, { readonly spec: { readonly output: { readonly path: string } } }>()
  const paths = ['/a', '/b', '/a/b', '/a/c', '/a/b/c', '/a/b/c/d', '/b/c/d', '/c/d']
  for (let step = 1; step <= 2000; step++) {
    const path = paths[random.below(paths.length)]!
    const job = [...running].find(([, { spec }]) => spec.output.path === path)?.[0]
    if (job !== undefined) {
      outputs.release(job)
      running.delete(job)
    } else {
      outputs.reserve(path, jobId(`job-${step}`), 'ann')
      running.set(jobId(`job-${step}`), { spec: { output: { path } } })
    }
    outputs.checkState(running)
    const all = [...running].map(([id, { spec }]) => ({ job: id, output: spec.output.path, user: 'ann' }))
    for (const at of ['/', '/d', ...paths]) {
      const within = all.filter(({ output }) => output === at || output.startsWith(at === '/' ? at : `${at}/`))
      expect(outputs.at(at), at).toBe(all.find(({ output }) => output === at)?.job)
      // Nothing is reserved below a reserved path, and then the path alone is told.
      if (outputs.at(at) === undefined) expect(new Set(outputs.within(at))).toEqual(new Set(within))
      if (at !== '/') expect(outputs.below(at) === undefined).toBe(!within.some(({ output }) => output !== at))
    }
  }
})
