// `Date` and `Math.random` of a program that is loaded or replayed (src/ports/programglobals.ts). They are replaced only while they are
// held: a look at the asynchronous context takes time, which functions that run for each record should not pay.

import { AsyncLocalStorage } from 'node:async_hooks'
import type { ProgramGlobals, ProgramSources } from '../ports/programglobals.ts'

const sources = new AsyncLocalStorage<ProgramSources>()
const { random } = Math
const SystemDate = Date

/** As Date: a constructor and a function. Its objects are those of Date. */
function ProgramDate(this: unknown, ...given: unknown[]): unknown {
  const own = sources.getStore()
  if (new.target === undefined) return own ? new SystemDate(own.now()).toString() : SystemDate()
  const target = (new.target as unknown) === ProgramDate ? SystemDate : new.target
  return Reflect.construct(SystemDate, given.length === 0 && own ? [own.now()] : given, target)
}

ProgramDate.prototype = SystemDate.prototype
Object.setPrototypeOf(ProgramDate, SystemDate)
ProgramDate.now = (): number => (sources.getStore() ?? SystemDate).now()

const programRandom = (): number => (sources.getStore()?.random ?? random)()

let held = 0

function put(date: unknown, numbers: () => number): void {
  Object.defineProperty(globalThis, 'Date', { value: date, writable: true, enumerable: false, configurable: true })
  Math.random = numbers
}

export const programGlobals: ProgramGlobals = {
  systemNow: () => SystemDate.now(),
  during: (own, work) => sources.run(own, work),
  hold() {
    if (held++ === 0) put(ProgramDate, programRandom)
    return () => { if (--held === 0) put(SystemDate, random) }
  },
}
