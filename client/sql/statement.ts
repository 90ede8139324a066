// One statement of a user: checks that it is a SELECT, and puts the values of its parameters into it.

import { GristmillError } from '../../src/base/errors.ts'
import { afterBlanks, isOpenComment, sqlTokens, withoutComments, wordAt } from '../../src/base/sqltokens.ts'
import { literalOf } from '../../src/base/sql.ts'
import type { Database } from '../../src/ports/database.ts'
import { shown } from '../call/arguments.ts'
import { mayHaveCalls, withoutCalls } from './readcalls.ts'
import { readsOf, tableNames } from './tablenames.ts'

/** Values of `?` and `$1`, in order, or of `$name`. */
export type SqlParams = readonly unknown[] | Readonly<Record<string, unknown>>

export interface Statement {
  /** Without parameters. */
  readonly sql: string
  /** Names of the tables that it reads. */
  readonly tables: readonly string[]
  /** EXPLAIN, or EXPLAIN ANALYZE, stood before it. */
  readonly explain?: 'plan' | 'analyze'
}

/** Longest text of a statement. */
export const sqlCharsMax = 1_000_000

interface Parsed {
  readonly error: boolean
  readonly error_type?: string
  readonly error_message?: string
  readonly statements?: readonly { readonly node: unknown, readonly named_param_map?: ReadonlyArray<{ readonly key: string }> }[]
}

/**
 * Throws EINVAL for anything but one SELECT, and for parameters that are missing or not used. REQUIRES: `db` reaches no file: to parse some
 * statements, such as IMPORT, the engine reads the files that they name.
 */
export async function readStatement(db: Database, text: string, params: SqlParams | undefined): Promise<Statement> {
  try {
    return await readExplained(db, text, params)
  } catch (error) {
    // The tree is read by recursion.
    if (!(error instanceof RangeError)) throw error
    throw new GristmillError('EINVAL', 'the SQL is nested too deeply to be read; nest fewer types or expressions')
  }
}

async function readExplained(db: Database, text: string, params: SqlParams | undefined): Promise<Statement> {
  const start = afterBlanks(text)
  if (wordAt(text, start) !== 'EXPLAIN') return readQuery(db, text, params)
  let end = start + 'explain'.length
  const next = afterBlanks(text, end)
  const isAnalyzed = wordAt(text, next) === 'ANALYZE'
  if (isAnalyzed) end = next + 'analyze'.length
  // Blanks in its place: errors name the line and the column of the text as it was given.
  const query = text.slice(0, end).replaceAll(/[^\n]/g, ' ') + text.slice(end)
  return { ...await readQuery(db, query, params), explain: isAnalyzed ? 'analyze' : 'plan' }
}

/**
 * Bound for the queries of other users: the time and the memory that the engine needs to plan a query grow with the reads, it does not
 * count that memory, and cannot be interrupted meanwhile: 16 ms for 1,024 reads, 340 ms for 16,384, and a statement is planned several
 * times.
 */
const readsMax = 1_000

/** Throws EINVAL for a query whose plan would hold a process that serves other users. REQUIRES: the query has been read once. */
export async function checkReads(db: Database, sql: string): Promise<void> {
  const parsed = roughly(await scalar(db, `SELECT json_serialize_sql(${literalOf(sql)})`)) as Parsed
  const found = (parsed.statements ?? []).reduce((sum, { node }) => sum + readsOf(node), 0)
  if (found <= readsMax) return
  throw new GristmillError(
    'EINVAL',
    `the query reads tables ${found} times when its table expressions and views are written out where they are read, and `
    + `may do so ${readsMax} times here; make tables of some of them (CREATE TABLE … AS)`,
  )
}

