// Waiting tasks of one stage, indexed by the location of their input: an offer costs the same with ten or 100,000 waiting
// tasks. A task is in the list of each node and rack that holds its input; taken from one list, it is skipped later in the
// others. The caller decides through `wants` whether a task still waits.

import { assert, assertKept } from '../../../src/base/assert.ts'
import type { NodeId } from '../../../src/base/ids.ts'

/** Decision about a task in a list. `keep`: it waits, but not for this node. */
export type TakeDecision = 'take' | 'keep' | 'drop'
export type Wants = (task: number) => TakeDecision

/** Bound of skipped tasks per search, for tasks that may not run on the asking node; beyond it the node waits for its next offer. */
const passedOverMax = 64

export class Pending {
  readonly #byNode = new Map<NodeId, Line>()
  readonly #byRack = new Map<string, Line>()
  /** Tasks without a live holder of their input. */
  readonly #free = new Line()
  readonly #all = new Line()

  /**
   * Adds a waiting task, after the others or (`first`) before them. `nodes`: live holders of its input; `racks`: their racks; both
   * empty if no location is better.
   */
  add(task: number, nodes: readonly NodeId[], racks: readonly string[], first = false): void {
    for (const node of nodes) line(this.#byNode, node).put(task, first)
    for (const rack of new Set(racks)) line(this.#byRack, rack).put(task, first)
    if (nodes.length === 0) this.#free.put(task, first)
    this.#all.put(task, first)
  }

  takeLocal(node: NodeId, wants: Wants): number | undefined { return this.#byNode.get(node)?.take(wants) }
  takeFree(wants: Wants): number | undefined { return this.#free.take(wants) }
  takeRack(rack: string, wants: Wants): number | undefined { return this.#byRack.get(rack)?.take(wants) }
  takeAny(wants: Wants): number | undefined { return this.#all.take(wants) }

  /** Removes the node's list and returns its tasks (some no longer wait). */
  lose(node: NodeId): number[] {
    const tasks = this.#byNode.get(node)?.tasks() ?? []
    this.#byNode.delete(node)
    return tasks
  }

  /** Throws AssertionFailed if a list miscounts, or one of the tasks that wait is in none. For tests and simulations. */
  checkState(of: string, waiting: readonly number[]): void {
    for (const list of [...this.#byNode.values(), ...this.#byRack.values(), this.#free, this.#all]) list.checkState(of)
    const all = new Set(this.#all.tasks())
    for (const task of waiting) assert(all.has(task), `task ${task} of ${of} waits, and no offer can find it`)
  }

  /** The task has no live holder left. */
  release(task: number): void { this.#free.put(task, false) }
}

function line<K>(lines: Map<K, Line>, key: K): Line {
  let found = lines.get(key)
  if (!found) lines.set(key, found = new Line())
  return found
}

/** FIFO list. Places of taken tasks are skipped; once they are half of the list, they are removed together. */
class Line {
  #tasks: number[] = []
  #head = 0
  #gone = 0

  put(task: number, first: boolean): void {
    if (!first) this.#tasks.push(task)
    else if (this.#head === 0) this.#tasks.unshift(task)
    else {
      // Places before the head belong to taken tasks.
      this.#tasks[--this.#head] = task
      this.#gone--
    }
  }

  checkState(of: string): void {
    assertKept('places of taken tasks', this.#gone, this.#tasks.filter(task => task < 0).length, of)
    assertKept('places of taken tasks before the first', this.#head, this.#tasks.slice(0, this.#head).filter(task => task < 0).length, of)
  }

  tasks(): number[] { return this.#tasks.filter(task => task >= 0) }

  take(wants: Wants): number | undefined {
    let passed = 0
    let taken: number | undefined
    for (let i = this.#head; i < this.#tasks.length && taken === undefined; i++) {
      const task = this.#tasks[i]!
      if (task >= 0) {
        const verdict = wants(task)
        if (verdict === 'keep') {
          if (++passed > passedOverMax) break
          continue
        }
        this.#tasks[i] = -1
        this.#gone++
        if (verdict === 'take') taken = task
      }
      if (i === this.#head) this.#head++
    }
    if (this.#gone > 1024 && this.#gone * 2 > this.#tasks.length) {
      this.#tasks = this.tasks()
      this.#head = this.#gone = 0
    }
    return taken
  }
}
