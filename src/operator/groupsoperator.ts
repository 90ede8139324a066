// Operator of a branch that reads a shuffle or a join: passes each group to the branch's first step, and ends the group afterwards.

import type { Key } from '../base/pair.ts'
import { showValue } from '../base/show.ts'
import { FunctionFailed, type Operator, type Push } from './operator.ts'

interface Group { readonly key: Key; end(): void }

interface GroupsOptions {
  /** Called after each group. */
  readonly onGroup?: (() => void) | undefined
  /** Name of the function that takes the groups, for messages. */
  readonly step?: string | undefined
  /** The keys are those of a sort or a partition, which the program does not see as keys. */
  readonly hidesKeys?: boolean | undefined
}

const shownMax = 200

export class GroupsOperator<G extends Group> implements Operator<G> {
  readonly #push: Push<G>
  readonly #options: GroupsOptions

  constructor(push: Push<G>, options: GroupsOptions = {}) {
    this.#push = push
    this.#options = options
  }

  push(group: G): void | Promise<void> {
    try {
      const waiting = this.#push(group)
      if (waiting) return this.#await(waiting, group)
    } catch (error) {
      throw this.#failed(error, group.key)
    }
    this.#end(group)
  }

  async #await(waiting: Promise<void>, group: G): Promise<void> {
    try {
      await waiting
    } catch (error) {
      throw this.#failed(error, group.key)
    }
    this.#end(group)
  }

  #end(group: G): void {
    this.#options.onGroup?.()
    group.end()
  }

  #failed(error: unknown, key: Key): FunctionFailed {
    if (error instanceof FunctionFailed) return error
    const { step, hidesKeys } = this.#options
    return new FunctionFailed(error, hidesKeys ? {} : { key: showValue(key, shownMax), step })
  }
}
