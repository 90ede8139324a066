// Tracks asynchronous work that a program starts, with Node's async hooks. Promises are not tracked: they cost a hook at each await, and
// an unsettled promise keeps nothing running; the work that a promise waits for is tracked. Messages between threads have no hook: only
// open ports are seen (`unseen`). test/unit/src/world/started.test.ts compares the types here with those of Node.
//
// Invariant: the work of one task is told from that of another by the time at which it began, and the use of a connection by the time at
// which it was written to. Neither the work whose callback began it nor the opener of the connection tells: a pool's connections and a
// queue's timers carry the work of all tasks.

import { AsyncLocalStorage, createHook } from 'node:async_hooks'
import { setFlagsFromString } from 'node:v8'
import { runInNewContext } from 'node:vm'
import type { Started, StartedWork } from '../ports/started.ts'
import { watchHttpRequests } from './httprequests.ts'

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
/** Requests that also exist for the calls that wait for them (`randomBytes` without a callback): those never call back. */
const cryptic: ReadonlySet<string> = new Set(Object.keys(requests).filter(type => requests[type] === 'cryptography'))
/** The same object may carry further requests, and ends with garbage collection, so entries hold it weakly. */
const reused: Readonly<Record<string, string>> = { ZLIB: 'compression', BLOBREADER: 'a read of a Blob' }
const timers: Readonly<Record<string, string>> = { Timeout: 'a timer', Immediate: 'a callback of setImmediate' }
/** A connection of TLS, which is a stream over another one. */
const secure = 'TLSWRAP'
const streams: Readonly<Record<string, string>> = {
  TCPWRAP: 'a connection', PIPEWRAP: 'a pipe', UDPWRAP: 'a socket', [secure]: 'a connection',
}
const processes: Readonly<Record<string, string>> = { PROCESSWRAP: 'a process' }
const threads: Readonly<Record<string, string>> = { WORKER: 'a worker thread' }
const handles: Readonly<Record<string, string>> = {
  TCPSERVERWRAP: 'a server', PIPESERVERWRAP: 'a server',
  FSEVENTWRAP: 'a watch on files', STATWATCHER: 'a watch on files',
}
/** Unreferenced work of these types still calls back while the process runs. */
const toldWhenUnref = new Set(['Timeout', 'Immediate', 'PROCESSWRAP', 'WORKER', ...Object.keys(streams)])
const ports = 'MESSAGEPORT'
const names = { ...requests, ...reused, ...timers, ...streams, ...processes, ...threads, ...handles }
/** Types of Node's asynchronous resources that are tracked. */
export const trackedTypes: ReadonlySet<string> = new Set([...Object.keys(names), ports])
/** Maximum number of recorded stacks; later work is reported without its place. */
const stacksMax = 1000
/** Looks after which a stream that was read is idle. At the pace of the end of a task: two seconds. */
const idleLooks = 45

interface Resource {
  hasRef?: () => boolean
  _idleTimeout?: number
  _repeat?: number | null
  _destroyed?: boolean
  buffer?: unknown
  /** Set for cryptography that calls back. */
  ondone?: unknown
  /** Set for a stream. */
  bytesWritten?: number
  bytesRead?: number
  /** Set for a connection of TLS: the stream below it. */
  _parent?: Resource
  /** Set for a connection that an agent of node:http uses again, under another id. */
  handle?: Resource
}

interface Task { readonly job: string }

interface Start {
  readonly begun: Error
  /** Number of `begin` calls before it began. */
  readonly part: number
}

interface Entry extends Start {
  readonly type: string
  readonly resource: { deref(): Resource | undefined }
  /** Cryptography of a promise. */
  readonly promised: boolean
  fired: boolean
  /** For a stream: bytes that were written before its last read, or before the last `begin`. */
  answered: number
  /** For a stream: bytes that were written before the last `begin`. */
  before: number
  /** For a stream: bytes that were read when its last callback began. */
  read: number
  /** For a stream: looks since its last read. */
  looks: number
  /** For a pipe: the process that was started last before it, whose output it may be. */
  readonly of: Entry | undefined
  /** For a process that has ended. */
  end: 'ref' | 'unref' | undefined
}

