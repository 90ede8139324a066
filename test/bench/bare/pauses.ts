// Server process of the bench `pauses`: a namenode or, with the namenode's address as argument, a datanode, which measures pauses of its
// event loop. `take` returns the longest pause since the last `take`: in wall-clock time, and in processor time of the main thread, which
// other programs on the machine do not lengthen.

import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { Datanode } from '../../../datanode/datanode.ts'
import { openTasks } from '../../../datanode/executor/tasks.ts'
import { Namenode } from '../../../namenode/namenode.ts'
import { address } from '../../../src/base/ids.ts'
import { limits } from '../../../src/base/limits.ts'
import { realWorld } from '../../../src/world/world.ts'

export interface Pause { readonly wallMs: number; readonly cpuMs: number }

const dir = mkdtempSync(join(tmpdir(), 'gristmill-pauses-'))
process.once('exit', () => rmSync(dir, { recursive: true, force: true }))
process.once('disconnect', () => process.exit(0))

const [, , namenodeAt] = process.argv
const secret = Buffer.alloc(32, 7)
const server =
  namenodeAt === undefined
    ? await Namenode.start(realWorld({ name: 'namenode', logLevel: 'error' }), {
        dir: join(dir, 'namenode'), host: '127.0.0.1', port: 0, secret, user: 'root',
        defaults: { replication: 1, blockBytes: 128 << 20 },
        sync: false,
        times: { heartbeatMs: 60_000, nodeStaleMs: 3_600_000, nodeDeadMs: 36_000_000 },
      })
    : await Datanode.start(realWorld({ name: 'datanode', logLevel: 'error' }), {
        dirs: [join(dir, 'datanode')], host: '127.0.0.1', port: 0, secret, namenode: address(namenodeAt), rack: '/default',
        hostName: 'bench-datanode', slots: 1, memoryBytes: limits.taskMemoryBytesDefault,
        tasks: host => openTasks(host, { prestart: false }),
      })

const cpu = (): number => {
  const { user, system } = process.threadCpuUsage()
  return (user + system) / 1000
}
let last = { wallMs: performance.now(), cpuMs: cpu() }
let longest = { wallMs: 0, cpuMs: 0 }
/** Between two calls the thread spent its time in one turn of the event loop. */
const look = (): void => {
  const now = { wallMs: performance.now(), cpuMs: cpu() }
  longest = { wallMs: Math.max(longest.wallMs, now.wallMs - last.wallMs), cpuMs: Math.max(longest.cpuMs, now.cpuMs - last.cpuMs) }
  last = now
}
const tick = (): void => {
  look()
  setImmediate(tick)
}
tick()

process.on('message', () => {
  // Includes work done in the turn in which this message arrived.
  look()
  process.send!(longest satisfies Pause)
  longest = { wallMs: 0, cpuMs: 0 }
})
process.send!({ address: server.address, cluster: 'cluster' in server ? server.cluster : '', dir: join(dir, 'datanode') })
