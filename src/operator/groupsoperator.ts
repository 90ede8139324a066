// Operator of a branch that reads a shuffle or a join: passes each group to the branch's first step, and ends the group afterwards.

import type { Key } from '../base/pair.ts'
import { showValue } from '../base/show.ts'
import { FunctionFailed, type Operator, type Push, type Sink } from './operator.ts'

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

/** A push of the task, with its scope and the look at the clock, takes longer than a small group. */
const groupsAtOnce = 32

/** The same iterator again and again, for `GroupBatches`, until that is full. Closes it. */
export function* inBatches<G>(groups: Iterable<G>): Generator<Iterator<G>> {
  const iterator = groups[Symbol.iterator]()
  try {
    for (;;) yield iterator
  } finally {
    iterator.return?.()
  }
}

/** Takes groups from an iterator and pushes them, up to `groupsAtOnce`, or until the sink has to settle or a function is waited for. */
export class GroupBatches<G> implements Operator<Iterator<G>> {
  readonly #operator: Operator<G>
  readonly #sink: Pick<Sink<unknown>, 'isUnsettled'>
  #isOver = false

  constructor(operator: Operator<G>, sink: Pick<Sink<unknown>, 'isUnsettled'>) {
    this.#operator = operator
    this.#sink = sink
  }

  get isFull(): boolean { return this.#isOver || this.#operator.isFull === true }

  push(groups: Iterator<G>): void | Promise<void> {
    for (let count = 0; count < groupsAtOnce; count++) {
      const next = groups.next()
      if (next.done) {
        this.#isOver = true
        return
      }
      const waiting = this.#operator.push(next.value)
      if (waiting) return waiting
      if (this.#sink.isUnsettled || this.#operator.isFull) return
    }
  }
}
