// Network faults between the parties of a cluster: cut pairs and spoiled pairs. The proxies consult it for every piece that they carry,
// so a change applies to open connections as well.

import type { Spoil } from '../contract.ts'

export interface Rule { readonly cut: boolean; readonly spoil: Spoil | undefined }

/** Parties are named `namenode`, `datanode1`, `client`. */
export class Links {
  readonly #cuts = new Set<string>()
  readonly #spoils = new Map<string, Spoil>()
  readonly #listeners = new Set<() => void>()

  /** Rule for bytes from `from` to `to`; undefined: no fault. */
  rule(from: string, to: string): Rule | undefined {
    if (this.#cuts.size === 0 && this.#spoils.size === 0) return undefined
    const key = keyOf(from, to)
    const cut = this.#cuts.has(key)
    const spoil = this.#spoils.get(key)
    return cut || spoil ? { cut, spoil } : undefined
  }

  cut(from: string, to: string, oneWay: boolean): void {
    this.#cuts.add(keyOf(from, to))
    if (!oneWay) this.#cuts.add(keyOf(to, from))
    this.#changed()
  }

  spoil(from: string, to: string, how: Spoil): void {
    this.#spoils.set(keyOf(from, to), how)
    this.#spoils.set(keyOf(to, from), how)
    this.#changed()
  }

  /** Heals one pair, all pairs of one party, or all pairs. */
  heal(from?: string, to?: string): void {
    const concerned = (key: string): boolean => {
      const ends = key.split('>')
      return [from, to].every(party => party === undefined || ends.includes(party))
    }
    for (const key of this.#cuts) if (concerned(key)) this.#cuts.delete(key)
    for (const key of this.#spoils.keys()) if (concerned(key)) this.#spoils.delete(key)
    this.#changed()
  }

  /** `listener` is called at each change; returns the function that removes it. */
  onChange(listener: () => void): () => void {
    this.#listeners.add(listener)
    return () => { this.#listeners.delete(listener) }
  }

  #changed(): void { for (const listener of this.#listeners) listener() }
}

const keyOf = (from: string, to: string): string => `${from}>${to}`
