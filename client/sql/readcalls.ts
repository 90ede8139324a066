// Calls that say how files are read: FROM read_csv('/logs/x.csv', header = false, delim = ';'). In the tree of a statement such a call
// becomes a table, whose name is the call in one form: calls with the same options are one table, and a name says all about it.

import { GristmillError } from '../../src/base/errors.ts'
import { literalOf } from '../../src/base/sql.ts'

/** Forms of dates and timestamps, for strptime. Default: those that are found in the files. */
export interface ToldForms { readonly dateFormat?: string; readonly timestampFormat?: string }

/** Options of read_csv, which replace what is found in the files. */
export interface CsvReading extends ToldForms {
  readonly header?: boolean
  readonly delimiter?: string
  /** Empty: fields have no quotes. */
  readonly quote?: string
  /** Texts without quotes that are NULL. Default: the empty one. */
  readonly nulls?: readonly string[]
  readonly columns?: ReadonlyArray<{ readonly name: string; readonly type: string }>
  readonly allVarchar?: boolean
}

interface ReadCall {
  readonly path: string
  readonly kind: 'csv' | 'json' | 'parquet' | 'avro'
  readonly csv: CsvReading
}

const fault = (message: string): GristmillError => new GristmillError('EINVAL', message)

const functions: Readonly<Record<string, ReadCall['kind']>> = {
  read_csv: 'csv', read_csv_auto: 'csv', read_json: 'json', read_json_auto: 'json', read_parquet: 'parquet', read_avro: 'avro',
}

const callForm = new RegExp(`\\b(?:${Object.keys(functions).join('|')})\\b`, 'i')
const nameForm = new RegExp(`^(?:${Object.keys(functions).join('|')})\\('`)

/** True for a text that may have such calls. */
export const mayHaveCalls = (text: string): boolean => callForm.test(text)

/** True for the name of a table that such a call has become. */
export const isCallName = (name: string): boolean => nameForm.test(name)

type Value = string | boolean | readonly string[] | ReadonlyArray<readonly [name: string, text: string]>

interface Node {
  readonly type?: unknown
  readonly class?: unknown
  readonly alias?: unknown
  readonly function?: Node
  readonly function_name?: unknown
  readonly children?: readonly Node[]
  readonly child?: Node
  readonly column_names?: readonly string[]
  readonly left?: Node
  readonly right?: Node
  readonly value?: { readonly type?: { readonly id?: unknown }; readonly is_null?: unknown; readonly value?: unknown }
}

/** The tree with a table in place of each call. `isOpaque`: true for values of the tree that are not looked into. Throws EINVAL. */
export function withoutCalls(tree: unknown, isOpaque: (value: unknown) => boolean): unknown {
  const visit = (value: unknown): unknown => {
    if (Array.isArray(value)) return value.map(visit)
    if (typeof value !== 'object' || value === null || isOpaque(value)) return value
    const { type, function: call } = value as Node
    const name = String(call?.function_name).toLowerCase()
    if (type === 'TABLE_FUNCTION' && call && Object.hasOwn(functions, name)) return tableOf(value as Node, name, call)
    return Object.fromEntries(Object.entries(value).map(([key, each]) => [key, visit(each)]))
  }
  return visit(tree)
}

function tableOf(node: Node, name: string, { children = [] }: Node): object {
  const [first, ...others] = children
  const path = first && valueOf(first)
  if (typeof path !== 'string' || path === '' || optionOf(first!) !== undefined)
    throw fault(`${name} reads one path, as a text, which may be a directory or a pattern: ${name}('/logs/*.csv')`)
  const options = others.map(other => {
    const option = optionOf(other)
    if (option === undefined) throw fault(`${name} reads one path; options have names: ${name}('/x', header = false)`)
    const value = valueOf(option.value)
    checkOption(name, option.name)
    if (value === undefined) throw fault(`the option ${option.name} of ${name} is a text, true or false, or a list or struct of texts`)
    return [option.name, value] as const
  })
  const text = [literalOf(path), ...options.map(([option, value]) => `${option} = ${textOf(value)}`)].join(', ')
  const call = `${name}(${text})`
  // Refuses options that are not known here, and not when the table is looked for.
  callOf(call)
  const { function: _, with_ordinality: _ordinality, ...kept } = node as Node & { readonly with_ordinality?: unknown }
  const alias = node.alias === '' ? name : node.alias
  return { ...kept, type: 'BASE_TABLE', alias, schema_name: '', table_name: call, catalog_name: '', at_clause: null }
}