async function readQuery(db: Database, given: string, params: SqlParams | undefined): Promise<Statement> {
  if (given.length > sqlCharsMax)
    throw new GristmillError('TOO_LARGE', `the SQL has ${given.length} characters, and may have ${sqlCharsMax}`)
  if (isOpenComment(given)) throw new GristmillError('EINVAL', 'the SQL ends inside of a comment (/*)')
  const text = withoutComments(given)
  const tree = await scalar(db, `SELECT json_serialize_sql(${literalOf(text)})`)
  const parsed = roughly(tree) as Parsed
  if (parsed.error) {
    // Throws a syntax error with its line.
    if (parsed.error_type === 'parser') await db.tablesOf(text)
    throw refusal(text, parsed)
  }
  const [statement, ...more] = parsed.statements!
  if (!statement) throw new GristmillError('EINVAL', 'the SQL has no statement; give a SELECT')
  if (more.length > 0)
    throw new GristmillError('EINVAL', `the SQL has ${more.length + 1} statements; give one at a time`)
  const names = (statement.named_param_map ?? []).map(({ key }) => key)
  const values = valuesOf(names, params)
  const isCalling = mayHaveCalls(text)
  if (names.length === 0 && !isCalling) return { sql: withoutEnd(text), tables: tableNames(statement) }
  const literals = new Map<string, unknown>()
  for (const [name, value] of values) literals.set(name, await expressionOf(db, value, name))
  for (const infinite of [Infinity, -Infinity]) literals.set(`\0${infinite}`, await expressionOf(db, infinite, ''))
  const exact = exactly(tree) as Parsed
  const own = filled(exact.statements![0], literals)
  const plain = isCalling ? withoutCalls(own, raw.isRawJSON) : own
  const sql = await scalar(db, `SELECT json_deserialize_sql(${literalOf(JSON.stringify({ ...exact, statements: [plain] }))})`)
  return { sql, tables: tableNames(isCalling ? plain : statement) }
}

/** The text without the semicolons that end it: behind them, a query that is part of another one would not go on. */
function withoutEnd(text: string): string {
  // To cut a long statement into words takes a while.
  const behind = text.slice(text.lastIndexOf(';') + 1).trim()
  if (behind.length === text.trim().length || (behind !== '' && !behind.startsWith('--'))) return text
  let end = 0
  for (const token of sqlTokens(text))
    if (token.kind !== 'blank' && token.kind !== 'comment' && text.slice(token.start, token.end) !== ';') end = token.end
  return text.slice(0, end)
}

/**
 * The tree for what it names; its numbers may be rounded. Reading it exactly takes several times as long, in which this process does
 * nothing else.
 */
const roughly = (text: string): unknown => JSON.parse(finite(text))

/** JSON with numbers as they are written: the tree has constants, and marks, of 64 bits. */
const exactly = (text: string): unknown =>
  JSON.parse(finite(text), ((_: string, value: unknown, { source }: { source: string }) =>
    (typeof value === 'number' ? raw.rawJSON(source) : value)) as (key: string, value: unknown) => unknown)
/**
 * The engine writes a number that is beyond the range of DOUBLE as no JSON has it, and does not read it: here it is a text that begins with
 * a NUL, which no text of a statement has.
 */
const finite = (text: string): string => (!text.includes('Infinity') ? text :
  text.replaceAll(/"(?:[^"\\]|\\.)*"|-?Infinity/g, found => (found.endsWith('y') ? `"\\u0000${found}"` : found)))
const raw = JSON as unknown as { rawJSON(text: string): object; isRawJSON(value: unknown): boolean }

async function scalar(db: Database, sql: string): Promise<string> {
  for await (const [row] of (await db.query(sql)).batches()) return row![0] as string
  throw new GristmillError('INTERNAL', 'the SQL engine has returned nothing')
}

const supported = 'a query (SELECT, FROM, WITH, VALUES, DESCRIBE, SUMMARIZE, EXPLAIN)'

function refusal(text: string, { error_type: type, error_message: message }: Parsed): GristmillError {
  const word = wordAt(text, afterBlanks(text))
  if (type === 'not implemented' && word === 'PIVOT')
    return new GristmillError(
      'EINVAL', 'PIVOT needs the values that become columns: SELECT * FROM (PIVOT … ON column IN (value, …) USING …)',
    )
  if (type === 'not implemented' && /Only SELECT/.test(message ?? ''))
    return new GristmillError('EINVAL', `${word === '' ? 'this statement' : word} is not supported here; give ${supported}`)
  return new GristmillError('EINVAL', `the SQL cannot be read: ${message ?? 'unknown error'}`)
}

