// Edits of one operation on top of the state before it. A mutation reads its own edits; if it throws, the edits are discarded.
// One draft is reused for all operations.

import { copyCounters, emptyCounters, type CounterName, type StateCounters } from './counters.ts'
import { readId, type TableName } from './keys.ts'
import type { KeyRange, Edit, Memo, Row, View } from './view.ts'

/**
 * Up to this many edits a lookup scans the list; beyond that it builds an index. Nearly all operations have fewer edits, and those with
 * most (a file of 10,000 blocks) look up nothing after them.
 */
const searchMax = 16

export class Draft implements View {
  readonly #base: View
  readonly counters: StateCounters = emptyCounters()
  #edits: Edit[] = []
  /** Last edit of each key, from the first lookup above `searchMax` edits on: without it an operation with n edits would cost n². */
  #index: Map<TableName, Map<string, Edit>> | undefined
  /**
   * Edits by the id that their keys begin with, from the first range of one id above `searchMax` edits on: the sweep of a directory reads
   * a range for each file behind the edits of the files before it.
   */
  #byId: Map<TableName, Map<number, Edit[]>> | undefined
  #moved = false

  constructor(base: View) {
    this.#base = base
    this.reset()
  }

  /** Discards all edits and copies the counters of the base. */
  reset(): void {
    this.#edits = []
    this.#index = undefined
    this.#byId = undefined
    this.#moved = false
    copyCounters(this.#base.counters, this.counters)
  }

  get edits(): readonly Edit[] { return this.#edits }
  /** True if directories were renamed, removed or given other permissions. */
  get moved(): boolean { return this.#moved }

  /** Invalidates cached path lookups. */
  forgetDirectories(): void {
    this.#moved = true
    this.memo.clear()
  }

  get memo(): Memo { return this.#base.memo }

  get(table: TableName, key: Buffer): Buffer | undefined {
    if (!this.#index && this.#edits.length > searchMax) {
      this.#index = new Map()
      for (const each of this.#edits) this.#note(this.#index, each)
    }
    if (this.#index) {
      const edit = this.#index.get(table)?.get(key.toString('latin1'))
      return edit ? edit.value : this.#base.get(table, key)
    }
    for (let i = this.#edits.length - 1; i >= 0; i--) {
      const edit = this.#edits[i]!
      if (edit.table === table && edit.key.equals(key)) return edit.value
    }
    return this.#base.get(table, key)
  }

  has(table: TableName, key: Buffer): boolean { return this.get(table, key) !== undefined }

  put(table: TableName, key: Buffer, value: Buffer): void { this.#edit({ table, key, value }) }
  remove(table: TableName, key: Buffer): void { this.#edit({ table, key, value: undefined }) }
  count(name: CounterName, by: number): void { this.counters[name] += by }

  #edit(edit: Edit): void {
    this.#edits.push(edit)
    if (this.#index) this.#note(this.#index, edit)
    if (this.#byId) noteById(this.#byId, edit)
  }

  #note(index: Map<TableName, Map<string, Edit>>, edit: Edit): void {
    let edits = index.get(edit.table)
    if (!edits) index.set(edit.table, edits = new Map())
    edits.set(edit.key.toString('latin1'), edit)
  }

  /** Allocates the next id. */
  take(name: 'nextInode' | 'nextBlock'): number { return this.counters[name]++ }

  * range(table: TableName, bounds: KeyRange): Iterable<Row> {
    const own = this.#own(table, bounds)
    if (own.length === 0) {
      yield* this.#base.range(table, bounds)
      return
    }
    // Edits may remove rows of the base, so the limit counts returned rows, not rows read.
    const { limit = Infinity, reverse = false, ...open } = bounds
    const sign = reverse ? -1 : 1
    let count = 0
    let next = 0
    for (const row of this.#base.range(table, { ...open, reverse })) {
      while (next < own.length && sign * own[next]!.key.compare(row.key) < 0) {
        const { key, value } = own[next++]!
        if (value === undefined) continue
        if (count++ >= limit) return
        yield { key, value }
      }
      const hidden = next < own.length && own[next]!.key.equals(row.key)
      if (hidden) continue
      if (count++ >= limit) return
      yield row
    }
    for (; next < own.length; next++) {
      const { key, value } = own[next]!
      if (value === undefined) continue
      if (count++ >= limit) return
      yield { key, value }
    }
  }

  /** The last edit of each key within the bounds, in range order. */
  #own(table: TableName, { start, end, reverse }: KeyRange): Edit[] {
    const last = new Map<string, Edit>()
    for (const edit of this.#near(table, start, end)) {
      if (edit.table !== table) continue
      if (start && edit.key.compare(start) < 0) continue
      if (end && edit.key.compare(end) >= 0) continue
      last.set(edit.key.toString('latin1'), edit)
    }
    const sign = reverse ? -1 : 1
    return [...last.values()].sort((a, b) => sign * a.key.compare(b.key))
  }

  /** Edits among which are all of the table within the bounds, those of one key in their order. */
  #near(table: TableName, start: Buffer | undefined, end: Buffer | undefined): Iterable<Edit> {
    if (this.#edits.length <= searchMax) return this.#edits
    const [first, last] = [start ? idOf(start) : shortKeys, end ? idOf(end) : shortKeys]
    if (first === shortKeys || last === shortKeys || last - first > 1)
      return this.#index ? this.#index.get(table)?.values() ?? [] : this.#edits
    if (!this.#byId) {
      this.#byId = new Map()
      for (const each of this.#edits) noteById(this.#byId, each)
    }
    const edits = this.#byId.get(table)
    return edits ? [first, ...last > first ? [last] : [], shortKeys].flatMap(id => edits.get(id) ?? []) : []
  }
}

const shortKeys = -1

/** The number that the first eight bytes of a key are; `shortKeys` for a key with fewer. */
const idOf = (key: Buffer): number => (key.length < 8 ? shortKeys : readId(key))

function noteById(index: Map<TableName, Map<number, Edit[]>>, edit: Edit): void {
  let edits = index.get(edit.table)
  if (!edits) index.set(edit.table, edits = new Map())
  const id = idOf(edit.key)
  const known = edits.get(id)
  if (known) known.push(edit)
  else edits.set(id, [edit])
}