/** `name = value` is a comparison with a column, `name := value` a value with an alias. */
function optionOf(node: Node): { readonly name: string; readonly value: Node } | undefined {
  const { type, alias, left, right } = node
  const names = type === 'COMPARE_EQUAL' && right ? left?.column_names ?? [] : []
  if (names.length === 1) return { name: names[0]!.toLowerCase(), value: right! }
  return typeof alias === 'string' && alias !== '' ? { name: alias.toLowerCase(), value: node } : undefined
}

function valueOf({ type, value, child, function_name: name, children = [] }: Node): Value | undefined {
  if (type === 'VALUE_CONSTANT' && value?.is_null === false && value.type?.id === 'VARCHAR') return String(value.value)
  if (type === 'VALUE_CONSTANT' && value?.type?.id === 'BOOLEAN' && value.is_null === false) return value.value === true
  // true and false are casts of texts.
  if (type === 'OPERATOR_CAST' && /^[tf]$/.test(String(child?.value?.value))) return child!.value!.value === 't'
  const texts = children.map(valueOf)
  if (type !== 'FUNCTION' || !texts.every(text => typeof text === 'string')) return undefined
  if (name === 'list_value') return texts
  return name === 'struct_pack' ? children.map(({ alias }, i) => [String(alias), texts[i]!] as const) : undefined
}

function textOf(value: Value): string {
  if (typeof value === 'string') return literalOf(value)
  if (typeof value === 'boolean') return String(value)
  const items = value.map(item => (typeof item === 'string' ? literalOf(item) : `${literalOf(item[0])}: ${literalOf(item[1])}`))
  return value.some(item => typeof item !== 'string') ? `{${items.join(', ')}}` : `[${items.join(', ')}]`
}

const literal = String.raw`'(?:[^']|'')*'`
const parts = new RegExp(`${literal}|\\w+|[=\\[\\]{}:,()]`, 'g')

/** The call in the name of a table; undefined: the name is another one. Throws EINVAL for options that are not known. */
export function callOf(name: string): ReadCall | undefined {
  if (!isCallName(name)) return undefined
  const [call, , path, ...rest] = [...name.matchAll(parts)].map(([part]) => part) as [string, string, string, ...string[]]
  const kind = functions[call]!
  const options = new Map<string, Value>()
  for (let at = 0; rest[at] === ',';) {
    const option = rest[at + 1]!
    checkOption(call, option)
    if (options.has(option)) throw fault(`${call} has the option ${option} twice`)
    at += 3
    const end = '[{'.includes(rest[at]!) ? rest.findIndex((part, i) => i > at && ']}'.includes(part)) : at
    options.set(option, readValue(rest.slice(at, end + 1)))
    at = end + 1
  }
  return { path: unquoted(path), kind, csv: csvReading(call, options) }
}

const unquoted = (text: string): string => text.slice(1, -1).replaceAll("''", "'")

function readValue([first = '', ...others]: readonly string[]): Value {
  if (first.startsWith("'")) return unquoted(first)
  const texts = others.filter(part => part.startsWith("'")).map(unquoted)
  if (first === '[') return texts
  return first === '{' ? Array.from({ length: texts.length / 2 }, (_, i) => [texts[2 * i]!, texts[2 * i + 1]!] as const) : first === 'true'
}

const known = ['header', 'delim', 'sep', 'quote', 'nullstr', 'columns', 'all_varchar', 'dateformat', 'timestampformat']

function checkOption(call: string, option: string): void {
  if (functions[call] !== 'csv') throw fault(`${call} has no options here, such as ${option}; leave them out`)
  if (known.includes(option)) return
  throw fault(`${call} has no option ${option} here; it has ${known.slice(0, -1).join(', ')} and ${known.at(-1)!}`)
}

