// What can happen to the state. An operation is plain JSON that carries everything it depends on beside the state: its
// times, its user, its request id. `mutate` is pure: the same state and operation give the same edits and the same
// result, today and when the journal is replayed after years; so a mutation that has been released never changes its
// meaning, a new meaning gets a new kind. It throws a GristmillError to refuse; then nothing has happened.

import { assert } from '../../src/base/assert.ts'
import type { RequestId } from '../../src/base/ids.ts'
import type { Draft } from './draft.ts'

/** What all operations may have: sending the same request again gives the first answer and has no second effect. */
export interface Requested { readonly requestId?: RequestId | undefined }

/** On whose behalf. `root`: permissions do not apply. Decided before the journal, because who is superuser is no part of the state. */
export interface Actor {
  readonly user: string
  readonly root: boolean
}

export interface Mutation<O extends object, R> {
  /** `room.verb`; in the journal for ever. */
  readonly kind: string
  readonly mutate: (draft: Draft, operation: O) => R
  /**
   * What is kept of a result for a repeated request (a JSON-like value, or bytes), and how the result is had from it. The result itself
   * unless told.
   */
  readonly keep?: (result: R) => unknown
  readonly recall?: (kept: unknown, operation: O) => R
}

/** Gives a mutation its types. */
export const mutation = <O extends object, R>(parts: Mutation<O, R>): Mutation<O, R> => parts

export interface AnyMutation {
  readonly kind: string
  readonly mutate: (draft: Draft, operation: never) => unknown
  readonly keep?: (result: never) => unknown
  readonly recall?: (kept: unknown, operation: never) => unknown
}

/** All kinds that a journal may hold. */
export class MutationRegistry {
  readonly #kinds = new Map<string, AnyMutation>()

  constructor(mutations: readonly AnyMutation[]) {
    for (const each of mutations) {
      assert(!this.#kinds.has(each.kind), `two mutations are called ${each.kind}`)
      this.#kinds.set(each.kind, each)
    }
  }

  get(kind: string): AnyMutation | undefined { return this.#kinds.get(kind) }
}
