// Fields of the rows of an output, seen in a sample of them: keys of JSON objects with the types of their values.

import type { FileStatus } from '../../src/protocol/namespace.ts'
import { plainName } from './rows.ts'

const sampledMax = 1000
/** Headers of CSV files that are compared. */
const headersMax = 100

export interface SchemaChange {
  readonly field: string
  /** Types of its values in the first and in the second output; missing where no row has the field. */
  readonly from?: string
  readonly to?: string
}

export class SchemaSample {
  readonly #types = new Map<string, Set<string>>()
  /** Columns of CSV files, each with its places, from 1: files of one output may differ. */
  readonly #places = new Map<string, Set<number>>()
  readonly #headers = new Map<string, readonly string[]>()
  #sampled = 0

  note({ path }: FileStatus, row: Buffer): void {
    if (this.#sampled >= sampledMax || row[0] !== 123 || !plainName(path).endsWith('.jsonl')) return
    this.#sampled++
    let value: unknown
    try {
      value = JSON.parse(row.toString('utf8'))
    } catch {
      return
    }
    for (const [field, each] of Object.entries(value as object)) {
      const types = this.#types.get(field) ?? new Set<string>()
      this.#types.set(field, types.add(each === null ? 'null' : Array.isArray(each) ? 'array' : typeof each))
    }
  }

  /** Columns of a CSV file's header. */
  header(names: readonly string[]): void {
    if (this.#headers.size < headersMax) this.#headers.set(JSON.stringify(names), names)
    for (const [i, name] of names.entries()) {
      this.#types.set(name, new Set(['column']))
      const places = this.#places.get(name) ?? new Set()
      this.#places.set(name, places.add(i + 1))
    }
  }

  /** Columns that both have are named with their places if their order is another one. */
  compare(to: SchemaSample): SchemaChange[] {
    const moved = this.#ordersOf(to) !== to.#ordersOf(this)
    const fields = [...new Set([...this.#types.keys(), ...to.#types.keys()])].sort()
    return fields.flatMap(field => {
      const isMoved = moved && this.#places.has(field) && to.#places.has(field)
      const [before, after] = isMoved ? [this.#placesOf(field), to.#placesOf(field)] : [this.#of(field), to.#of(field)]
      return before === after ? [] : [{ field, ...before !== undefined && { from: before }, ...after !== undefined && { to: after } }]
    })
  }

  /** The orders in which the files have the columns that the other output has too. */
  #ordersOf(other: SchemaSample): string {
    const orders = [...this.#headers.values()].map(names => JSON.stringify(names.filter(name => other.#places.has(name))))
    return [...new Set(orders)].sort().join('\n')
  }

  #placesOf(field: string): string { return `column ${[...this.#places.get(field)!].sort((a, b) => a - b).join(' or ')}` }

  #of(field: string): string | undefined {
    const types = this.#types.get(field)
    return types && [...types].sort().join(' or ')
  }
}
