// Queries in SQL as sources of Datasets, and Datasets as tables of queries. A query is a step of its own, which runs before the first step
// that reads its rows; so is each Dataset that it reads. Part of every bundle, as dataset.ts is.

import { checkCount, showGiven } from './arguments.ts'
import { flowOf, recipeOf, type Dataset } from './dataset.ts'
import { at, type Flow, type QueryOptions, type Recipe } from './recipe.ts'
import { rowTexts } from './rowtext.ts'

/** A Dataset as a table: types of SQL by the names of columns, which are the fields of its values. */
export interface QueryTable {
  readonly dataset: Dataset<any>
  readonly columns: Readonly<Record<string, string>>
}

/** Tables of a query that Datasets are, by name. */
export type QueryTables = Readonly<Record<string, QueryTable>>

/** Longest text of a query, and most tables of one that are Datasets. */
const sqlCharsMax = 1_000_000
const tablesMax = 100

/** Recipe of the rows of a query. */
export function queried(sql: unknown, tables: unknown, given: unknown): Recipe {
  if (typeof sql !== 'string' || sql === '' || sql.length > sqlCharsMax)
    throw new TypeError(`sql was given ${showGiven(sql)}; give the text of a query, such as mill.sql('SELECT * FROM …')`)
  if (typeof tables !== 'object' || tables === null)
    throw new TypeError(`the tables of sql are ${showGiven(tables)}; they are Datasets by name: { people: { dataset, columns: { name: 'VARCHAR' } } }`)
  const entries = Object.entries(tables as QueryTables)
  if (entries.length > tablesMax) throw new TypeError(`a query reads ${entries.length} Datasets, and can read ${tablesMax}`)
  const options = optionsOf(given)
  const own = entries.map(([name, table]) => ({ name, columns: columnsOf(name, table), rows: tableOf(name, table) }))
  const twice = own.find(({ name }, i) => own.findIndex(each => each.name.toLowerCase() === name.toLowerCase()) < i)
  if (twice) throw new TypeError(`two tables of sql have the name ${twice.name}, without regard to case`)
  return {
    kind: 'query', inputs: own.map(({ rows }) => rows), sql, tables: own.map(({ name, columns }) => ({ name, columns })),
    ...options && { options }, at: at('sql'),
  }
}

/** Undefined: none is given. */
function optionsOf(given: unknown): QueryOptions | undefined {
  if (typeof given !== 'object' || given === null)
    throw new TypeError(`the options of sql are ${showGiven(given)}; they are an object with queue, priority or memoryBytes`)
  const own = Object.entries(given).filter(([, value]) => value !== undefined)
  for (const [name, value] of own) {
    if (!optionNames.includes(name))
      throw new TypeError(`sql does not know the option ${JSON.stringify(name)}; it knows ${optionNames.join(', ')}`)
    if (name === 'queue') {
      if (typeof value === 'string' && value !== '') continue
      throw new TypeError(`the queue of sql is ${showGiven(value)}; it is the name of a queue`)
    }
    const [min, max] = name === 'priority' ? [-100, 100] : [1, Number.MAX_SAFE_INTEGER]
    checkCount(`${name} of sql`, value, min!, max!)
  }
  return own.length === 0 ? undefined : Object.fromEntries(own)
}

const optionNames = ['queue', 'priority', 'memoryBytes']

function columnsOf(table: string, given: QueryTable): ReadonlyArray<readonly [string, string]> {
  const columns = given?.columns
  if (typeof columns !== 'object' || columns === null || Object.keys(columns).length === 0)
    throw new TypeError(`the table ${table} of sql has the columns ${showGiven(columns)}; give types by name: { name: 'VARCHAR' }`)
  const names = Object.keys(columns).map(name => name.toLowerCase())
  const twice = names.find((name, i) => names.indexOf(name) < i)
  if (twice !== undefined) throw new TypeError(`the table ${table} has two columns ${twice}, without regard to case`)
  return Object.entries(columns)
}

const named = new WeakMap<Flow, number>()

/** Name of a Dataset as a table: another one for each call, and the same ones wherever the program's function is called again. */
export function nextName(dataset: Dataset<any>): string {
  recipeOf(dataset, 'fromDataset')
  const flow = flowOf(dataset)
  const number = (named.get(flow) ?? 0) + 1
  named.set(flow, number)
  return `dataset ${number}`
}

/** The tables of Datasets that were made already, so that queries over the same one share its step. */
const made = new WeakMap<object, Recipe>()

function tableOf(name: string, table: QueryTable): Recipe {
  const known = made.get(table)
  if (known) return known
  const rows: Recipe = {
    kind: 'each', inputs: [recipeOf(table.dataset, `the table ${name} of sql`)], op: 'map', fn: rowTexts(table.columns),
    at: at('fromDataset'),
  }
  const recipe: Recipe = { kind: 'rows', inputs: [rows], at: at('fromDataset') }
  made.set(table, recipe)
  return recipe
}
