// Join step of a Dataset: the rows of two inputs with the same key. A sort-merge join: both inputs are shuffled by their keys and arrive
// merged (src/shuffle/join.ts). The values of the right input with the current key are kept, in memory or on disk, and read again for each
// value of the left one; so a key may have more values than fit into memory on both sides. Order: by key, then by the left value, then by
// the right one.

import type { Key } from '../base/pair.ts'
import type { JoinKind } from '../plan/node.ts'
import type { JoinGroup } from '../shuffle/join.ts'
import type { ReplayBuffer } from '../shuffle/replay.ts'
import { copyValue } from '../shuffle/value.ts'
import { iterableOf } from './each.ts'
import { forward } from './forward.ts'
import { misuse } from './misuse.ts'
import { isDiskError, SinkFailed, type Push, type Step } from './operator.ts'

/** (key, left values, right values, context) → iterable of values */
export type JoinFunction = (key: Key, left: Iterable<unknown>, right: Iterable<unknown>, context: unknown) => unknown

interface JoinOptions {
  readonly how: JoinKind
  /** For `group`. */
  readonly fn?: JoinFunction | undefined
  readonly context: unknown
  /** Empty; used for one key after the other. */
  readonly right: ReplayBuffer
}

export function joinStep({ how, fn, context, right }: JoinOptions, next: Step<unknown>): Push<JoinGroup> {
  const rows = how === 'group' ? (group: JoinGroup) => grouped(group, right, fn!, context) : rowsOf[how]
  return group => {
    if (keepsRight[how]) keep(group, right)
    const waiting = forward(rows(group, right), next.push)
    if (!keepsRight[how]) return waiting
    return waiting ? waiting.then(() => right.clear()) : right.clear()
  }
}

const keepsRight: Readonly<Record<JoinKind, boolean>> = {
  inner: true, left: true, right: true, full: true, group: true, semi: false, anti: false,
}

type Rows = (group: JoinGroup, right: ReplayBuffer) => Iterable<unknown>

const rowsOf: Readonly<Record<Exclude<JoinKind, 'group'>, Rows>> = {
  inner: (group, right) => pairs(group, right, {}),
  left: (group, right) => pairs(group, right, { left: true }),
  right: (group, right) => pairs(group, right, { right: true }),
  full: (group, right) => pairs(group, right, { left: true, right: true }),
  semi: group => (group.hasRight ? group.left() : []),
  anti: group => (group.hasRight ? [] : group.left()),
}

/** `outer`: sides whose values without a partner are rows too, with null in the partner's place. */
function * pairs(group: JoinGroup, right: ReplayBuffer, outer: { left?: boolean; right?: boolean }): Iterable<unknown> {
  let hasLeft = false
  for (const left of group.left()) {
    hasLeft = true
    if (right.size === 0) {
      if (!outer.left) return
      yield [left, null]
      continue
    }
    let after = right.size
    // The left value is decoded once, and each row but the last gets a copy: a program may change the value of a row.
    for (const each of right) yield [--after > 0 ? copyValue(left, 'a join was given') : left, each]
  }
  if (!hasLeft && outer.right) for (const each of right) yield [null, each]
}

/** The program gets views: `left` can be iterated once, `right` any number of times, both until the rows of the key are passed on. */
function * grouped(group: JoinGroup, right: ReplayBuffer, fn: JoinFunction, context: unknown): Iterable<unknown> {
  let isOver = false
  let isTaken = false
  const refuseLate = (): void => {
    if (isOver) throw misuse('the values of a key were read after the function of coGroup had returned; read them before')
  }
  function * during(values: Iterable<unknown>): Generator<unknown> {
    for (const value of values) {
      refuseLate()
      yield value
    }
  }
  const left = {
    [Symbol.iterator]() {
      if (isTaken)
        throw misuse('the left values of a key can be iterated only once; copy them with [...left], or read those of the right side again')
      isTaken = true
      return during(group.left())
    },
  }
  const all = {
    [Symbol.iterator]() {
      refuseLate()
      return during(right)
    },
  }
  try {
    yield * iterableOf(fn(group.key, left, all, context), 'coGroup')
  } finally {
    isOver = true
  }
}

function keep(group: JoinGroup, right: ReplayBuffer): void {
  try {
    group.readRight(right)
  } catch (error) {
    if (!isDiskError(error)) throw error
    throw new SinkFailed(`the rows of a join could not be stored on this machine's disk: ${(error as Error).message}`, { cause: error })
  }
}
