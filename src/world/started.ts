// Tracks asynchronous work that users' functions start, with Node's async hooks. Promises are not tracked: they cost a hook at each
// await, and an unsettled promise keeps nothing running; the work that a promise waits for is tracked. Messages between threads
// have no hook: only the creation of a port is seen (`unseen`).

import { AsyncLocalStorage, createHook } from 'node:async_hooks'
import { setFlagsFromString } from 'node:v8'
import { runInNewContext } from 'node:vm'
import type { Started, StartedWork } from '../ports/started.ts'

/** Each ends with one callback. */
const requests: Readonly<Record<string, string>> = {
  FSREQCALLBACK: 'a request to the disk', FSREQPROMISE: 'a request to the disk',
  GETADDRINFOREQWRAP: 'a look-up of a name', GETNAMEINFOREQWRAP: 'a look-up of a name', QUERYWRAP: 'a look-up of a name',
  TCPCONNECTWRAP: 'a connection that is being made', PIPECONNECTWRAP: 'a connection that is being made', UDPSENDWRAP: 'a datagram',
  PBKDF2REQUEST: 'cryptography', SCRYPTREQUEST: 'cryptography', RANDOMBYTESREQUEST: 'cryptography', RANDOMPRIMEREQUEST: 'cryptography',
  KEYPAIRGENREQUEST: 'cryptography', KEYGENREQUEST: 'cryptography', HASHREQUEST: 'cryptography', SIGNREQUEST: 'cryptography',
  CIPHERREQUEST: 'cryptography', DERIVEBITSREQUEST: 'cryptography', VERIFYREQUEST: 'cryptography',
}
/** The same object may carry further requests, and ends with garbage collection, so entries hold it weakly. */
const reused: Readonly<Record<string, string>> = { ZLIB: 'compression', BLOBREADER: 'a read of a Blob' }
const timers: Readonly<Record<string, string>> = { Timeout: 'a timer', Immediate: 'a callback of setImmediate' }
const handles: Readonly<Record<string, string>> = {
  TCPWRAP: 'a connection', TCPSERVERWRAP: 'a server', PIPEWRAP: 'a pipe', PIPESERVERWRAP: 'a server', UDPWRAP: 'a socket',
  PROCESSWRAP: 'a process', WORKER: 'a worker thread', FSEVENTWRAP: 'a watch on files', STATWATCHER: 'a watch on files',
}
/**
 * Unreferenced work of these types still calls back while the process runs. Sockets and pipes are excluded: pools unref idle ones.
 */
const toldWhenUnref = new Set(['Timeout', 'Immediate', 'PROCESSWRAP', 'WORKER'])
const unseenTypes = new Set(['MESSAGEPORT'])
/** Maximum number of recorded stacks; later work is reported without its place. */
const stacksMax = 1000

interface Resource { hasRef?: () => boolean; _idleTimeout?: number; _repeat?: number | null; _destroyed?: boolean; buffer?: unknown }

interface Entry {
  readonly type: string
  readonly resource: { deref(): Resource | undefined }
  readonly begun: Error
}

/** The hooks stay for the life of the process. REQUIRES: called once, by an executor's main file. */
export function watchStarted(): Started {
  const scope = new AsyncLocalStorage<true>()
  const inScope = scope.run(true, () => AsyncLocalStorage.snapshot()) as <T>(work: () => T) => T
  const entries = new Map<number, Entry>()
  const nowhere = new Error('begun')
  const names = { ...requests, ...reused, ...timers, ...handles }
  const watched = new Set([...Object.keys(names), ...unseenTypes])
  let unseen = false
  createHook({
    init(id, type, _trigger, resource) {
      if (!watched.has(type) || scope.getStore() === undefined) return
      if (unseenTypes.has(type)) { unseen = true; return }
      entries.set(id, {
        type,
        resource: type in reused ? new WeakRef(resource) : { deref: () => resource },
        begun: entries.size < stacksMax ? new Error('begun') : nowhere,
      })
    },
    after(id) {
      const entry = entries.get(id)
      if (entry && (entry.type in requests || entry.type === 'Immediate')) entries.delete(id)
    },
    destroy(id) { entries.delete(id) },
    trackPromises: false,
  } as Parameters<typeof createHook>[0]).enable()

  let gc: (() => void) | undefined
  return {
    call: work => inScope(work),
    pending() {
      const found: StartedWork[] = []
      for (const { type, resource, begun } of entries.values()) {
        const it = resource.deref()
        // A compression stream has a buffer while it works.
        if (!it || it._destroyed === true || (type === 'ZLIB' && (it.buffer === undefined || it.buffer === null))) continue
        const unref = it.hasRef?.() === false
        if (unref && !toldWhenUnref.has(type)) continue
        const kind = type in requests || type === 'ZLIB' ? 'request' : type in timers ? 'timer' : 'handle'
        const afterMs = type === 'Timeout' ? Math.max(0, it._idleTimeout ?? 0) : 0
        found.push({ what: names[type]!, kind, afterMs, repeats: typeof it._repeat === 'number', unref, begun })
      }
      return found
    },
    get unseen() { return unseen },
    reset() {
      unseen = false
      for (const [id, { type }] of entries) if (!(type in handles)) entries.delete(id)
    },
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
