// Failpoints of a process under test. `kill` sends SIGKILL, so only data with the kernel survives; `throw` makes the operation
// fail; `pause` holds it until it is released, or stops the whole process (SIGSTOP) where the code cannot wait. An armed point
// fires once, at its n-th pass, and is then disarmed.

import { failpoints, type FailAction, type Failpoint } from '../base/failpointnames.ts'
import { GristmillError } from '../base/errors.ts'
import type { Failpoints, Trigger } from '../ports/failpoints.ts'

export interface Armed { readonly name: Failpoint; readonly action: FailAction; readonly nth: number }

const form = /^([a-z.]+)=(kill|throw|pause)(?:@(\d{1,9}))?$/

/** Parses `journal.append.after=kill@3;block.rename.before=throw`. Throws CONFIG_INVALID. */
export function parseFailpoints(text: string): Armed[] {
  return text.split(';').filter(part => part !== '').map(part => {
    const [, name, action, nth = '1'] = form.exec(part) ?? []
    if (!failpoints.includes(name as Failpoint)) {
      throw new GristmillError(
        'CONFIG_INVALID',
        `"${part}" arms no failpoint; write name=action@n, with an action of kill, throw or pause, and one of these names: ${failpoints.join(', ')}`,
      )
    }
    return { name: name as Failpoint, action: action as FailAction, nth: Math.max(1, Number(nth)) }
  })
}

export class ArmedFailpoints implements Failpoints {
  readonly #armed = new Map<Failpoint, { action: FailAction; left: number }>()
  readonly #offers = new Map<Trigger, () => Promise<unknown>>()
  readonly #signal: (name: 'SIGKILL' | 'SIGSTOP') => void
  #held: Array<() => void> = []

  constructor(armed: readonly Armed[] = [], signal: (name: 'SIGKILL' | 'SIGSTOP') => void = name => { process.kill(process.pid, name) }) {
    this.#signal = signal
    for (const each of armed) this.arm(each)
  }

  arm({ name, action, nth }: Armed): void { this.#armed.set(name, { action, left: nth }) }

  /** Disarms all points and releases held callers. */
  heal(): void {
    this.#armed.clear()
    for (const release of this.#held.splice(0)) release()
  }

  pass(name: Failpoint): void {
    const action = this.#due(name)
    if (action) this.#act(name, action === 'pause' ? 'SIGSTOP' : action)
  }

  reach(name: Failpoint): Promise<void> | undefined {
    const action = this.#due(name)
    if (action === 'pause') return new Promise(resolve => { this.#held.push(resolve) })
    if (action) this.#act(name, action)
    return undefined
  }

  offer(what: Trigger, work: () => Promise<unknown>): void { this.#offers.set(what, work) }

  /** Runs the registered work of a trigger. Throws EINVAL if there is none. */
  async trigger(what: Trigger): Promise<void> {
    const work = this.#offers.get(what)
    if (!work) throw new GristmillError('EINVAL', `this process cannot be made to do a ${what}`)
    await work()
  }

  #due(name: Failpoint): FailAction | undefined {
    const armed = this.#armed.get(name)
    if (!armed || --armed.left > 0) return undefined
    this.#armed.delete(name)
    return armed.action
  }

  #act(name: Failpoint, action: 'kill' | 'throw' | 'SIGSTOP'): void {
    if (action === 'throw') throw new GristmillError('INTERNAL', `the failpoint ${name} was told to throw`)
    // Delivered before this call returns: no later code runs.
    this.#signal(action === 'kill' ? 'SIGKILL' : 'SIGSTOP')
  }
}
