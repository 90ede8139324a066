// Longest pause of the event loop for each message at its largest allowed input. Goal: none above some 50 ms. The relevant column is
// processor time; on an idle machine it equals wall-clock time. `--quick`: smaller data sets.

import { fork, type ChildProcess } from 'node:child_process'
import { join } from 'node:path'
import {
  address, blockId, clusterId, jobId, leaseId, nodeId, programId, requestId, splitsId, storageId, attemptId,
} from '../../src/base/ids.ts'
import { limits } from '../../src/base/limits.ts'
import { KiB } from '../../src/base/units.ts'
import { silent } from '../../src/ports/log.ts'
import * as admin from '../../src/protocol/admin.ts'
import * as heartbeat from '../../src/protocol/heartbeat.ts'
import * as job from '../../src/protocol/job.ts'
import type { Message, ReplyOf, RequestOf } from '../../src/protocol/message.ts'
import * as namespace from '../../src/protocol/namespace.ts'
import { packSplit, splitRangesMax } from '../../src/protocol/packed.ts'
import * as quota from '../../src/protocol/quota.ts'
import * as report from '../../src/protocol/report.ts'
import * as safety from '../../src/protocol/safety.ts'
import * as snapshot from '../../src/protocol/snapshot.ts'
import * as task from '../../src/protocol/task.ts'
import * as trash from '../../src/protocol/trash.ts'
import * as writing from '../../src/protocol/writing.ts'
import * as xattr from '../../src/protocol/xattr.ts'
import { Credentials } from '../../src/rpc/auth.ts'
import { Caller } from '../../src/rpc/call.ts'
import { systemClock } from '../../src/world/clock.ts'
import { systemNet } from '../../src/world/net.ts'
import { systemRandom } from '../../src/world/random.ts'
import type { Pause } from './bare/pauses.ts'
import { datanodeRows } from './bare/datanoderows.ts'
import { moreRows } from './bare/rows.ts'

const scale = process.argv.includes('--quick') ? 0.1 : 1
const goalMs = 50

const begin = (...args: string[]): ChildProcess =>
  fork(join(import.meta.dirname, 'bare/pauses.ts'), args, { stdio: ['ignore', 'inherit', 'inherit', 'ipc'] }).setMaxListeners(0)
const namenode = begin()
/** Process under measurement: the namenode, or a datanode. */
let child = namenode
const hear = <T>(): Promise<T> => new Promise((resolve, reject) => {
  child.once('message', message => resolve(message as T))
  child.once('exit', code => reject(new Error(`the process has ended with ${code}`)))
})
const { address: at, cluster } = await hear<{ address: string; cluster: string }>()
const net = systemNet(silent)
const credentials = new Credentials({
  secret: Buffer.alloc(32, 7), user: 'root', cluster: clusterId(cluster), clock: systemClock, random: systemRandom(),
})
const caller = new Caller({ dispatcher: net.dispatcher, credentials, clock: systemClock, random: systemRandom() })
let requests = 0
const id = () => requestId(`bench:${++requests}`)
const call = <M extends Message>(message: M, request: RequestOf<M>): Promise<ReplyOf<M>> =>
  caller.call(address(at), message, request, { timeoutMs: 600_000, retry: false })

function take(): Promise<Pause> {
  const heard = hear<Pause>()
  child.send('take')
  return heard
}

let worst = 0
/** Prints the longest pause of the event loop during the work, which is repeated `times` times; the first is a warm-up. */
async function measure(what: string, work: (time: number) => Promise<unknown>, times = 3): Promise<void> {
  let found: Pause | undefined
  let refused = ''
  for (let i = 0; i < times; i++) {
    await take()
    try {
      await work(i)
    } catch (error) {
      refused = ` (${(error as { code?: string }).code ?? String(error)})`
    }
    const pause = await take()
    if (!found || pause.cpuMs < found.cpuMs) found = pause
  }
  worst = Math.max(worst, found!.cpuMs)
  console.log(
    `${what.padEnd(92)} ${found!.cpuMs.toFixed(1).padStart(8)} ms cpu ${found!.wallMs.toFixed(1).padStart(8)} ms wall` +
    `${refused}${found!.cpuMs > goalMs ? '   above the goal' : ''}`,
  )
}

/** Runs `work` for 0 to count - 1, `atOnce` at a time. */
async function each(count: number, work: (i: number) => Promise<unknown>, atOnce = 200): Promise<void> {
  for (let i = 0; i < count; i += atOnce) await Promise.all(Array.from({ length: Math.min(atOnce, count - i) }, (_, j) => work(i + j)))
}

