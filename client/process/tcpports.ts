// Chooses ports for the processes of `up`: those of the last time, else free ones from 8620 on. A port that another process has
// taken meanwhile is replaced; for the namenode's, which clients know, the user is told.
// INVARIANT: a port that the user named for one server is given to no other process.

import { flagOf } from '../../src/base/config.ts'
import type { Machine } from '../../src/ports/machine.ts'

/** Number of consecutive ports to try; after that the system chooses. */
const triesMax = 200

export class Ports {
  readonly #machine: Machine
  readonly #host: string
  readonly #known: Readonly<Record<string, number>>
  readonly #asked: ReadonlyMap<number, string>
  readonly #taken: Set<number>
  /** Reserved ports by process name; take precedence over those of the last time. */
  readonly #kept = new Map<string, number>()
  #last: Promise<unknown> = Promise.resolve()

  /** `known`: ports of the last time, by process. `asked`: ports that settings name, with the name of the setting. */
  constructor({ machine, host, known, asked }: {
    machine: Machine; host: string; known: Readonly<Record<string, number>>; asked: ReadonlyMap<number, string>
  }) {
    this.#machine = machine
    this.#host = host
    this.#known = known
    this.#asked = asked
    this.#taken = new Set([...Object.values(known), ...asked.keys()])
  }

  /** Reserves a port for a process that listened there before. False if it is not free. */
  async keep(name: string, port: number): Promise<boolean> {
    if (!await this.#machine.isPortFree(this.#host, port)) return false
    this.#kept.set(name, port)
    return true
  }

  /**
   * A port for a process, or 0 for any; each is returned once. `note` is called if another process uses the namenode's previous
   * port.
   */
  take(name: string, from: number, note: (text: string) => void): Promise<number> {
    const taken = this.#last.then(() => this.#take(name, from, note))
    this.#last = taken.catch(() => {})
    return taken
  }

  async #take(name: string, from: number, note: (text: string) => void): Promise<number> {
    const known = this.#kept.get(name) ?? this.#known[name]
    if (known !== undefined) {
      const asked = this.#asked.get(known)
      if (asked === undefined && await this.#machine.isPortFree(this.#host, known)) return known
      const why = asked === undefined ? `another process listens on port ${known}` : `${flagOf(asked)} names port ${known}`
      if (name === 'namenode') note(`${why}, which the namenode used; it takes another port`)
    }
    for (let port = from; port < from + triesMax; port++) {
      if (this.#taken.has(port)) continue
      this.#taken.add(port)
      if (await this.#machine.isPortFree(this.#host, port)) return port
    }
    return 0
  }
}
