// Rows of the bench `pauses` for calls of nodes and tasks and for administration: each message at its largest allowed input.

import {
  address, attemptId, blockId, inodeId, jobId, nodeId, programId, requestId, storageId, type InodeId, type JobId,
} from '../../../src/base/ids.ts'
import { limits } from '../../../src/base/limits.ts'
import { KiB } from '../../../src/base/units.ts'
import * as acl from '../../../src/protocol/acl.ts'
import * as admin from '../../../src/protocol/admin.ts'
import * as server from '../../../src/protocol/server.ts'
import * as heartbeat from '../../../src/protocol/heartbeat.ts'
import * as job from '../../../src/protocol/job.ts'
import type { Message, ReplyOf, RequestOf } from '../../../src/protocol/message.ts'
import * as namespace from '../../../src/protocol/namespace.ts'
import * as object from '../../../src/protocol/object.ts'
import * as order from '../../../src/protocol/order.ts'
import { packSplit } from '../../../src/protocol/packed.ts'
import * as quota from '../../../src/protocol/quota.ts'
import * as report from '../../../src/protocol/report.ts'
import * as safety from '../../../src/protocol/safety.ts'
import * as service from '../../../src/protocol/service.ts'
import * as snapshot from '../../../src/protocol/snapshot.ts'
import * as task from '../../../src/protocol/task.ts'
import * as trash from '../../../src/protocol/trash.ts'
import * as table from '../../../src/protocol/table.ts'
import * as token from '../../../src/protocol/token.ts'
import * as user from '../../../src/protocol/user.ts'
import * as version from '../../../src/protocol/version.ts'
import * as writing from '../../../src/protocol/writing.ts'
import * as xattr from '../../../src/protocol/xattr.ts'
import { contentOf } from '../../../src/file/small.ts'
import { systemClock } from '../../../src/world/clock.ts'

export interface RowKit {
  part(name: string, work: () => Promise<void>): Promise<void>
  measure(what: string, work: (time: number) => Promise<unknown>, times?: number): Promise<void>
  call<M extends Message>(message: M, request: RequestOf<M>): Promise<ReplyOf<M>>
  /** Longest existing path, a directory. */
  readonly long: string
}

let requests = 0
const id = () => requestId(`rows:${++requests}`)
const storages = (count: number): heartbeat.StorageState[] =>
  Array.from({ length: count }, (_, i) => ({
    id: storageId(`storage-${i}`), dir: `/${'d'.repeat(4000)}/${i}`, capacityBytes: 2 ** 50, freeBytes: 2 ** 50, usedBytes: 0, blocks: 0,
    failed: false,
  }))
/** The maximal number of counters of one object. */
const counters = (count: number): Record<string, number> =>
  Object.fromEntries(Array.from({ length: count }, (_, i) => [`user.${String(i).padEnd(190, 'c')}`, i]))
const failure = { code: 'TASK_FAILED', message: 'm'.repeat(20_000), stack: 's'.repeat(20_000) }
/** JSON that is the most expensive to parse and to serialize. */
const hardest = (bytes: number): Record<string, unknown> => ({
  list: Array.from({ length: Math.floor(bytes / 9) }, (_, i) => ({ a: i % 10 })),
})

