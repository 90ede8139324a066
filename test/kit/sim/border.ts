// While a simulation runs, nothing in it may look at the real world: a clock, a random number, a timer, a socket or a file of this
// machine would make the same seed do different things. The border stands before all of them and looks who asks. The product's own
// code, and users' programs, are refused with the place; packages, and the test around them, may go on: what they measure (a
// runner's timings, a compiler's files) is not part of the trace.
//
// Two simulations may run at once: the border stands until the last has ended.

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
/** Where bundles of programs are laid down to be loaded: see modules.ts. */
export const programsPrefix = 'gristmill-sim-'
/** What lies below these runs on ports, and on nothing else. */
const bound = [...['src', 'namenode', 'datanode', 'client'].map(room => `${root}/${room}/`), `/${programsPrefix}`]

/** Thrown at the one who asked, and reported, for somebody may catch it. */
export class NotSimulated extends Error {
  override name = 'NotSimulated'
}

type Call = (...args: never[]) => unknown
type Holder = Record<string, unknown>

/** What is guarded, by name. Sockets and files are, too: a real port that slipped in would use them. */
const guarded: ReadonlyArray<readonly [holder: object, name: string, methods: readonly string[]]> = [
  // Not setImmediate: it knows no time, the kernel waits for it, and inject uses it twice a call.
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

/** Work that is done for real while virtual time stands still: compiling, loading. */
const excused = new AsyncLocalStorage<true>()
export const excuse = <T>(work: () => T): T => excused.run(true, work)

let restore: Array<() => void> = []
const reports = new Set<(what: string) => void>()

/** Stands until the returned function is called. `report` hears of everything that is refused meanwhile, to whomever. */
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
      // `setTimeout[promisify.custom]` and the like.
      Object.defineProperties(replacement, Object.getOwnPropertyDescriptors(original))
      put(holder as Holder, method, replacement)
    }
  }
  // A real executor's end would be this process's.
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
    // What lay on the prototype only is seen again once ours is gone.
    if (before) Object.defineProperty(holder, name, before)
    else delete holder[name]
  })
}

function lower(): void {
  for (const undo of restore.reverse()) undo()
  restore = []
  syncBuiltinESMExports()
}

/** Throws if the code that called is bound to ports. */
function refuse(name: string): void {
  if (excused.getStore()) return
  const caller = callerOf()
  if (caller === undefined) return
  const what = `${name} was used inside of a simulation, at ${caller}: the same seed would not do the same again. Take it from the World`
  for (const report of reports) report(what)
  throw new NotSimulated(what)
}

/** The place that called a guarded function, if it is one of bound code; Node's own frames in between are passed over. */
function callerOf(): string | undefined {
  const limit = Error.stackTraceLimit
  Error.stackTraceLimit = 12
  const { stack = '' } = new Error()
  Error.stackTraceLimit = limit
  for (const line of stack.split('\n').slice(1)) {
    // A module that is loaded when it is first needed: the same code each time.
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
  return undefined
}