function csvReading(call: string, options: ReadonlyMap<string, Value>): CsvReading {
  const refused = (option: string, wanted: string): GristmillError => refusedIn(call, option, wanted)
  const flag = (option: string): boolean | undefined => {
    const value = options.get(option)
    if (value !== undefined && typeof value !== 'boolean') throw refused(option, 'true or false')
    return value
  }
  const mark = (option: string, isOptional = false): string | undefined => {
    const value = options.get(option)
    if (value === undefined || (value === '' && isOptional)) return value
    const char = value === '\\t' ? '\t' : value
    if (typeof char !== 'string' || !/^[\t\x20-\x7e]$/.test(char))
      throw refused(option, `one ASCII character${isOptional ? ', or empty for none' : ''}`)
    return char
  }
  if (options.has('delim') && options.has('sep')) throw fault(`${call} has both delim and sep; give one of them`)
  const [header, allVarchar, quote] = [flag('header'), flag('all_varchar'), mark('quote', true)]
  const delimiter = mark('delim') ?? mark('sep')
  if (quote !== undefined && quote !== '' && quote === (delimiter ?? ',')) throw refused('quote', 'another character than the delimiter')
  const [nulls, columns] = [options.get('nullstr'), options.get('columns')]
  if (nulls !== undefined && typeof nulls !== 'string' && !isTexts(nulls)) throw refused('nullstr', 'a text, or a list of texts')
  if (columns !== undefined && (!isPairs(columns) || columns.length === 0))
    throw refused('columns', `types by names: {'day': 'DATE', 'n': 'BIGINT'}`)
  if (columns !== undefined && allVarchar) throw fault(`${call} has both columns and all_varchar; give one of them`)
  return {
    ...dateForms(call, options),
    ...header !== undefined && { header }, ...delimiter !== undefined && { delimiter }, ...quote !== undefined && { quote },
    ...nulls !== undefined && { nulls: typeof nulls === 'string' ? [nulls] : nulls },
    ...columns !== undefined && { columns: columns.map(([name, type]) => ({ name, type })) }, ...allVarchar && { allVarchar },
  }
}

const refusedIn = (call: string, option: string, wanted: string): GristmillError => fault(`the option ${option} of ${call} is ${wanted}`)

/** The options `dateformat` and `timestampformat` of a call or a statement. Throws EINVAL for what gives no day, or no hour. */
export function dateForms(call: string, options: ReadonlyMap<string, Value>): ToldForms {
  const form = (option: string, parts: readonly RegExp[], wanted: string): string | undefined => {
    const value = options.get(option)
    if (value === undefined) return undefined
    if (typeof value !== 'string' || !isForm(value) || !parts.every(part => part.test(value))) throw refusedIn(call, option, wanted)
    return value
  }
  const dateFormat = form('dateformat', [...dayParts, /^(?!.*%-?[HIMSfgp])/], `a form with day, month and year: '%d/%m/%Y'`)
  const timestampFormat = form(
    'timestampformat', [...dayParts, /%-?[HI]/], `a form with day, month, year and hour: '%d/%m/%Y %H:%M:%S'`,
  )
  return { ...dateFormat !== undefined && { dateFormat }, ...timestampFormat !== undefined && { timestampFormat } }
}

/** Parts that are read exactly: nanoseconds would be cut off, and hours of a clock of twelve be those before noon. */
const isForm = (text: string): boolean =>
  /^(?:%(?:-?[dmyHIMSj]|[YbBaApfg%])|[^%])+$/.test(text) && (!/%-?I/.test(text) || text.includes('%p'))

const dayParts = [/%-?[dj]/, /%(?:-?[mj]|[bB])/, /%(?:Y|-?y)/]

const isTexts = (value: Value): value is readonly string[] =>
  Array.isArray(value) && value.length > 0 && value.every(item => typeof item === 'string')
const isPairs = (value: Value): value is ReadonlyArray<readonly [string, string]> =>
  Array.isArray(value) && value.every(item => Array.isArray(item))