function valuesOf(names: readonly string[], params: SqlParams | undefined): Array<[string, unknown]> {
  const given = new Map<string, unknown>(
    Array.isArray(params) ? params.map((value, i) => [String(i + 1), value]) : Object.entries(params ?? {}),
  )
  const values = names.map((name): [string, unknown] => {
    if (!given.has(name))
      throw new GristmillError('EINVAL', `the parameter $${name} of the SQL has no value; give one (--param ${name}=VALUE)`)
    return [name, given.get(name)]
  })
  const unused = [...given.keys()].find(name => !names.includes(name))
  if (unused !== undefined)
    throw new GristmillError(
      'EINVAL', `the SQL has no parameter $${unused}${names.length === 0 ? '' : `; it has ${names.map(name => `$${name}`).join(', ')}`}`,
    )
  return values
}

/** The tree of an expression with this value. */
async function expressionOf(db: Database, value: unknown, name: string): Promise<unknown> {
  const text = expressionText(value, `the parameter $${name}`)
  const { statements } = exactly(await scalar(db, `SELECT json_serialize_sql(${literalOf(`SELECT ${text}`)})`)) as {
    statements: [{ node: { select_list: [unknown] } }]
  }
  return statements[0].node.select_list[0]
}

/** A value of JavaScript as an expression. Throws EINVAL for one that SQL has no type for. */
export function expressionText(value: unknown, what: string): string {
  if (value === null || value === undefined) return 'NULL'
  switch (typeof value) {
    case 'boolean': return value ? 'TRUE' : 'FALSE'
    case 'bigint': return wholeText(value, what)
    case 'string': return textOf(value, what)
    case 'number':
      if (Number.isSafeInteger(value) && !Object.is(value, -0)) return `${value}`
      return `CAST('${Object.is(value, -0) ? '-0.0' : value}' AS DOUBLE)`
    default:
  }
  if (value instanceof Date && !Number.isNaN(value.getTime())) return `CAST('${value.toISOString()}' AS TIMESTAMPTZ)`
  if (value instanceof Uint8Array)
    return `CAST('${Array.from(value, byte => `\\x${byte.toString(16).padStart(2, '0')}`).join('')}' AS BLOB)`
  if (Array.isArray(value)) return `[${value.map(item => expressionText(item, what)).join(', ')}]`
  if (typeof value === 'object' && [Object.prototype, null].includes(Object.getPrototypeOf(value)))
    return `{${Object.entries(value).map(([name, item]) => `${literalOf(name)}: ${expressionText(item, what)}`).join(', ')}}`
  throw new GristmillError(
    'EINVAL', `${what} is ${shown(value)}, which SQL has no type for; give a number, text, date, bytes, or a list of them`,
  )
}

/** The engine takes a literal that no integer holds for a DOUBLE. */
function wholeText(value: bigint, what: string): string {
  if (value > -(10n ** 37n) && value < 10n ** 37n) return `${value}`
  if (value >= -(2n ** 127n) && value < 2n ** 127n) return `CAST('${value}' AS HUGEINT)`
  if (value >= 0n && value < 2n ** 128n) return `CAST('${value}' AS UHUGEINT)`
  throw new GristmillError('EINVAL', `${what} is an integer of more than 128 bits, which SQL has no type for; give it as a text`)
}

/** A literal ends at a NUL. */
function textOf(value: string, what: string): string {
  if (!value.isWellFormed()) throw new GristmillError('EINVAL', `${what} is a text with half of a surrogate pair, which UTF-8 does not have`)
  const parts = value.split('\0')
  return parts.length === 1 ? literalOf(value) : `(${parts.map(literalOf).join(' || chr(0) || ')})`
}

/** The tree with expressions in place of its parameters. */
function filled(node: unknown, literals: ReadonlyMap<string, unknown>): unknown {
  if (Array.isArray(node)) return node.map(item => filled(item, literals))
  if (typeof node !== 'object' || node === null || raw.isRawJSON(node)) return node
  const { class: kind, identifier, alias, value: constant } = node as {
    class?: unknown, identifier?: unknown, alias?: unknown, value?: { readonly value?: unknown },
  }
  if (kind === 'PARAMETER') return { ...literals.get(String(identifier)) as object, alias }
  const infinite = kind === 'CONSTANT' && typeof constant?.value === 'string' && constant.value.startsWith('\0')
    ? literals.get(constant.value) : undefined
  if (infinite) return { ...infinite as object, alias }
  return Object.fromEntries(Object.entries(node).map(([name, value]) => [name, name === 'named_param_map' ? [] : filled(value, literals)]))
}
