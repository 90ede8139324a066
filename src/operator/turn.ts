// Turns of user functions. A turn lasts from the call of a function until its result is consumed. The records of a turn come from `emit`
// and from the function's result: nothing, pairs (an array, a generator, an asynchronous generator), or a promise of these.
//
// - An `emit` after its turn throws, because its record would be lost or get an unpredictable position; the task fails even if the
//   program catches the error.
// - A result of another type is refused at the first call that returns it. Falsy results count as nothing, because
//   `line && emit(line, 1)` returns one for a record that it skips. So do the falsy items of a list: `[0, 0]` is a list of two skipped
//   items, not a pair, because `words.map(word => word && [word, 1])` returns the like and no rule tells them apart.

import { assert } from '../base/assert.ts'
import { GristmillError } from '../base/errors.ts'
import type { Emit } from '../base/pair.ts'
import { showValue } from '../base/show.ts'
import { wrongUse } from '../base/wronguse.ts'
import { isPromise } from './operator.ts'

/** Names as they are in a program's definition. */
type FunctionName = 'map' | 'reduce' | 'setup' | 'teardown'

/** All turns of one task, one after the other. Each has its own `emit`, so that a late call is told apart from one for a later record. */
export class Turns {
  /** Reachable from every `emit` of this task, and from here until `release`. */
  #link: Link | undefined
  readonly #weak: WeakRef<Link>
  #late: Error | undefined
  #tellLate: ((error: Error) => void) | undefined

  constructor(emit: Emit) {
    this.#link = { emit, turns: this, open: 0 }
    this.#weak = new WeakRef(this.#link)
  }

  /** Ends the previous turn and returns the `emit` of the new one, which needs no `this`. About 10 ns. */
  begin(name: FunctionName): Emit {
    const link = this.#link
    assert(link, 'no turn begins after the last one')
    const own = ++link.open
    return (key, value) => {
      if (link.open !== own) throw tooLate(link, name)
      link.emit(key, value)
    }
  }

  end(): void { this.#link!.open++ }

  /** Error of the first late `emit`, with its caller's stack. */
  get late(): Error | undefined { return this.#late }

  /** An `emit` is late. */
  refused(error: Error): void {
    this.#late ??= error
    this.#tellLate?.(error)
  }

  /** The task has ended, so that `late` can no longer fail it: `tellLate` is called for each later `emit`. */
  taskEnded(tellLate: ((error: Error) => void) | undefined): void { this.#tellLate = tellLate }

  /** Called after the last turn: drops the reference to the link. */
  release(): void { this.#link = undefined }

  /** True if the program may still hold an `emit`. Exact only after `release` and a garbage collection. */
  get isHeld(): boolean { return this.#weak.deref() !== undefined }
}

interface Link {
  readonly emit: Emit
  readonly turns: Turns
  /** Number of the open turn; between two turns a number that no turn has. */
  open: number
}

function tooLate({ turns }: Link, name: FunctionName): Error {
  const error = new GristmillError(
    'EINVAL',
    `emit was called after ${name} had returned; await what ${name} starts (a "for" loop with await instead of forEach), or return its promise`,
  )
  turns.refused(error)
  return error
}

/** Emits the pairs that a function returned. Returns a promise if the result is asynchronous. Throws EINVAL for an invalid result. */
export function receive(result: unknown, emit: Emit, name: FunctionName): Promise<void> | undefined {
  if (!result) return undefined
  if (isPromise(result)) return receiveLater(result, emit, name)
  if (typeof result === 'object') {
    // Refused because an arrow function may end in `seen.set(key, value)`, which returns the whole Map at each call.
    if (result instanceof Map && name !== 'teardown')
      throw wrongUse(
        `${name} returned a Map; to emit its entries return [...map], to return nothing end with a statement`,
      )
    if (Symbol.iterator in result) return emitAll(result as Iterable<unknown>, emit, name)
    if (Symbol.asyncIterator in result) return emitLater(result as AsyncIterable<unknown>, emit, name)
  }
  throw wrongUse(
    `${name} returned ${showValue(result)}; it must return nothing, pairs such as [[key, value]], a generator of pairs, or a promise of these`,
  )
}

async function receiveLater(result: PromiseLike<unknown>, emit: Emit, name: FunctionName): Promise<void> {
  await receive(await result, emit, name)
}

function emitAll(pairs: Iterable<unknown>, emit: Emit, name: FunctionName): undefined {
  let index = 0
  for (const pair of pairs) {
    emitPair(pair, emit, name, pairs, index)
    index++
  }
}

async function emitLater(pairs: AsyncIterable<unknown>, emit: Emit, name: FunctionName): Promise<void> {
  let index = 0
  for await (const pair of pairs) {
    emitPair(pair, emit, name, pairs, index)
    index++
  }
}

/** Falsy items are skipped: `words.map(word => emit(word, 1))` and Promise.all give undefined for each `emit`. */
function emitPair(pair: unknown, emit: Emit, name: FunctionName, all: unknown, index: number): void {
  if (!pair) return
  if (Array.isArray(pair) && pair.length === 2) return emit(pair[0] as never, pair[1])
  if (isPromise(pair)) throw wrongUse(`${name} returned promises without waiting for them; return Promise.all(…) of them`)
  if (Array.isArray(all) && all.length === 2)
    throw wrongUse(
      `${name} returned ${showValue(all)}; to emit one pair, return [[key, value]], or call emit(key, value)`,
    )
  throw wrongUse(
    `item ${index + 1} that ${name} returned or yielded is ${showValue(pair)}; it must be a pair [key, value]`,
  )
}
