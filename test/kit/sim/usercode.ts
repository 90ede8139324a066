// Cost and failures of a user's functions on one simulated computer: each call takes some virtual time, more on slow computers; one call
// can be made to throw, hang, or end its process. The program itself is unchanged.

import { isMapReduce, mapReduce, type Definition } from '../../../src/program/authoring.ts'
import type { Modules } from '../../../src/ports/modules.ts'
import type { Process } from './process.ts'

export type UserCodeFailure = 'throw' | 'hang' | 'exit'

export interface UserCodeCost {
  /** Slowness relative to normal. */
  factor: number
  /** Failure of the call that comes `left` calls from now; once. */
  failure: { readonly how: UserCodeFailure; left: number } | undefined
}

/** Cost of one call, for a function that splits a line. */
const callMs = 0.02
/** Cost that is collected before a wait: an event for each call would be most of a simulation. */
const sliceMs = 20

/** Wraps a module loader: programs loaded through it cost time on the process's host. `exit` ends the process. */
export function withUserCodeCost(modules: Modules, process: Process, exit: () => void): Modules {
  const { userCode } = process.host
  let owedMs = 0
  /** Called before each call of a user's function; a returned promise must be awaited first. */
  const toil = (): Promise<void> | undefined => {
    owedMs += callMs * userCode.factor
    const { failure } = userCode
    if (failure && --failure.left <= 0) {
      userCode.failure = undefined
      if (failure.how === 'throw') throw new Error('this call was told to throw')
      if (failure.how === 'exit') exit()
      return new Promise(() => {}) // never
    }
    if (owedMs < sliceMs) return undefined
    const ms = owedMs
    owedMs = 0
    return process.clock.sleep(ms)
  }
  return {
    urlOf: file => modules.urlOf(file),
    async load(file, instance) {
      const module = await modules.load(file, instance) as { default?: unknown }
      const exported = module.default
      const changed =
        typeof exported === 'function'
          ? async (params: unknown) => slowed(await (exported as (params: unknown) => unknown)(params), toil)
          : slowed(exported, toil)
      return { ...module, default: changed }
    },
  }
}

/** The same program, with each call preceded by `toil`. `this` is passed through. */
function slowed(exported: unknown, toil: () => Promise<void> | undefined): unknown {
  if (!isMapReduce(exported)) return exported
  const { map, reduce } = exported.definition
  const around = <Args extends unknown[], Result>(work: (...args: Args) => Result) =>
    function (this: unknown, ...args: Args): Awaited<Result> | Promise<Awaited<Result>> {
      const waiting = toil()
      return waiting
        ? (waiting.then(() => work.apply(this, args)) as Promise<Awaited<Result>>)
        : (work.apply(this, args) as Awaited<Result>)
    }
  const definition: Definition = { ...exported.definition, map: around(map), ...reduce && { reduce: around(reduce) } }
  return mapReduce(definition)
}
