// A user's function has its turn: from its call until what it returned has come to its end. Records of that turn come from `emit`
// and from what the function returns: nothing, pairs (an array, a generator, an asynchronous generator), or a promise of these.
//
// - What an `emit` is given after its turn would be lost, or would stand in another place each time: it throws, and the task fails
//   even if the program catches that.
// - What is returned is either taken or refused with the first call that returns it. What is false is nothing: it is what
//   `line && emit(line, 1)` returns for a record that it leaves out.

import { assert } from '../base/assert.ts'
import { GristmillError } from '../base/errors.ts'
import { showValue } from '../base/show.ts'
import { isPromise, type Emit } from './operator.ts'

/** As an author calls it. */
export type FunctionName = 'map' | 'reduce' | 'setup' | 'teardown'

/** All turns of one task, one after the other. Each has an `emit` of its own, so that a late one is known from that of a later record. */
export class Turns {
  /** Reachable from every `emit` that was handed out, and from here until `release`. */
  #link: Link | undefined
  readonly #weak: WeakRef<Link>
  /** The first `emit` that came too late, with its caller's stack. */
  late: Error | undefined

  constructor(emit: Emit) {
    this.#link = { emit, turns: this, open: 0 }
    this.#weak = new WeakRef(this.#link)
  }

  /** Ends the turn before. The program's `emit` for this one; it needs no `this`. Some 10 ns. */
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

  /** The last turn is over. */
  release(): void { this.#link = undefined }

  /** Can anybody still call an `emit`? Tells it after `release`, and once the runtime has cleaned its memory. */
  get isHeld(): boolean { return this.#weak.deref() !== undefined }
}

interface Link {
  readonly emit: Emit
  readonly turns: Turns
  /** Number of the turn that is open; that of no turn between two of them. */
  open: number
}

function tooLate({ turns }: Link, name: FunctionName): Error {
  const error = new GristmillError(
    'EINVAL',
    `emit was called after ${name} had returned; await what ${name} starts (a "for" loop with await instead of forEach), or return its promise`,
  )
  turns.late ??= error
  return error
}

/** Hands on what a function returned. A promise if that takes time. Throws EINVAL for what a function may not return. */
export function receive(result: unknown, emit: Emit, name: FunctionName): Promise<void> | undefined {
  if (!result) return undefined
  if (isPromise(result)) return receiveLater(result, emit, name)
  if (typeof result === 'object') {
    // Its last call may have been `seen.set(key, value)`, which returns all of the Map each time.
    if (result instanceof Map && name !== 'teardown')
      throw new GristmillError(
        'EINVAL',
        `${name} returned a Map; to emit its entries return [...map], to return nothing end with a statement`,
      )
    if (Symbol.iterator in result) return emitAll(result as Iterable<unknown>, emit, name)
    if (Symbol.asyncIterator in result) return emitLater(result as AsyncIterable<unknown>, emit, name)
  }
  throw new GristmillError(
    'EINVAL',
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

/** `undefined` is nothing: what `words.map(word => emit(word, 1))` and Promise.all make of an `emit`; and so is all that is false. */
function emitPair(pair: unknown, emit: Emit, name: FunctionName, all: unknown, index: number): void {
  if (!pair) return
  if (Array.isArray(pair) && pair.length === 2) return emit(pair[0] as never, pair[1])
  if (isPromise(pair)) throw new GristmillError('EINVAL', `${name} returned promises that nobody awaits; return Promise.all(…) of them`)
  if (Array.isArray(all) && all.length === 2)
    throw new GristmillError(
      'EINVAL',
      `${name} returned ${showValue(all)}; to emit one pair, return [[key, value]], or call emit(key, value)`,
    )
  throw new GristmillError(
    'EINVAL',
    `item ${index + 1} of what ${name} returned or yielded is ${showValue(pair)}; it must be a pair [key, value]`,
  )
}
