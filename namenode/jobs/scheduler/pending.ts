// Tasks of one stage that wait for a slot, found by where their input lies without looking at the others:
// 100,000 waiting tasks cost an offer no more than ten. A task stands in the list of each node and rack that holds
// its input; taken from one, it is skipped in the others when they get to it. Whether it still waits is the caller's
// knowledge, asked through `wants`.

import type { NodeId } from '../../../src/base/ids.ts'

/** What to do with a task that is found in a list. `keep`: it waits, but not for this node. */
export type TakeDecision = 'take' | 'keep' | 'drop'
export type Wants = (task: number) => TakeDecision

/** Tasks that wait but may not run on the asking node are passed over; beyond this many the node waits for a next time. */
const passedOverMax = 64

export class Pending {
  readonly #byNode = new Map<NodeId, Line>()
  readonly #byRack = new Map<string, Line>()
  /** Tasks that no living node is better for than another. */
  readonly #free = new Line()
  readonly #all = new Line()

  /**
   * Adds a waiting task, behind the others or (`first`) before them. `nodes` are living holders of its input, `racks`
   * theirs; both empty: anywhere is as good.
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

  /** Forgets the node's list and returns the tasks that stood in it (some no longer wait). */
  lose(node: NodeId): number[] {
    const tasks = this.#byNode.get(node)?.tasks() ?? []
    this.#byNode.delete(node)
    return tasks
  }

  /** The task has no living holder left. */
  release(task: number): void { this.#free.put(task, false) }
}

function line<K>(lines: Map<K, Line>, key: K): Line {
  let found = lines.get(key)
  if (!found) lines.set(key, found = new Line())
  return found
}

/** First in, first out. Places of taken tasks are passed over until they are half of the line, then cut out at once. */
class Line {
  #tasks: number[] = []
  #head = 0
  #gone = 0

  put(task: number, first: boolean): void {
    if (!first) this.#tasks.push(task)
    else if (this.#head === 0) this.#tasks.unshift(task)
    else {
      // The places before the head are of tasks that are gone.
      this.#tasks[--this.#head] = task
      this.#gone--
    }
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
