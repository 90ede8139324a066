// Border of a simulation: keeps real time, randomness, timers, sockets and files out, which would make the same seed behave differently.
// It replaces these functions of Node and looks at the calling code. The product's own code and users' programs get an error that names
// the place; packages and the test around them pass: what they measure (a runner's timings, a compiler's files) is not part of the
// trace.
//
// Several simulations may run at once: the guard stays until the last one has ended.

import { AsyncLocalStorage } from 'node:async_hooks'
import childProcess from 'node:child_process'
import crypto from 'node:crypto'
import dns from 'node:dns'
import fs from 'node:fs'
import http from 'node:http'
import { syncBuiltinESMExports } from 'node:module'
import net from 'node:net'
import { join } from 'node:path'

const root = join(import.meta.dirname, '../../..')
/** Prefix of the temporary directories from which program bundles are loaded: see modules.ts. */
export const programsPrefix = 'gristmill-sim-'
/** Code below these paths may use the outside world only through ports. */
const bound = [...['src', 'namenode', 'datanode', 'client'].map(room => `${root}/${room}/`), `/${programsPrefix}`]

/** Thrown at the calling code; also reported, because that code may catch it. */
export class NotSimulated extends Error {
  override name = 'NotSimulated'
}

type Call = (...args: never[]) => unknown
type Holder = Record<string, unknown>

/** Guarded functions by object. Sockets and files are included: a real port used by mistake would call them. */
const guarded: ReadonlyArray<readonly [holder: object, name: string, methods: readonly string[]]> = [
  // Not setImmediate: it is independent of time, and the kernel waits for it.
  [globalThis, '', ['setTimeout', 'setInterval']], [Math, 'Math', ['random']], [performance, 'performance', ['now']],
  [AbortSignal, 'AbortSignal', ['timeout']], [process, 'process', ['hrtime', 'kill']],
  [globalThis.crypto, 'crypto', ['getRandomValues', 'randomUUID']],
  [crypto, 'crypto', ['randomBytes', 'randomFillSync', 'randomFill', 'randomInt', 'randomUUID']],
  [net, 'net', ['connect', 'createConnection', 'createServer']],
  [http, 'http', ['request', 'get']], [dns, 'dns', ['lookup']],
  [childProcess, 'child_process', ['spawn', 'fork', 'exec', 'execFile', 'spawnSync']],
  [
    fs, 'fs',
    [
      'openSync', 'open', 'readFileSync', 'readFile', 'writeFileSync', 'writeFile', 'statSync', 'stat', 'lstat', 'readdir', 'mkdir',
      'mkdirSync', 'rename', 'rm', 'unlink', 'watch',
    ],
  ],
  [
    fs.promises, 'fs.promises',
    ['open', 'readFile', 'writeFile', 'stat', 'lstat', 'readdir', 'mkdir', 'mkdtemp', 'rename', 'rm', 'unlink', 'utimes', 'statfs'],
  ],
]

/** Runs real work while virtual time stands still (compiling, loading modules); guarded functions may be called in it. */
const excused = new AsyncLocalStorage<true>()
export const excuse = <T>(work: () => T): T => excused.run(true, work)

let restore: Array<() => void> = []
const reports = new Set<(what: string) => void>()

/** Guards until the returned function is called. `report` gets a line for each refused call of any simulation. */
export function raiseBorder(report: (what: string) => void): () => void {
  const own = (what: string): void => report(what)
  if (reports.size === 0) raise()
  reports.add(own)
  return () => { if (reports.delete(own) && reports.size === 0) lower() }
}

function raise(): void {
  for (const [holder, prefix, methods] of guarded) {
    for (const method of methods) {
      const original = (holder as Holder)[method] as Call | undefined
      if (!original) continue
      const name = prefix ? `${prefix}.${method}` : method
      const replacement = function (this: unknown, ...args: never[]): unknown {
        refuse(name)
        return Reflect.apply(original, this, args)
      }
      // Own properties such as `setTimeout[promisify.custom]`.
      Object.defineProperties(replacement, Object.getOwnPropertyDescriptors(original))
      put(holder as Holder, method, replacement)
    }
  }
  // In a simulation, a program's process.exit would end this process.
  for (const name of ['exit', 'abort'] as const) {
    const original = process[name]
    put(process as unknown as Holder, name, (...args: never[]): unknown => {
      if (callerOf() !== undefined)
        throw new Error(`process.${name}(${args.join(', ')}) was called; a task ends by itself when its input does`)
      return Reflect.apply(original as Call, process, args)
    })
  }
  const hrtime = process.hrtime as unknown as Holder
  const bigint = hrtime['bigint'] as Call
  put(hrtime, 'bigint', () => {
    refuse('process.hrtime.bigint')
    return bigint()
  })
  const real = Date
  put(globalThis as unknown as Holder, 'Date', new Proxy(real, {
    construct(target, args, wanted) {
      if (args.length === 0) refuse('new Date()')
      return Reflect.construct(target, args, wanted) as Date
    },
    get(target, name, receiver) {
      if (name === 'now') refuse('Date.now')
      return Reflect.get(target, name, receiver) as unknown
    },
  }))
  syncBuiltinESMExports()
}

function put(holder: Holder, name: string, value: unknown): void {
  const before = Object.getOwnPropertyDescriptor(holder, name)
  Object.defineProperty(holder, name, { configurable: true, writable: true, enumerable: before?.enumerable ?? true, value })
  restore.push(() => {
    // A method of the prototype becomes visible again when ours is deleted.
    if (before) Object.defineProperty(holder, name, before)
    else delete holder[name]
  })
}

function lower(): void {
  for (const undo of restore.reverse()) undo()
  restore = []
  syncBuiltinESMExports()
}

/** Throws if the calling code is bound to ports. */
function refuse(name: string): void {
  if (excused.getStore()) return
  const caller = callerOf()
  if (caller === undefined) return
  const what = `${name} was used inside of a simulation, at ${caller}: the same seed would behave differently. Use the port of the World`
  for (const report of reports) report(what)
  throw new NotSimulated(what)
}

/** Place of the code that called a guarded function, if that code is bound to ports; frames of Node in between are skipped. */
function callerOf(): string | undefined {
  // Most callers are a few frames away, and a trace of all frames takes three times as long.
  const near = callerWithin(6)
  return near === 'further away' ? callerWithin(14) : near
}

function callerWithin(frames: number): string | undefined {
  const limit = Error.stackTraceLimit
  Error.stackTraceLimit = frames
  const { stack = '' } = new Error()
  Error.stackTraceLimit = limit
  const lines = stack.split('\n').slice(1)
  for (const line of lines) {
    // A lazily loaded module: the same code each time.
    if (line.includes('node:internal/modules/')) return undefined
    if (
      line.includes('/kit/sim/border.')
      || line.includes('(node:')
      || line.includes('at node:')
      || line.includes('<anonymous>)')
      || line.includes('(native)')
    )
      continue
    return bound.some(room => line.includes(room)) && !line.includes('/node_modules/')
      ? line
          .trim()
          .replace(/^at /, '')
          .replace(/\(?file:\/\//, '')
          .replace(`${root}/`, '')
          .replace(/\)$/, '')
      : undefined
  }
  return lines.length === frames ? 'further away' : undefined
}
