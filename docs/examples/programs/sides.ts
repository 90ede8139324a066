// The two sides of a join: which columns each has, in any of its rows. JSON objects may lack any field, and a row without a partner is of one
// side: the name of a column must not depend on the row. Each map task collects names, and gives them to every reduce task.
import { ColumnSearch, noColumn, type ColumnMark, type Row } from './columns.ts'

/** What a map task knows of one side: the columns that the parameters name, and without `columns` the names of all. */
export type SideMark = readonly [found: ColumnMark, names: readonly string[]]

/** The names of a side are in the memory of each task. */
const namesMax = 10_000

export const prefix = 'right.'

interface SideOptions {
  readonly side: 'left' | 'right'
  readonly key: readonly string[]
  /** Names that the output may have; empty: those of all columns. */
  readonly asked: readonly string[]
}

export class SideColumns {
  readonly #search: ColumnSearch
  readonly #names = new Set<string>()
  readonly #options: SideOptions

  constructor(options: SideOptions) {
    this.#options = options
    this.#search = new ColumnSearch([...options.key, ...options.asked])
  }

  look(row: Row): void {
    this.#search.look(row)
    if (this.#options.asked.length === 0) this.#add(Object.keys(row))
  }

  mark(): SideMark | undefined {
    const found = this.#search.mark()
    return found && [found, [...this.#names]]
  }

  take([found, names]: SideMark): void {
    this.#search.take(found)
    this.#add(names)
  }

  get hasRows(): boolean { return this.#search.hasRows }

  get seen(): readonly string[] { return this.#search.seen }

  /** Columns of the side but its key; with `columns` only those that are asked for. */
  get others(): readonly string[] {
    const { key, asked } = this.#options
    return (asked.length === 0 ? [...this.#names] : asked.filter(name => this.has(name))).filter(name => !key.includes(name))
  }

  /** True for a column of any row, if its name is asked for. */
  has(name: string): boolean {
    const { key, asked } = this.#options
    if (key.includes(name) || asked.length === 0) return key.includes(name) || this.#names.has(name)
    return this.hasRows && asked.includes(name) && !this.#search.missing.has(name)
  }

  /** Throws for a key that no row has. A side without rows may have any column. */
  checkKey(): void {
    const { key, side } = this.#options
    if (this.hasRows)
      for (const name of key) if (this.#search.missing.has(name)) throw noColumn(name, this.seen, `the ${side} rows have`)
  }

  #add(names: readonly string[]): void {
    for (const name of names) this.#names.add(name)
    if (this.#names.size > namesMax)
      throw new Error(`the ${this.#options.side} rows have more than ${namesMax} columns: choose those of the output with --param columns=…`)
  }
}