/** The hooks stay for the life of the process. REQUIRES: called once, by an executor's main file. */
export function watchStarted(): Started {
  const scope = new AsyncLocalStorage<Task>()
  const entries = new Map<number, Entry>()
  const openPorts = new Set<number>()
  const nowhere = new Error('begun')
  let part = 0
  let inScope = <T>(work: () => T): T => work()
  const start = (): Start | undefined =>
    scope.getStore() && { begun: entries.size < stacksMax ? new Error('begun') : nowhere, part }
  const http = watchHttpRequests(start)
  let spawned: Entry | undefined
  createHook({
    init(id, type, _trigger, resource: Resource) {
      if (!trackedTypes.has(type) || !scope.getStore()) return
      if (type === ports) { openPorts.add(id); return }
      const entry = newEntry({ type, resource, begun: entries.size < stacksMax ? new Error('begun') : nowhere, part, spawned })
      entries.set(id, entry)
      if (type in processes) spawned = entry
    },
    before(id) {
      const entry = entries.get(id)
      if (!entry) return
      if (entry.type in requests || entry.type === 'Immediate') { entries.delete(id); return }
      entry.fired = true
      if (entry.type in processes) entry.end = entry.resource.deref()?.hasRef?.() === false ? 'unref' : 'ref'
      if (entry.type in streams) wasRead(entry)
    },
    destroy(id) {
      entries.delete(id)
      openPorts.delete(id)
    },
    trackPromises: false,
  } as Parameters<typeof createHook>[0]).enable()

  const collect = collector()
  return {
    call: work => inScope(work),
    begin(job) {
      part++
      for (const entry of entries.values())
        if (entry.type in streams) entry.answered = entry.before = entry.resource.deref()?.bytesWritten ?? 0
      inScope = scope.run({ job }, () => AsyncLocalStorage.snapshot()) as typeof inScope
    },
    get job() { return scope.getStore()?.job },
    pending() {
      // First, because they say more than their connections.
      const found: StartedWork[] = http.pending().map(({ start: { begun, part: its }, phase }) => (
        { ...plain, what: phase === 'reply' ? 'a reply over HTTP' : 'an HTTP request', kind: phase, begun, earlier: its !== part }
      ))
      for (const entry of entries.values()) {
        const work = tell(entry)
        if (work) found.push({ ...work, earlier: entry.part !== part })
      }
      return found
    },
    mark() { for (const entry of entries.values()) entry.fired = false },
    get unseen() { return openPorts.size > 0 },
    collect() {
      // An unread stack keeps the objects of its methods alive.
      for (const { begun } of entries.values()) void begun.stack
      collect()
    },
  }
}

interface Begun extends Start { readonly type: string; readonly resource: Resource; readonly spawned: Entry | undefined }

function newEntry({ type, resource, begun, part, spawned }: Begun): Entry {
  const it = type in streams ? resource.handle ?? resource : resource
  // A new one must not be asked for its bytes: it is not complete yet.
  const [written, read] = it === resource ? [0, 0] : [it.bytesWritten ?? 0, it.bytesRead ?? 0]
  return {
    type, begun, part,
    resource: isWeak(type) ? new WeakRef(it) : { deref: () => it },
    promised: cryptic.has(type) && isPromised(), fired: false, answered: written, before: written, read, looks: 0,
    of: type === 'PIPEWRAP' ? spawned : undefined, end: undefined,
  }
}

/** A callback of a stream begins. One of TLS also calls back when its handshake is done. */
function wasRead(entry: Entry): void {
  const it = entry.resource.deref()
  const read = it?.bytesRead ?? entry.read
  if (read === entry.read && it?.bytesRead !== undefined) return
  entry.answered = it?.bytesWritten ?? 0
  entry.read = read
  entry.looks = 0
}

