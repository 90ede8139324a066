// Tracks asynchronous work that a program starts, with Node's async hooks. Promises are not tracked: they cost a hook at each await, and
// an unsettled promise keeps nothing running; the work that a promise waits for is tracked. Messages between threads have no hook: only
// open ports are seen (`unseen`). test/unit/src/world/started.test.ts compares the types here with those of Node.

import { AsyncLocalStorage, createHook } from 'node:async_hooks'
import { setFlagsFromString } from 'node:v8'
import { runInNewContext } from 'node:vm'
import type { Started, StartedWork } from '../ports/started.ts'

/** Each ends with one callback. */
const requests: Readonly<Record<string, string>> = {
  FSREQCALLBACK: 'a request to the disk', FSREQPROMISE: 'a request to the disk', FILEHANDLECLOSEREQ: 'a request to the disk',
  GETADDRINFOREQWRAP: 'a look-up of a name', GETNAMEINFOREQWRAP: 'a look-up of a name', QUERYWRAP: 'a look-up of a name',
  TCPCONNECTWRAP: 'a connection that is being made', PIPECONNECTWRAP: 'a connection that is being made', UDPSENDWRAP: 'a datagram',
  ARGON2REQUEST: 'cryptography', CHECKPRIMEREQUEST: 'cryptography', CIPHERREQUEST: 'cryptography', DERIVEBITSREQUEST: 'cryptography',
  HASHREQUEST: 'cryptography', KEYEXPORTREQUEST: 'cryptography', KEYGENREQUEST: 'cryptography', KEYPAIRGENREQUEST: 'cryptography',
  PBKDF2REQUEST: 'cryptography', RANDOMBYTESREQUEST: 'cryptography', RANDOMPRIMEREQUEST: 'cryptography', SCRYPTREQUEST: 'cryptography',
  SIGNREQUEST: 'cryptography', VERIFYREQUEST: 'cryptography',
}
/** The same object may carry further requests, and ends with garbage collection, so entries hold it weakly. */
const reused: Readonly<Record<string, string>> = { ZLIB: 'compression', BLOBREADER: 'a read of a Blob' }
const timers: Readonly<Record<string, string>> = { Timeout: 'a timer', Immediate: 'a callback of setImmediate' }
const streams: Readonly<Record<string, string>> = { TCPWRAP: 'a connection', PIPEWRAP: 'a pipe', UDPWRAP: 'a socket' }
const processes: Readonly<Record<string, string>> = { PROCESSWRAP: 'a process' }
const handles: Readonly<Record<string, string>> = {
  TCPSERVERWRAP: 'a server', PIPESERVERWRAP: 'a server', WORKER: 'a worker thread',
  FSEVENTWRAP: 'a watch on files', STATWATCHER: 'a watch on files',
}
/** Unreferenced work of these types still calls back while the process runs. */
const toldWhenUnref = new Set(['Timeout', 'Immediate', 'PROCESSWRAP', 'WORKER', ...Object.keys(streams)])
const ports = 'MESSAGEPORT'
const names = { ...requests, ...reused, ...timers, ...streams, ...processes, ...handles }
/** Types of Node's asynchronous resources that are tracked. */
export const trackedTypes: ReadonlySet<string> = new Set([...Object.keys(names), ports])
/** Maximum number of recorded stacks; later work is reported without its place. */
const stacksMax = 1000

interface Resource {
  hasRef?: () => boolean
  _idleTimeout?: number
  _repeat?: number | null
  _destroyed?: boolean
  buffer?: unknown
  /** Set for a stream. */
  bytesWritten?: number
}

interface Task { readonly job: string }

interface Entry {
  readonly type: string
  readonly resource: { deref(): Resource | undefined }
  readonly begun: Error
  /** The task that has started it. */
  readonly task: Task
  fired: boolean
  /** For a stream: bytes that were written before its last read. */
  answered: number
}

/** The hooks stay for the life of the process. REQUIRES: called once, by an executor's main file. */
export function watchStarted(): Started {
  const scope = new AsyncLocalStorage<Task>()
  const entries = new Map<number, Entry>()
  const openPorts = new Set<number>()
  const nowhere = new Error('begun')
  let task: Task | undefined
  let inScope = <T>(work: () => T): T => work()
  createHook({
    init(id, type, _trigger, resource) {
      if (!trackedTypes.has(type)) return
      const starter = scope.getStore()
      if (!starter) return
      if (type === ports) { openPorts.add(id); return }
      entries.set(id, {
        type,
        resource: type in reused ? new WeakRef(resource) : { deref: () => resource },
        begun: entries.size < stacksMax ? new Error('begun') : nowhere,
        task: starter, fired: false, answered: 0,
      })
    },
    before(id) {
      const entry = entries.get(id)
      if (!entry) return
      if (entry.type in requests || entry.type === 'Immediate') { entries.delete(id); return }
      entry.fired = true
      if (entry.type in streams) entry.answered = entry.resource.deref()?.bytesWritten ?? 0
    },
    destroy(id) {
      entries.delete(id)
      openPorts.delete(id)
    },
    trackPromises: false,
  } as Parameters<typeof createHook>[0]).enable()

  let gc: (() => void) | undefined
  return {
    call: work => inScope(work),
    begin(job) {
      task = { job }
      inScope = scope.run(task, () => AsyncLocalStorage.snapshot()) as typeof inScope
    },
    get job() { return scope.getStore()?.job },
    pending() {
      const found: StartedWork[] = []
      for (const entry of entries.values()) {
        const work = tell(entry)
        if (work) found.push({ ...work, earlier: entry.task !== task })
      }
      return found
    },
    mark() { for (const entry of entries.values()) entry.fired = false },
    get unseen() { return openPorts.size > 0 },
    collect() {
      if (!gc) {
        setFlagsFromString('--expose-gc')
        gc = runInNewContext('gc') as () => void
      }
      // An unread stack keeps the objects of its methods alive.
      for (const { begun } of entries.values()) void begun.stack
      gc()
    },
  }
}

/** Undefined for work that has ended or cannot call back. */
function tell(entry: Entry): Omit<StartedWork, 'earlier'> | undefined {
  const { type, fired, begun } = entry
  const it = entry.resource.deref()
  // A compression stream has a buffer while it works.
  if (!it || it._destroyed === true || (type === 'ZLIB' && (it.buffer === undefined || it.buffer === null))) return undefined
  const unref = it.hasRef?.() === false
  const idle = type in streams && isIdle(entry, it)
  if (unref && (!toldWhenUnref.has(type) || idle)) return undefined
  const afterMs = type === 'Timeout' ? Math.max(0, it._idleTimeout ?? 0) : 0
  return { what: names[type]!, kind: kindOf(type), afterMs, repeats: typeof it._repeat === 'number', fired, idle, unref, begun }
}

function kindOf(type: string): StartedWork['kind'] {
  if (type in requests || type === 'ZLIB') return 'request'
  return type in timers ? 'timer' : type in streams ? 'stream' : type in processes ? 'process' : 'handle'
}

/** For a stream, such as a pool's: true if nothing was written after its last read, and nothing was read since `mark`. */
function isIdle({ fired, answered }: Entry, { bytesWritten }: Resource): boolean {
  return !fired && bytesWritten !== undefined && bytesWritten <= answered
}
