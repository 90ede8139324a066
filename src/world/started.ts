// Keeps in mind what users' functions begin, by the runtime's own asynchronous hooks. Promises are left out: they cost a hook at
// each await, and a promise that will never be settled keeps nothing running. What is seen is what a promise waits for.
// Not seen: compression in the background, and messages of other threads.

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
const timers: Readonly<Record<string, string>> = { Timeout: 'a timer', Immediate: 'a callback of setImmediate' }
const handles: Readonly<Record<string, string>> = {
  TCPWRAP: 'a connection', TCPSERVERWRAP: 'a server', PIPEWRAP: 'a pipe', PIPESERVERWRAP: 'a server', UDPWRAP: 'a socket', PROCESSWRAP: 'a process', WORKER: 'a worker thread',
}
/** A stack is remembered for each of so many; what is begun beyond them is named without its place. */
const stacksMax = 1000

interface Entry {
  readonly type: string
  readonly resource: { hasRef?: () => boolean; _idleTimeout?: number; _destroyed?: boolean }
  readonly begun: Error
}

/** The hooks stay for the life of the process: made by an executor's main file, and once. */
export function watchStarted(): Started {
  const scope = new AsyncLocalStorage<true>()
  const inScope = scope.run(true, () => AsyncLocalStorage.snapshot()) as <T>(work: () => T) => T
  const entries = new Map<number, Entry>()
  const nowhere = new Error('begun')
  const watched = new Set([...Object.keys(requests), ...Object.keys(timers), ...Object.keys(handles)])
  createHook({
    init(id, type, _trigger, resource) {
      if (!watched.has(type) || scope.getStore() === undefined) return
      entries.set(id, { type, resource, begun: entries.size < stacksMax ? new Error('begun') : nowhere })
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
        if (resource._destroyed === true || resource.hasRef?.() === false) continue
        const kind = type in requests ? 'request' : type in timers ? 'timer' : 'handle'
        const afterMs = type === 'Timeout' ? Math.max(0, resource._idleTimeout ?? 0) : 0
        found.push({ what: requests[type] ?? timers[type] ?? handles[type]!, kind, afterMs, begun })
      }
      return found
    },
    reset() {
      for (const [id, { type }] of entries) if (!(type in handles)) entries.delete(id)
    },
    collect() {
      if (!gc) {
        setFlagsFromString('--expose-gc')
        gc = runInNewContext('gc') as () => void
      }
      // Until it is read, a stack holds on to the objects whose methods are on it.
      for (const { begun } of entries.values()) void begun.stack
      gc()
    },
  }
}