function collector(): () => void {
  let gc: (() => void) | undefined
  return () => {
    if (!gc) {
      setFlagsFromString('--expose-gc')
      gc = runInNewContext('gc') as () => void
    }
    gc()
  }
}

const plain = { afterMs: 0, repeats: false, fired: false, asked: false, heard: false, idle: false, unref: false }

/** Undefined for work that has ended or cannot call back. */
function tell(entry: Entry): Omit<StartedWork, 'earlier'> | undefined {
  const { type, fired, begun } = entry
  const it = entry.resource.deref()
  if (!it || it._destroyed === true) return undefined
  // A compression stream has a buffer while it works.
  if (type === 'ZLIB' && (it.buffer === undefined || it.buffer === null)) return undefined
  if (cryptic.has(type) && !entry.promised && it.ondone === undefined) return undefined
  if (type in streams && isCarrier(entry, it)) return undefined
  const unref = (it._parent ?? it).hasRef?.() === false
  if (!unref && isOutput(entry, it)) return { ...plain, what: 'the output of a process', kind: 'process', begun }
  const asked = type in streams && isAsked(entry, it)
  const idle = type in streams && !asked && isIdle(entry, it)
  if (unref && (!toldWhenUnref.has(type) || idle)) return undefined
  const afterMs = type === 'Timeout' ? Math.max(0, it._idleTimeout ?? 0) : 0
  const repeats = typeof it._repeat === 'number'
  return { what: names[type]!, kind: kindOf(type), afterMs, repeats, fired, asked, heard: entry.read > 0, idle, unref, begun }
}

/** True for resources that end with garbage collection. */
const isWeak = (type: string): boolean => type in reused || type === secure || cryptic.has(type)

/**
 * True for a stream whose bytes go to another resource, which calls back in its place: it has been read without a callback. Such are the
 * connections below TLS and HTTP/2, and those of an HTTP server. True for a connection of TLS that is closed, too.
 */
const isCarrier = ({ type, read }: Entry, it: Resource): boolean =>
  (it.bytesRead ?? 0) > read || (type === secure && ownerOf(it)?.destroyed !== false)

/** Called while cryptography begins: true for that of `crypto.subtle`, whose objects have no callback. Eight frames take about 1 us. */
function isPromised(): boolean {
  const limit = Error.stackTraceLimit
  Error.stackTraceLimit = 8
  const { stack } = new Error('begun')
  Error.stackTraceLimit = limit
  return stack?.includes('at jobPromise (node:internal/crypto/') === true
}

function kindOf(type: string): StartedWork['kind'] {
  if (type in requests || type === 'ZLIB') return 'request'
  if (type in timers) return 'timer'
  if (type in streams) return 'stream'
  return type in processes ? 'process' : type in threads ? 'thread' : 'handle'
}

/** For a stream that has a peer that may reply: false for a child's standard input and its channel of messages. */
const isAsked = ({ answered }: Entry, it: Resource): boolean => (it.bytesWritten ?? 0) > answered && ownerOf(it)?.readable === true

/** For a stream, such as a pool's, that is not asked: no reply to what was written in this part goes on. */
function isIdle(entry: Entry, { bytesWritten }: Resource): boolean {
  if (bytesWritten === undefined) return false
  return !entry.fired || bytesWritten <= entry.before || entry.looks++ >= idleLooks
}

/** A process that has ended may have left others behind that go on writing to its output, and its program waits for the end of that. */
const isOutput = ({ of, begun }: Entry, it: Resource): boolean =>
  of?.end === 'ref' && ownerOf(it)?.readable === true && begun.stack?.includes('(node:internal/child_process:') === true

/** The `net.Socket` of a handle. Node keeps it under a symbol that has no public name. */
function ownerOf(handle: Resource): { readonly readable?: boolean; readonly destroyed?: boolean } | undefined {
  const symbol = Object.getOwnPropertySymbols(handle).find(({ description }) => description === 'owner_symbol')
  return symbol && (handle as Record<symbol, unknown>)[symbol] as ReturnType<typeof ownerOf>
}
