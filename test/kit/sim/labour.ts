// What a user's functions cost, and how they go wrong, on one simulated computer: each call takes a little virtual time, on some
// computers a lot; and one call, now and then, throws, never returns, or ends its process. The program knows nothing of it.

import { isMapReduce, mapReduce, type Definition } from '../../../src/program/authoring.ts'
import type { Modules } from '../../../src/ports/modules.ts'
import type { Process } from './process.ts'

export type Strain = 'throw' | 'hang' | 'exit'

export interface Labour {
  /** How much slower than usual. */
  factor: number
  /** What happens at the call after `left` others, once. */
  strain: { readonly how: Strain; left: number } | undefined
}

/** One call of a function that splits a line. */
const callMs = 0.02
/** So much is gathered before it is waited for: an event for each call would be most of a simulation. */
const sliceMs = 20

/** Programs that are loaded through these labour on the process's host. `exit` ends the process. */
export function labouring(modules: Modules, process: Process, exit: () => void): Modules {
  const { labour } = process.host
  let owedMs = 0
  /** Before each call: what has to be waited for first. */
  const toil = (): Promise<void> | undefined => {
    owedMs += callMs * labour.factor
    const { strain } = labour
    if (strain && --strain.left <= 0) {
      labour.strain = undefined
      if (strain.how === 'throw') throw new Error('this call was told to throw')
      if (strain.how === 'exit') exit()
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

/** The same program, each of whose calls waits for `toil`. Functions see `this` as they do without. */
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
