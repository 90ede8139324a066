// Calls of a program's functions in a task: the work that they start is tracked, and the task's log tells if they wait for what nothing can
// settle. Setup and teardown are called here; the functions of steps by the pipeline.

import { GristmillError } from '../../src/base/errors.ts'
import { FunctionFailed, isPromise, type Sink } from '../../src/operator/operator.ts'
import { receive, type Turns } from '../../src/operator/turn.ts'
import type { UserFunction } from '../../src/plan/node.ts'
import type { StackMapper } from '../../src/program/stack.ts'
import type { Clock } from '../../src/ports/clock.ts'
import type { Started } from '../../src/ports/started.ts'
import type { TaskContext } from './context.ts'
import { awaited, StallWatch, type AwaitedFunction } from './stalled.ts'

interface UserCallsDeps {
  readonly clock: Clock
  readonly context: TaskContext
  readonly stacks: StackMapper
  /** Tracks work that the program's functions leave running; without it such work is not waited for. */
  readonly started?: Started | undefined
}

export class UserCalls {
  readonly #deps: UserCallsDeps
  readonly #stalls: StallWatch | undefined

  constructor(deps: UserCallsDeps) {
    const { clock, started, context } = this.#deps = deps
    this.#stalls = started && new StallWatch({ clock, started, note: text => { context.log(text) } })
  }

  /** Calls a function of the program and tracks the work that it starts. */
  call<T>(work: () => T): T {
    const { started } = this.#deps
    return started ? started.call(work) : work()
  }

  /** Calls a function of the program, tracks the work that it starts, and notes in the log if it waits for what nothing can settle. */
  calling<T>(work: () => T, functions: () => readonly AwaitedFunction[]): T {
    const returned = this.call(work)
    return this.#stalls && isPromise(returned) ? this.#stalls.during(returned, functions) as T : returned
  }

  async setup(setup: UserFunction): Promise<void> {
    try {
      const returned = await this.calling(() => setup(this.#deps.context.lendToSetup()), () => [awaited('setup', setup, this.#deps.stacks)])
      if (typeof (returned as { next?: unknown } | undefined)?.next === 'function')
        throw new GristmillError(
          'EINVAL',
          'setup returned a generator, which is never run; it must return nothing, or a promise of nothing',
        )
    } catch (error) {
      throw new FunctionFailed(error, {})
    }
  }

  async teardown(teardown: UserFunction, turns: Turns, sink: Sink<unknown>): Promise<void> {
    const { context } = this.#deps
    context.path = ''
    const emit = turns.begin('teardown')
    try {
      await this.calling(
        () => receive(teardown(emit, context.lend()), emit, 'teardown'), () => [awaited('teardown', teardown, this.#deps.stacks)],
      )
    } catch (error) {
      throw new FunctionFailed(error, {})
    }
    turns.end()
    await sink.settle()
  }

  close(): void { this.#stalls?.close() }
}
