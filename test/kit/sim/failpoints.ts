// Failpoints of a simulated process. A `kill` never returns to the code that reached it.

import type { FailAction, Failpoint } from '../../../src/base/failpointnames.ts'
import { GristmillError } from '../../../src/base/errors.ts'
import type { Failpoints, Trigger } from '../../../src/ports/failpoints.ts'
import { Dead } from './kernel.ts'
import type { Process } from './process.ts'

export class SimFailpoints implements Failpoints {
  readonly #process: Process
  readonly #armed = new Map<Failpoint, { action: FailAction; left: number }>()
  readonly #offers = new Map<Trigger, () => Promise<unknown>>()
  #held: Array<() => void> = []

  constructor(process: Process) { this.#process = process }

  arm(name: Failpoint, action: FailAction, nth: number): void { this.#armed.set(name, { action, left: nth }) }

  heal(): void {
    this.#armed.clear()
    for (const release of this.#held.splice(0)) release()
  }

  pass(name: Failpoint): void {
    const action = this.#due(name)
    if (action === 'pause') this.#process.pause()
    else if (action) this.#act(name, action)
  }

  reach(name: Failpoint): Promise<void> | undefined {
    const action = this.#due(name)
    if (action === undefined) return undefined
    if (action === 'throw') this.#act(name, action)
    if (action === 'kill') this.#process.end()
    return new Promise(resolve => { if (action === 'pause') this.#held.push(resolve) })
  }

  offer(what: Trigger, work: () => Promise<unknown>): void { this.#offers.set(what, work) }

  async trigger(what: Trigger): Promise<void> {
    const work = this.#offers.get(what)
    if (!work) throw new GristmillError('EINVAL', `${this.#process.name} cannot be made to do a ${what}`)
    await work()
  }

  #due(name: Failpoint): FailAction | undefined {
    const armed = this.#armed.get(name)
    if (!armed || --armed.left > 0) return undefined
    this.#armed.delete(name)
    this.#process.kernel.note(`${this.#process.name} at ${name}: ${armed.action}`)
    return armed.action
  }

  #act(name: Failpoint, action: 'kill' | 'throw'): never {
    if (action === 'throw') throw new GristmillError('INTERNAL', `the failpoint ${name} was told to throw`)
    this.#process.end()
    throw new Dead(`${this.#process.name} died at ${name}`)
  }
}