const only = process.argv.find(word => word.startsWith('--only='))?.slice('--only='.length)
async function part(name: string, work: () => Promise<void>): Promise<void> {
  if (only === undefined || name.includes(only)) await work()
}

try {
  const node = nodeId('datanode-bench')
  const storage = { id: storageId('s1'), dir: '/bench', capacityBytes: 2 ** 50, freeBytes: 2 ** 50, usedBytes: 0, blocks: 0, failed: false }
  const { session } = await call(heartbeat.register, {
    node, address: address('127.0.0.1:1'), rack: '/default', host: 'bench', pid: 1, version: '0', slots: 0, storages: [storage],
    attempts: [],
  })
  let seq = 0
  await call(report.full, { node, session, seq: ++seq, taken: 0, first: true, last: true, storages: [] })

  /** Number of trees made; each path has the maximal depth or the maximal length. */
  let trees = 0
  const deep = (): string => `/t${++trees}${'/x'.repeat(limits.pathDepthMax - 1)}`
  const longNames = Array.from({ length: Math.floor(limits.pathBytesMax / (limits.nameBytesMax + 1)) - 1 }, (_, i) =>
    String(i).padEnd(limits.nameBytesMax, 'n'),
  )
  const long = `/${longNames.join('/')}`

  await part('names', async () => {
    await measure('namespace.mkdir with parents, as many levels as are allowed', () =>
      call(namespace.mkdir, { requestId: id(), path: deep(), parents: true }),
    )
    await measure('namespace.mkdir with parents, 8 KiB of path with more levels than are allowed', () =>
      call(namespace.mkdir, { requestId: id(), path: '/x'.repeat(limits.pathBytesMax / 2), parents: true }),
    )
    await measure('writing.create with parents, as many levels', () =>
      call(writing.create, { requestId: id(), path: deep(), parents: true }),
    )
    const known = deep()
    await call(namespace.mkdir, { requestId: id(), path: known, parents: true })
    await measure('namespace.stat, as many levels, nothing remembered', async () => {
      // Renaming a directory empties the namenode's path cache.
      await call(namespace.mkdir, { requestId: id(), path: `/f${++trees}` })
      await call(namespace.rename, { requestId: id(), from: `/f${trees}`, to: `/g${trees}` })
      await call(namespace.stat, { path: known })
    })
    await measure('namespace.stat, 8 KiB of a path that is not there', () =>
      call(namespace.stat, { path: '/x'.repeat(limits.pathBytesMax / 2) }),
    )
    await measure(
      'namespace.rename, as many levels in both paths',
      () => call(namespace.rename, { requestId: id(), from: known, to: `${known.slice(0, -1)}y` }),
      1,
    )
    await call(namespace.mkdir, { requestId: id(), path: long, parents: true })
    await each(limits.listPageMax, i =>
      call(namespace.touch, { requestId: id(), path: `${long}/${String(i).padEnd(limits.nameBytesMax - 1, 'e')}` }),
    )
    await measure(`namespace.list, ${limits.listPageMax} entries with paths of 8 KiB`, () => call(namespace.list, { path: long }))
    const entries = Math.round(100_000 * scale)
    await call(namespace.mkdir, { requestId: id(), path: '/many' })
    await each(entries, i => call(namespace.touch, { requestId: id(), path: `/many/file-${i}` }))
    await measure(`namespace.list, ${limits.listPageMax} of ${entries} entries`, () => call(namespace.list, { path: '/many' }))
    await measure(`namespace.summary of ${entries} files`, () => call(namespace.summary, { path: '/many' }))
    await measure(`safety.fsck, a page of ${entries} files`, () => call(safety.fsck, { path: '/many', healthy: true }))
    await measure(`safety.recount, the same ${entries} files`, () => call(safety.recount, {}))
    await measure(`namespace.remove of ${entries} files, until they are taken apart`, async () => {
      await call(namespace.remove, { requestId: id(), path: '/many', recursive: true, skipTrash: true })
      while ((await call(admin.status, {})).files > limits.listPageMax + 100) await systemClock.sleep(50)
    }, 1)
    await each(limits.attributesMax, i =>
      call(xattr.set, {
        requestId: id(), path: long, name: `user.${String(i).padEnd(200, 'a')}`, value: Buffer.alloc(400).toString('base64'),
      }).catch(() => {}),
    )
    await measure('xattr.list, as much as is allowed', () => call(xattr.list, { path: long }))
    await each(limits.listPageMax, async i => {
      const path = `${long}/${String(i).padEnd(limits.nameBytesMax - 1, 'e')}`
      await call(namespace.remove, { requestId: id(), path })
    })
    await measure('trash.list, a page of items with paths of 8 KiB', () => call(trash.list, {}))
    await measure('trash.empty, a page', () => call(trash.empty, { requestId: id() }))
  })

  await part('quotas', async () => {
    const top = `/q${'/x'.repeat(limits.pathDepthMax / 2)}`
    await call(namespace.mkdir, { requestId: id(), path: top, parents: true })
    await each(limits.pathDepthMax / 2, i => call(quota.set, { requestId: id(), path: top.slice(0, 2 + 2 * i), names: 1_000_000 }), 20)
    await measure(`namespace.mkdir with parents, below ${limits.pathDepthMax / 2} directories with quotas`, () =>
      call(namespace.mkdir, { requestId: id(), path: `${top}/${++trees}${'/y'.repeat(limits.pathDepthMax / 2 - 3)}`, parents: true }),
    )
    await measure('quota.list, deep directories', () => call(quota.list, {}))
    const entries = Math.round(200_000 * scale)
    await call(namespace.mkdir, { requestId: id(), path: '/coming' })
    await each(entries, i => call(namespace.touch, { requestId: id(), path: `/coming/file-${i}` }))
    let here = '/coming'
    await measure(`namespace.rename of a directory with ${entries} files into one with a quota`, async () => {
      const to = here === '/coming' ? '/q/came' : '/coming'
      await call(namespace.rename, { requestId: id(), from: here, to })
      here = to
    }, 2)
  })

  await part('snapshots', async () => {
    const count = Math.round(limits.snapshotDirectoriesMax * scale)
    await call(namespace.mkdir, { requestId: id(), path: '/s/below', parents: true })
    await each(count, i => call(namespace.mkdir, { requestId: id(), path: `/s/${i}${'/x'.repeat(8)}`, parents: true }))
    await each(count - 1, i => call(snapshot.create, { requestId: id(), path: `/s/${i}${'/x'.repeat(8)}`, name: 'a' }))
    await call(snapshot.create, { requestId: id(), path: '/s', name: 'a' })
    await measure(`snapshot.create, beside ${count} directories with snapshots`, () =>
      call(snapshot.create, { requestId: id(), path: '/s', name: `b${++trees}` }),
    )
    await measure('snapshot.list, a page of deep directories', () => call(snapshot.list, {}))
    await measure(`namespace.remove of a directory, beside ${count} deep directories with snapshots`, async () => {
      await call(namespace.mkdir, { requestId: id(), path: `/r${++trees}` })
      await call(namespace.remove, { requestId: id(), path: `/r${trees}`, recursive: true })
    })
  })

  await part('files', async () => {
    const blocks = limits.fileBlocksMax
    const files: string[] = []
    await measure(`writing.allocate and writing.complete of a file of ${blocks} blocks`, async () => {
      const path = `/file${++trees}`
      const { lease } = await call(writing.create, { requestId: id(), path })
      const sealed: writing.SealedBlock[] = []
      while (sealed.length < blocks) {
        const { blocks: given } = await call(writing.allocate, { requestId: id(), lease, count: Math.min(64, blocks - sealed.length) })
        sealed.push(
          ...given.map(({ id: block }) => ({
            id: block, length: 4096, crc: 4_000_000_000, aligned: true, nodes: Array.from({ length: 3 }, () => node),
          })),
        )
      }
      files.push(path)
      await call(writing.complete, { requestId: id(), lease, blocks: sealed })
    })
    const path = files[0]!
    await measure(`namespace.locate, the last page of a file of ${blocks} blocks`, () =>
      call(namespace.locate, { path, offset: 4096 * Math.max(0, blocks - limits.locatePageMax) }),
    )
    await measure('namespace.attributes, replication of that file', () =>
      call(namespace.setAttributes, { requestId: id(), path, replication: 2 }),
    )
    await measure('safety.fsck, a page of that file, with locations', () => call(safety.fsck, { path, healthy: true, locations: true }))
    await measure('namespace.remove of that file, until it is taken apart', async () => {
      await call(namespace.remove, { requestId: id(), path: files.pop()!, skipTrash: true })
      await systemClock.sleep(1000)
    })
    const leases: number[] = []
    await each(10_000, async i => { leases.push((await call(writing.create, { requestId: id(), path: `/lease${i}` })).lease) })
    await measure('writing.renew, 10,000 leases', () => call(writing.renew, { leases: leases.map(leaseId) }))
    await each(leases.length, i => call(writing.abandon, { requestId: id(), lease: leaseId(leases[i]!) }))
  })

  await part('reports', async () => {
    const ids = Array.from({ length: limits.reportPageBlocksMax }, (_, i) => blockId(1_000_000_000 + i))
    await measure(`report.full, a page of ${ids.length} blocks`, () =>
      call(report.full, {
        node, session, seq: ++seq, taken: 0, first: true, last: true,
        storages: [
          { id: storageId('s1'), blocks: ids.map((block): [typeof block, number, number] => [block, 134_217_728, 4_000_000_000]) },
        ],
      }),
    )
    await measure(`report.changes, ${ids.length} of each kind`, () =>
      call(report.changes, {
        node, session, seq: ++seq, taken: 0,
        added: ids.map(block => ({ id: block, length: 134_217_728, crc: 4_000_000_000, storage: storageId('s1') })),
        removed: ids, bad: ids,
      }),
    )
  })

  await part('jobs', async () => {
    const output = (name: string) => ({ path: `/out-${name}-${++trees}`, overwrite: false, format: 'text' as const })
    const spec = (stages: job.StageSpec[], name = 'bench'): job.JobSpec => ({
      name,
      program: { id: programId('0'.repeat(64)), path: '/p.js' },
      params: {}, seed: 1, fingerprint: 'f', stages, output: output(name), attemptsMax: 4, memoryBytes: 1 << 20, taskDeadlineMs: 0,
    })
    await call(namespace.touch, { requestId: id(), path: '/in' })
    const { id: inode } = await call(namespace.stat, { path: '/in' })
    const range: task.SplitRange = { path: '/in', inode, fileBytes: 0, start: 0, end: 0, aligned: true, blocks: [] }
    const size = JSON.stringify({ ranges: [range], bytes: 0 }).length + 1
    const splits = Array.from({ length: Math.min(limits.stageTasksMax, Math.floor((limits.jobBodyBytesMax - 10_000) / size)) }, () => ({
      ranges: [range], bytes: 0,
    }))
    const large = (): job.JobSpec =>
      spec(
        [{ name: 'map', input: { kind: 'splits', splits, options: { format: 'lines' } }, output: { kind: 'files', format: 'text' } }],
        'large',
      )
    let last = jobId('')
    await measure(`job.submit with ${splits.length} splits`, async () => {
      last = (await call(job.submit, { requestId: id(), spec: large() })).job
    })
    await measure('job.tasks, a page of it', () => call(job.tasks, { job: last, limit: 1000 }))
    await measure('job.logs, a page of it', () => call(job.logPlaces, { job: last, from: 0 }))
    await measure('job.watch of it', () => call(job.watch, { job: last }))
    await measure('job.kill of it', () => call(job.kill, { requestId: id(), job: last }), 1)
    const files: task.SplitRange[] = []
    await call(namespace.mkdir, { requestId: id(), path: '/small' })
    await each(splitRangesMax, async i => {
      const path = `/small/file-${String(i).padStart(8, '0')}`
      const { lease, blocks } = await call(writing.create, { requestId: id(), path, blocks: 1 })
      const status = await call(writing.complete, {
        requestId: id(), lease,
        blocks: blocks.map(({ id: block }) => ({ id: block, length: 4096, crc: 4_000_000_000, aligned: true, nodes: [node] })),
      })
      files.push({
        path, inode: status.id, fileBytes: 4096, start: 0, end: 4096, aligned: true,
        blocks: blocks.map(({ id: block }) => ({ id: block, offset: 0, length: 4096, crc: 4_000_000_000 })),
      })
    })
    files.sort((a, b) => (a.path < b.path ? -1 : 1))
    const packedPage = (of: readonly task.SplitRange[]): string[] => {
      const text = packSplit({ ranges: [...of], bytes: 4096 * of.length })
      return Array.from(
        { length: Math.min(limits.stageTasksMax, Math.floor((limits.splitsBodyBytesMax - 64 * KiB) / (text.length + 3))) },
        () => text,
      )
    }
    for (const [what, of] of [['small files, 1,000 a task', files], ['files, one a task', files.slice(0, 1)]] as const) {
      const page = packedPage(of)
      let sent = splitsId('')
      const path = `/out-pages-${++trees}`
      await measure(`job.splits, a page of ${page.length * of.length} ${what}`, async () => {
        sent = splitsId(`bench-splits-${++trees}`)
        await call(job.splits, { requestId: id(), id: sent, page: 0, output: path, splits: page })
      })
      // The maximal number of pages of a job: work on all of them together is done in slices.
      const pages = Math.min(
        Math.floor(limits.jobSplitsBytesMax / limits.splitsBodyBytesMax),
        Math.floor(limits.stageTasksMax / page.length),
      )
      for (let number = 1; number < pages; number++)
        await call(job.splits, { requestId: id(), id: sent, page: number, output: path, splits: page })
      const stages: job.StageSpec[] = [
        {
          name: 'map',
          input: { kind: 'packed', sent: { id: sent, pages, tasks: pages * page.length }, splits: [], options: { format: 'lines' } },
          output: { kind: 'files', format: 'text' },
        },
      ]
      const submitted = spec(stages)
      submitted.output.path = path
      let ran = jobId('')
      await measure(
        `job.submit of ${pages} pages, ${pages * page.length * of.length} ${what}`,
        async () => {
          ran = (await call(job.submit, { requestId: id(), spec: submitted })).job
        },
        1,
      )
      await measure('report.full, after which its tasks are looked at again', async () => {
        await call(report.full, {
          node, session, seq: ++seq, taken: 0, first: true, last: true,
          storages: [
            {
              id: storageId('s1'),
              blocks: files.flatMap(({ blocks }) => blocks.map(({ id: block, crc }): [typeof block, number, number] => [block, 4096, crc])),
            },
          ],
        })
        await systemClock.sleep(3000)
      }, 1)
      await measure('job.kill of it', () => call(job.kill, { requestId: id(), job: ran }), 1)
    }
    const stages = Array.from({ length: 100 }, (_, i): job.StageSpec => ({
      name: 'n'.repeat(100),
      input: i === 0 ? { kind: 'splits', splits: [], options: { format: 'lines' } } : { kind: 'shuffle', stage: i - 1, partitions: 1 },
      output: i === 99 ? { kind: 'files', format: 'text' } : { kind: 'shuffle', partitions: 1 },
    }))
    await each(
      Math.round(limits.jobsRunningMax * scale) - 5,
      () => call(job.submit, { requestId: id(), spec: spec(stages, 'n'.repeat(100)) }).catch(() => {}),
      20,
    )
    await measure('job.list, 1,000 jobs of 100 stages', () => call(job.jobs, { limit: 1000 }))
    const counters = Object.fromEntries(Array.from({ length: 10 }, (_, i) => [`user.${i}`, i]))
    await measure('task.progress, 1,000 attempts', () =>
      call(task.progress, {
        node, session,
        attempts: Array.from({ length: 1000 }, (_, i) => ({
          attempt: attemptId({ job: jobId('job-1'), stage: 0, task: i, attempt: 0 }),
          counters, fraction: 0.5,
        })),
      }),
    )
  })

  await call(namespace.mkdir, { requestId: id(), path: long, parents: true })
  await moreRows({ part, measure, call, long })

  await part('bodies', async () => {
    await measure('GET /, /healthz, /readyz and /metrics', async () => {
      for (const path of ['/', '/healthz', '/readyz', '/metrics']) await (await fetch(`http://${at}${path}`)).text()
    })
    const bodies = {
      'numbers': () => `{"path":"/","more":[${'1,'.repeat(limits.controlBodyBytesMax / 2 - 100)}1]}`,
      'lists': () => `{"path":"/","more":[${'[],'.repeat(limits.controlBodyBytesMax / 3 - 100)}1]}`,
      'keys': () => {
        const count = Math.floor(limits.controlBodyBytesMax / 13) - 100
        return `{"path":"/","more":{${Array.from({ length: count }, (_, i) => `"k${String(i).padStart(7, '0')}":1`).join()}}}`
      },
      'escapes': () => `{"path":"/","more":["${'\\u0041'.repeat(limits.controlBodyBytesMax / 6 - 100)}"]}`,
      'what looks like a prototype': () => `{"path":"/","more":["constructor",${'[],'.repeat(limits.controlBodyBytesMax / 3 - 100)}1]}`,
    }
    for (const [what, body] of Object.entries(bodies)) {
      const text = body()
      await measure(`any message, a body as large as is allowed: ${what}`, async () => {
        await (
          await fetch(`http://${at}${namespace.stat.path}`, {
            method: 'POST', body: text,
            headers: { 'content-type': 'application/json', ...credentials.bearer() },
          })
        ).text()
      })
    }
  })

  await part('datanode', async () => {
    child = begin(at)
    const started = await hear<{ address: string; dir: string }>()
    await datanodeRows({ measure, net, caller, cluster: clusterId(cluster), at: address(started.address), dir: started.dir })
    child.disconnect()
    child = namenode
  })

  console.log(`\nthe longest pause: ${worst.toFixed(1)} ms of processor time (goal: ${goalMs})`)
} finally {
  namenode.disconnect()
  await net.close()
}