export async function moreRows({ part, measure, call, long }: RowKit): Promise<void> {
  let port = 1
  const registration = (name: string, slots: number): RequestOf<typeof heartbeat.register> => ({
    node: nodeId(name),
    address: address(`127.0.0.1:${name === 'worker' ? 2 : 100 + ++port}`),
    rack: '/default', host: 'r'.repeat(255), pid: 1, version: '0', slots, storages: storages(64), attempts: [],
  })
  const worker = nodeId('worker')
  let { session } = await call(heartbeat.register, registration('worker', 4))
  let seq = 0
  const reported = (blocks: readonly [number, number, number][] = []) =>
    call(report.full, {
      node: worker, session, seq: ++seq, taken: 0, first: true, last: true,
      storages: [
        {
          id: storageId('storage-0'),
          blocks: blocks.map(([block, length, crc]): [ReturnType<typeof blockId>, number, number] => [blockId(block), length, crc]),
        },
      ],
    })
  await reported()

  await part('nodes', async () => {
    const attempts = Array.from({ length: 1000 }, (_, i) => attemptId({ job: jobId('job-9999'), stage: 0, task: i, attempt: 0 }))
    await measure('heartbeat.register, 64 directories and 1,000 attempts that are not known any more', async time =>
      call(heartbeat.register, { ...registration(`other-${time}`, 1), attempts }),
    )
    await measure('heartbeat.beat, 64 directories with paths of 4 KB', () =>
      call(heartbeat.beat, { node: worker, session, storages: storages(64), transfers: 0, running: 0 }),
    )
    for (let i = 0; i < 100; i++)
      await call(heartbeat.register, {
        ...registration(`many-${i}`, 0), storages: storages(16).map(each => ({ ...each, dir: '/disk' })), logLevel: 'info',
        settings: Array.from({ length: 100 }, (_, n) => ({ name: `setting${n}`, json: JSON.stringify('v'.repeat(1000)), from: 'default' })),
      })
    await measure('admin.status, 100 nodes with 16 directories each', () => call(admin.status, {}))
    await measure('server.list, a page of 50 servers with 100 settings each', () => call(server.list, {}))
    await measure('server.logAccess', () => call(server.logAccess, { server: 'namenode' }))
    const { token } = await call(server.logAccess, { server: 'namenode' })
    await measure('server.readLog', () => call(server.readLog, { token }))
    await measure('server.logLevel', () => call(server.setLogLevel, { server: 'many-1', level: 'warn' }))
    await measure('heartbeat.leave', time => call(heartbeat.leave, { node: nodeId(`other-${time}`), session: 1 }))
    await measure('order.copyFailed, 16 targets', () =>
      call(order.copyFailed, {
        node: worker, session, block: blockId(1),
        targets: Array.from({ length: limits.replicationMax }, (_, i) => nodeId(`other-${i}`)),
        source: true, message: 'x'.repeat(1000),
      }),
    )
    await measure('namespace.bad', () =>
      call(namespace.reportBad, {
        block: blockId(1), address: address('127.0.0.1:2'),
        proof: { offset: 0, expected: 1, found: 2, message: 'x'.repeat(500) },
      }),
    )
    for (const message of [service.decommission, service.recommission] as const)
      await measure(message.name, () => call(message, { requestId: id(), node: 'many-1' }))
    await measure('service.maintenance', () => call(service.maintenance, { requestId: id(), node: 'many-2', forMs: 10_000 }))
    await measure('service.forget, refused', () => call(service.forget, { requestId: id(), node: 'many-2' }).catch(() => {}))
    await measure('service.balance', () => call(service.balance, { requestId: id(), threshold: 10, bytesPerSecond: 1 }))
    await measure('service.balanceStatus', () => call(service.balanceStatus, {}))
    await measure('service.stopBalance', () => call(service.stopBalance, { requestId: id() }))
    await measure('safety.safeMode', () => call(safety.safeMode, { action: 'get' }))
    await measure('safety.lost', () => call(safety.lost, {}))
    await measure('safety.releaseLost', () => call(safety.releaseLost, { requestId: id() }))
    await measure('safety.allowDeletions', () => call(safety.allowDeletions, {}))
    await measure('safety.backup, of what is there by now', () => call(safety.backup, {}), 1)
  })

  await part('paths', async () => {
    await measure('namespace.touch, a path of 8 KiB', () => call(namespace.touch, { requestId: id(), path: `${long}/t` }))
    await measure('quota.set and quota.get, a path of 8 KiB', async () => {
      await call(quota.set, { requestId: id(), path: long, names: 1_000_000 })
      await call(quota.get, { path: long })
    })
    await measure('xattr.set and xattr.remove, 16 KiB', async () => {
      await call(xattr.set, {
        requestId: id(), path: long, name: `user.${'n'.repeat(245)}`,
        value: Buffer.alloc(limits.attributeBytesMax - 300).toString('base64'),
      })
      await call(xattr.remove, { requestId: id(), path: long, name: `user.${'n'.repeat(245)}` })
    })
    await call(object.prepare, { requestId: id() })
    const written = async (path: string): Promise<RequestOf<typeof object.publish>> => {
      const { lease, blocks } = await call(writing.create, { requestId: id(), path, blocks: 1 })
      const [block] = blocks
      return {
        requestId: id(), lease, to: `${long}/o`,
        blocks: [{ id: block!.id, length: 1, crc: 1, aligned: false, nodes: [block!.targets[0]!.node] }],
      }
    }
    const value = Buffer.alloc(limits.attributeBytesMax - 300).toString('base64')
    await measure('object.prepare, object.publish, object.get and object.remove, a path of 8 KiB and 48 KiB of attributes', async time => {
      await call(object.prepare, { requestId: id() })
      const attributes = [1, 2, 3].map(each => ({ name: `user.${each}`, value }))
      await call(object.publish, { ...await written(`${object.uploadsDirectory}/m${time}`), attributes })
      await call(object.get, { path: `${long}/o`, attributes: attributes.map(({ name }) => name) })
      await call(object.remove, { requestId: id(), path: `${long}/o`, keep: long, directory: false })
    })
    await measure('object.begin and object.directory, paths of 8 KiB and 48 KiB of attributes', async time => {
      const attributes = [1, 2, 3].map(each => ({ name: `user.${each}`, value }))
      await call(object.begin, { requestId: id(), upload: `${object.uploadsDirectory}/b${time}`, attributes, to: `${long}/o`, base: long })
      await call(object.directory, {
        requestId: id(), path: `${long}/d`, attributes, base: long, replaces: attributes.map(({ name }) => name),
      })
    })
    await measure('object.versioning, object.describe and object.removeVersion, a path of 8 KiB and 48 KiB of attributes', async time => {
      const attributes = [1, 2, 3].map(each => ({ name: `user.${each}`, value }))
      await call(object.versioning, { requestId: id(), path: long, state: 'Enabled' })
      const path = `${long}/o`
      await call(object.publish, { ...await written(`${object.uploadsDirectory}/v${time}`), to: path, base: long })
      const second = await written(`${object.uploadsDirectory}/w${time}`)
      const { objectVersion } = await call(object.publish, { ...second, to: path, base: long })
      const version = { path, version: objectVersion! }
      await call(object.describe, { requestId: id(), ...version, attributes, replaces: attributes.map(({ name }) => name) })
      await call(object.removeVersion, { requestId: id(), ...version, keep: long })
    })
    for (let i = 0; i < limits.listPageMax; i++)
      await call(object.publish, { ...await written(`${object.uploadsDirectory}/x${i}`), to: `${long}/o`, base: long })
    await measure('object.versions, 1,000 versions of one key with a path of 8 KiB', () => call(object.versions,
      { path: long, prefix: '', limit: limits.listPageMax, attributes: ['user.1'] }))
    const upload = `${object.uploadsDirectory}/parts`
    await call(namespace.mkdir, { requestId: id(), path: upload })
    const parts: { name: string; id: InodeId }[] = []
    for (let i = 0; i < limits.fileBlocksMax; i++) {
      // As long as the body of a message lets them be.
      const name = String(i).padStart(60, '0')
      const { id: inode } = await call(object.publish, { ...await written(`${object.uploadsDirectory}/p${i}`), to: `${upload}/${name}` })
      parts.push({ name, id: inode })
    }
    await measure('object.list, 1,000 keys', () => call(object.list,
      { path: upload, prefix: '', limit: limits.listPageMax, attributes: ['user.1'] }))
    await measure(`object.join, ${limits.fileBlocksMax} parts`, () => call(object.join, { requestId: id(), upload, parts, to: '/joined' }),
      1)
    await measure('user.add, user.addKey, user.key, user.setPassword, user.password, user.list, user.removeKey and user.remove, names of 255 bytes', async time => {
      const name = String(time).padEnd(255, 'u')
      const key = String(time).padEnd(128, 'k')
      await call(user.add, { requestId: id(), name })
      await call(user.addKey, { requestId: id(), name, id: key, sealed: 's'.repeat(1000) })
      await call(user.key, { id: key })
      await call(user.setPassword, { requestId: id(), name, hashed: `scrypt-14-8-1.${'A'.repeat(22)}.${'A'.repeat(43)}` })
      await call(user.password, { name })
      await call(user.list, {})
      await call(user.removeKey, { requestId: id(), id: key })
      await call(user.remove, { requestId: id(), name })
    })
    await measure('acl.change and acl.get, 32 entries', async () => {
      const entries = Array.from({ length: 28 }, (_, i) => `user:${String(i).padEnd(255, 'u')}:rwx`)
      await call(acl.change, { requestId: id(), path: '/', kind: 'modify', entries })
      await call(acl.get, { path: '/' })
      await call(acl.change, { requestId: id(), path: '/', kind: 'clear' })
    })
    await measure('token.issue, token.find, token.renew and token.cancel, names of 255 bytes', async () => {
      const [renewer, realUser, digest] = ['root', 'p'.repeat(255), 'A'.repeat(43)]
      const { number, issuedMs, maxMs } = await call(token.issue, { requestId: id(), renewer, realUser, digest })
      const shown = { owner: renewer, number, renewer, realUser, issuedMs, maxMs, digest }
      await call(token.find, { token: shown })
      await call(token.renew, { requestId: id(), token: shown })
      await call(token.cancel, { requestId: id(), token: shown })
    })
    await measure('table.create, table.alter, table.get, table.list and table.drop, 1,000 columns', async time => {
      const name = `t${time}`
      const columns = Array.from({ length: 1_000 }, (_, i) => ({ name: `c${i}`, type: 'x'.repeat(200) }))
      await call(table.create, { requestId: id(), table: { name, kind: 'table', path: long, columns } })
      await call(table.alter, { requestId: id(), name, columnComment: { column: 'c999', comment: 'last' } })
      await call(table.get, { names: [name] })
      await call(table.list, {})
      await call(table.drop, { requestId: id(), name, kind: 'table' })
    })
    await measure('snapshot.remove, a path of 8 KiB', async time => {
      await call(snapshot.create, { requestId: id(), path: long, name: `s${time}` })
      await call(snapshot.remove, { requestId: id(), path: long, name: `s${time}` })
    })
    await measure('version.list, version.show and version.rollback, a path of 8 KiB without versions', async () => {
      await call(version.list, { path: long }).catch(() => {})
      await call(version.list, { path: long, id: inodeId(1) }).catch(() => {})
      await call(version.show, { path: long }).catch(() => {})
      await call(version.rollback, { requestId: id(), path: long }).catch(() => {})
    })
    await measure('version.tag, version.remove and version.keep, a path of 8 KiB without versions', async () => {
      await call(version.setTag, { requestId: id(), path: long, version: '1', tag: 't' }).catch(() => {})
      await call(version.remove, { requestId: id(), path: long, version: '1' }).catch(() => {})
      await call(version.keep, { requestId: id(), path: long, keep: 0 }).catch(() => {})
    })
    await measure('version.uses, of 1,000 inodes', () => call(version.uses, { ids: Array.from({ length: 1000 }, (_, i) => inodeId(i)) }))
    await measure('trash.restore, an item of 10,000 files', async () => {
      await call(namespace.mkdir, { requestId: id(), path: '/thrown', parents: true })
      for (let i = 0; i < 10_000; i += 500)
        await Promise.all(Array.from({ length: 500 }, (_, j) => call(namespace.touch, { requestId: id(), path: `/thrown/${i + j}` })))
      const { item } = await call(namespace.remove, { requestId: id(), path: '/thrown', recursive: true })
      await call(trash.restore, { requestId: id(), item: item! })
    }, 2)
    const piece = Buffer.alloc(Math.floor(limits.inlinePutBytesMax / limits.inlinePutFilesMax), 'x')
    const smallFiles = (time: number, above: string): writing.SmallFile[] =>
      Array.from({ length: limits.inlinePutFilesMax }, (_, number) => ({
        path: `${above}/s${time}-${number}`, number, content: contentOf(piece),
      }))
    await measure('writing.put of 256 files of 1.5 KiB', time => call(writing.put, { requestId: id(), files: smallFiles(time, '') }), 3)
    await measure('namespace.contents of 1,000 names of these files', () =>
      call(namespace.contents, { files: Array.from({ length: limits.contentsFilesMax }, (_, i) => ({ path: `/s0-${i % 256}` })) }), 3)
    const objectAttributes = [1, 2, 3].map(each => ({ name: `user.${each}`, value: Buffer.alloc(250).toString('base64') }))
    const smallObjects = (time: number): object.SmallObject[] => Array.from({ length: limits.inlinePutFilesMax }, (_, number) => ({
      to: `/objects/o${time}-${number}`, number, content: contentOf(piece), parents: true, attributes: objectAttributes,
    }))
    await measure('object.put of 256 objects of 1.5 KiB with attributes', time =>
      call(object.put, { requestId: id(), objects: smallObjects(time) }), 3)
    await measure('object.read of 1,000 of these objects', () => call(object.read, {
      objects: Array.from({ length: limits.contentsFilesMax }, (_, i) => ({
        path: `/objects/o0-${i % 256}`, attributes: objectAttributes.map(({ name }) => name), content: true,
      })),
    }), 3)
    await measure('writing.concat of 1,000 files', async time => {
      const joined: { path: string; id: InodeId }[] = []
      for (let i = 0; i <= limits.concatFilesMax; i++) {
        const path = `/joined${time}-${i}`
        const { lease, blocks } = await call(writing.create, { requestId: id(), path, blocks: 1 })
        const [block] = blocks
        const sealed = [{ id: block!.id, length: 1, crc: 1, aligned: false, nodes: [block!.targets[0]!.node] }]
        joined.push({ path, id: (await call(writing.complete, { requestId: id(), lease, blocks: sealed })).id })
      }
      const [first, ...sources] = joined
      await call(writing.concat, { requestId: id(), ...first!, sources })
    }, 2)
    await measure('writing.abandon, of a file of 10,000 blocks', async time => {
      const { lease } = await call(writing.create, { requestId: id(), path: `/left-${time}` })
      for (let i = 0; i < limits.fileBlocksMax; i += 64) await call(writing.allocate, { requestId: id(), lease, count: 64 })
      await call(writing.abandon, { requestId: id(), lease })
    }, 2)
    for (let i = 0; i < limits.replicationMax; i++) {
      await call(heartbeat.register, { ...registration(`many-${i}`, 0), storages: storages(16).map(each => ({ ...each, dir: '/disk' })) })
    }
    await measure('writing.complete of 10,000 blocks on 16 nodes each', async time => {
      const path = `/wide-${time}`
      const { lease } = await call(writing.create, { requestId: id(), path, replication: 1 })
      const nodes = Array.from({ length: limits.replicationMax }, (_, i) => nodeId(`many-${i}`))
      const sealed: writing.SealedBlock[] = []
      while (sealed.length < limits.fileBlocksMax) {
        const { blocks } = await call(writing.allocate, {
          requestId: id(), lease,
          count: Math.min(64, limits.fileBlocksMax - sealed.length),
        })
        for (const { id: block } of blocks) sealed.push({ id: block, length: 4096, crc: 1, aligned: true, nodes })
      }
      await call(writing.complete, { requestId: id(), lease, blocks: sealed })
    }, 3)
    await measure('20 files of 5,000 blocks completed at once', async time => {
      const open = await Promise.all(Array.from({ length: 20 }, async (_, i) => {
        const { lease } = await call(writing.create, { requestId: id(), path: `/at-once-${time}-${i}`, replication: 1 })
        const sealed: writing.SealedBlock[] = []
        while (sealed.length < 5000) {
          const { blocks } = await call(writing.allocate, { requestId: id(), lease, count: Math.min(64, 5000 - sealed.length) })
          for (const { id: block } of blocks) sealed.push({ id: block, length: 4096, crc: 1, aligned: true, nodes: [worker] })
        }
        return { requestId: id(), lease, blocks: sealed }
      }))
      await Promise.all(open.map(each => call(writing.complete, each)))
    }, 2)
  })

  const spec = (name: string, stages: job.StageSpec[], more: Partial<job.JobSpec> = {}): job.JobSpec => ({
    name,
    program: { id: programId('0'.repeat(64)), path: '/p.js' },
    params: {}, seed: 1, fingerprint: 'f', stages,
    output: { path: `/out-rows-${name}-${++requests}`, overwrite: false, format: 'text' },
    attemptsMax: 100, memoryBytes: 1 << 20, taskDeadlineMs: 0, ...more,
  })
  const empty = (count: number, range: task.SplitRange): job.StageSpec => ({
    name: 'map',
    input: {
      kind: 'packed',
      splits: Array.from({ length: count }, () => packSplit({ ranges: [range], bytes: 0 })),
      options: { format: 'lines' },
    },
    output: { kind: 'files', format: 'text' },
  })
  const work = async (acknowledged: number) => (await call(order.orders, { node: worker, session, acknowledged, freeSlots: 4 })).orders

  await part('tasks', async () => {
    await call(namespace.touch, { requestId: id(), path: '/one' })
    const { id: inode } = await call(namespace.stat, { path: '/one' })
    const range: task.SplitRange = { path: '/one', inode, fileBytes: 0, start: 0, end: 0, aligned: true, blocks: [] }
    const params = hardest(limits.jobParamsBytesMax - 20)
    let ran: JobId | undefined
    await measure('job.submit, parameters of 1 MiB', async () => {
      if (ran) await call(job.kill, { requestId: id(), job: ran })
      ran = (await call(job.submit, { requestId: id(), spec: spec('params', [empty(100, range)], { params }) })).job
    })
    await measure('job.list, of such jobs', () => call(job.jobs, {}))
    await measure('job.queues', () => call(job.queues, {}))
    let acknowledged = 0
    await measure('order.wait, tasks with parameters of 1 MiB', async () => {
      const orders = await work(acknowledged)
      acknowledged = orders.at(-1)?.seq ?? acknowledged
      for (const { order: each } of orders) {
        if (each.kind === 'run')
          await call(task.finished, {
            node: worker, attempt: each.work.attempt,
            outcome: { kind: 'failed', cause: 'program', failure, counters: {} },
          })
      }
    })
    await call(job.kill, { requestId: id(), job: ran! })
    const deep = `/out${'/x'.repeat(3900)}`
    await measure('job.submit, 10,000 inputs and an output as deep as can be', () =>
      call(job.submit, {
        requestId: id(),
        spec: {
          ...spec('apart', [empty(1, range)], { inputs: Array.from({ length: 10_000 }, (_, i) => `/in-${i}`) }),
          output: { path: deep, overwrite: false, format: 'text' },
        },
      }),
    )
    await measure('job.submit, 10,000 inputs that are above the output, by a hidden name', () =>
      call(job.submit, {
        requestId: id(),
        spec: {
          ...spec('above', [empty(1, range)], { inputs: Array.from({ length: 10_000 }, () => '/') }),
          output: { path: `/_h${'/x'.repeat(3900)}`, overwrite: false, format: 'text' },
        },
      }),
    )
    const text = (levels: number): string =>
      packSplit({ bytes: 0, ranges: Array.from({ length: 1000 }, () => ({ ...range, path: '/x'.repeat(levels) })) })
    await measure('job.splits, 50,000 ranges of a path with 4,000 levels', () =>
      call(job.splits, {
        requestId: id(), id: `rows-deep-${++requests}` as never, page: 0, output: '/out-deep',
        splits: Array.from({ length: 40 }, () => text(4000)),
      }),
    )
    const there = `/d${'/x'.repeat(limits.pathDepthMax - 2)}`
    await call(namespace.mkdir, { requestId: id(), path: there, parents: true })
    await call(namespace.touch, { requestId: id(), path: `${there}/f` })
    const { id: below } = await call(namespace.stat, { path: `${there}/f` })
    const packed = packSplit({ bytes: 0, ranges: Array.from({ length: 1000 }, () => ({ ...range, path: `${there}/f`, inode: below })) })
    await measure('job.splits, 40,000 ranges of a file in 1,000 directories', () =>
      call(job.splits, {
        requestId: id(), id: `rows-deep-${++requests}` as never, page: 0, output: '/out-deep',
        splits: Array.from({ length: 40 }, () => packed),
      }),
    )
    const path = '/largest'
    const { lease } = await call(writing.create, { requestId: id(), path, replication: 1 })
    const sealed: writing.SealedBlock[] = []
    while (sealed.length < limits.fileBlocksMax) {
      const { blocks } = await call(writing.allocate, { requestId: id(), lease, count: Math.min(64, limits.fileBlocksMax - sealed.length) })
      for (const { id: block } of blocks) sealed.push({ id: block, length: 4096, crc: 1, aligned: true, nodes: [worker] })
    }
    const file = await call(writing.complete, { requestId: id(), lease, blocks: sealed })
    await reported(sealed.map(({ id: block }): [number, number, number] => [block, 4096, 1]))
    const bytes = 4096 * sealed.length
    const whole: task.SplitRange = {
      path, inode: file.id, fileBytes: bytes, start: 0, end: bytes, aligned: true,
      blocks: sealed.map(({ id: block }, i) => ({ id: block, offset: 4096 * i, length: 4096, crc: 1 })),
    }
    const large = spec('largest', [empty(1, whole)])
    await measure('job.submit, a task of a file of 10,000 blocks', async () => {
      ran = (await call(job.submit, { requestId: id(), spec: { ...large, output: { ...large.output, path: `/o-${++requests}` } } })).job
    })
    await measure('order.wait, that task', () => work(acknowledged), 1)
    await call(job.kill, { requestId: id(), job: ran! })
    ;({ session } = await call(heartbeat.register, registration('worker', 4)))
    seq = 0
    await reported()
    acknowledged = 0
    const shuffling: job.StageSpec[] = [
      { ...empty(16_000, range), output: { kind: 'shuffle', partitions: 1 } },
      { name: 'reduce', input: { kind: 'shuffle', stage: 0, partitions: 1 }, output: { kind: 'files', format: 'text' } },
    ]
    ran = (await call(job.submit, { requestId: id(), spec: spec('shuffle', shuffling) })).job
    const many = counters(10_000)
    await measure('task.progress, 10,000 counters', () =>
      call(task.progress, {
        node: worker, session,
        attempts: [{ attempt: attemptId({ job: ran!, stage: 0, task: 0, attempt: 0 }), counters: many, fraction: 0 }],
      }),
    )
    const done = (number: number, given: Record<string, number>): Promise<unknown> =>
      call(task.finished, {
        node: worker,
        attempt: attemptId({ job: ran!, stage: 0, task: number, attempt: 0 }),
        outcome: { kind: 'done', counters: given, output: { kind: 'shuffle', bytes: 1, digest: 'd' } },
      })
    for (const { seq: number } of await work(acknowledged)) acknowledged = number
    await measure('task.finished, 10,000 counters', () => done(0, many), 1)
    await measure(
      'task.finished, a failure with its stack',
      () =>
        call(task.finished, {
          node: worker,
          attempt: attemptId({ job: ran!, stage: 0, task: 1, attempt: 0 }),
          outcome: { kind: 'failed', cause: 'program', failure, counters: {} },
        }),
      1,
    )
    await measure('job.watch, 10,000 counters', () => call(job.watch, { job: ran! }))
    await measure('job.list, 10,000 counters', () => call(job.jobs, {}))
    for (let number = 1; number < 16_000;) {
      const orders = await work(acknowledged)
      const mine = orders.flatMap(({ order: each }) => (each.kind === 'run' && each.work.job === ran ? [each.work] : []))
      acknowledged = orders.at(-1)?.seq ?? acknowledged
      if (mine.some(({ stage }) => stage === 1)) break
      await Promise.all(
        mine.map(each =>
          call(task.finished, {
            node: worker, attempt: each.attempt,
            outcome: { kind: 'done', counters: {}, output: { kind: 'shuffle', bytes: 1, digest: 'd' } },
          }),
        ),
      )
      number += mine.length
      if (mine.length === 0) await systemClock.sleep(5)
    }
    await measure('task.outputs, of 16,000 tasks', () => call(task.outputs, { job: ran!, stage: 0 }))
    await measure('job.tasks, a page of it, done', () => call(job.tasks, { job: ran!, limit: 1000 }))
    await measure('job.logs, a page of it', () => call(job.logPlaces, { job: ran!, from: 0 }))
    await measure('job.publish, job.drop and job.patterns, of a job of which nothing is kept', async () => {
      await call(job.publish, { requestId: id(), job: ran!, output: { path: `${long}/p` } }).catch(() => {})
      await call(job.drop, { requestId: id(), job: ran! }).catch(() => {})
      await call(job.patterns, { job: ran! }).catch(() => {})
    })
    await call(job.kill, { requestId: id(), job: ran })
    await measure('job.submit, 1 MiB of patterns', () =>
      call(job.submit, {
        requestId: id(),
        spec: spec('patterns', [empty(1, range)], { patterns: Array.from({ length: 1000 }, (_, i) => `/${String(i).padEnd(900, 'p')}`) }),
      }),
    )
    await measure('job.submit, 8 MiB of what may not be so large', () =>
      call(job.submit, {
        requestId: id(),
        spec: spec('refused', [empty(1, range)], {
          params: { list: Array.from({ length: 100 }, () => 'x'.repeat(79 * KiB)), ...hardest(900 * KiB) },
        }),
      }),
    )
  })
}
