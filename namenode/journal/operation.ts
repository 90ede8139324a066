// Operations and mutations. An operation is plain JSON that holds all inputs beside the state: times, user, request id.
// `mutate` is pure: the same state and operation give the same edits and result, also when the journal is replayed after
// years. INVARIANT: a released mutation never changes its meaning; a new meaning gets a new kind. A mutation throws
// GristmillError to refuse; then nothing has happened.

import { assert } from '../../src/base/assert.ts'
import { systemUser, type RequestId } from '../../src/base/ids.ts'
import type { Draft } from './draft.ts'

/** Fields that every operation may have. A repeat with the same request id gets the first answer and has no second effect. */
export interface Requested { readonly requestId?: RequestId | undefined }

/** User of an operation. `root`: permissions do not apply. Set before the journal, because the superuser is not part of the state. */
export interface Actor {
  readonly user: string
  readonly root: boolean
}

/** The namenode itself, for operations that no user asked for. No caller gets this actor, whatever name it gives. */
export const systemActor: Actor = Object.freeze({ user: systemUser, root: true })

/** Fields of an operation that a user asked for. */
export interface UserOperation extends Requested, Actor { readonly nowMs: number }

export interface Mutation<O extends object, R> {
  /** `room.verb`; kept in the journal permanently. */
  readonly kind: string
  readonly mutate: (draft: Draft, operation: O) => R
  /**
   * `keep` turns a result into the value that is stored for repeats (JSON-like, or bytes); `recall` turns it back. Default: the result
   * itself.
   */
  readonly keep?: (result: R) => unknown
  readonly recall?: (kept: unknown, operation: O) => R
}

/** Infers the types of a mutation. */
export const mutation = <O extends object, R>(parts: Mutation<O, R>): Mutation<O, R> => parts

export interface AnyMutation {
  readonly kind: string
  readonly mutate: (draft: Draft, operation: never) => unknown
  readonly keep?: (result: never) => unknown
  readonly recall?: (kept: unknown, operation: never) => unknown
}

/** All kinds of operations that a journal may hold. */
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
