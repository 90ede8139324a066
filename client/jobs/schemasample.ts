// Fields of the rows of an output, seen in a sample of them: keys of JSON objects with the types of their values.

import type { FileStatus } from '../../src/protocol/namespace.ts'
import { parseCsv } from '../../src/record/csv.ts'

const sampledMax = 1000

export interface SchemaChange {
  readonly field: string
  /** Types of its values in the first and in the second output; missing where no row has the field. */
  readonly from?: string
  readonly to?: string
}

export class SchemaSample {
  readonly #types = new Map<string, Set<string>>()
  #sampled = 0

  note({ path }: FileStatus, row: Buffer): void {
    if (this.#sampled >= sampledMax || row[0] !== 123 || !path.endsWith('.jsonl')) return
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
  header(row: Buffer): void {
    parseCsv(row.toString('utf8'), {}, names => { for (const name of names) this.#types.set(name, new Set(['column'])) })
  }

  compare(to: SchemaSample): SchemaChange[] {
    const fields = [...new Set([...this.#types.keys(), ...to.#types.keys()])].sort()
    return fields.flatMap(field => {
      const [before, after] = [this.#of(field), to.#of(field)]
      return before === after ? [] : [{ field, ...before !== undefined && { from: before }, ...after !== undefined && { to: after } }]
    })
  }

  #of(field: string): string | undefined {
    const types = this.#types.get(field)
    return types && [...types].sort().join(' or ')
  }
}
