// Messages between processes on the same machine: delivered in the order in which they were sent; none is lost while the receiver
// lives.

import type { Kernel, Subject } from './kernel.ts'

const messageMs = 0.2

export class Line {
  readonly #kernel: Kernel
  readonly #receiver: Subject
  /** Events of the same moment run in any order: each delivers the first waiting message. */
  readonly #waiting: Array<() => void> = []

  constructor(kernel: Kernel, receiver: Subject) {
    this.#kernel = kernel
    this.#receiver = receiver
  }

  send(label: string, work: () => void): void {
    this.#waiting.push(work)
    this.#kernel.schedule(messageMs, this.#receiver, label, () => this.#waiting.shift()!())
  }
}
