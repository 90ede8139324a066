// Functions of a statement that ask for the session: its user, database and settings, and set_config, which changes a setting. In a query
// over data they become constants, because the tasks that compute it know no session.

import { GristmillError } from '../../../src/base/errors.ts'
import { literalOf } from '../../../src/base/sql.ts'
import { sqlTokens, type SqlToken } from '../../../src/base/sqltokens.ts'
import type { PgSettings } from './settings.ts'

export interface Self { readonly user: string; readonly database: string; readonly pid: number; readonly version: string }

const names = /\b(?:current_(?:user|role|catalog|database|schema|setting)|session_user|version|pg_backend_pid|set_config)\b/i

/** A call in a text: the place of its name, with a schema, and behind its bracket; the texts of its arguments. */
interface Call { readonly name: string; readonly start: number; readonly end: number; readonly args: readonly string[] | undefined }

/** Words of these functions, with their arguments if brackets follow. */
function* callsIn(sql: string): Generator<Call, void, void> {
  if (!names.test(sql)) return
  const tokens = [...sqlTokens(sql)].filter(({ kind }) => kind !== 'blank' && kind !== 'comment')
  const text = (i: number): string => (tokens[i] ? sql.slice(tokens[i].start, tokens[i].end) : '')
  for (const [i, { kind, end }] of tokens.entries()) {
    if (kind !== 'word' || !new RegExp(`^${names.source}$`, 'i').test(text(i))) continue
    const isOfCatalogue = text(i - 1) === '.' && text(i - 2).toLowerCase() === 'pg_catalog'
    if ((text(i - 1) === '.' && !isOfCatalogue) || text(i + 1) === '.') continue
    const call = text(i + 1) === '(' ? argumentsOf(sql, tokens, i + 2) : undefined
    yield { name: text(i).toLowerCase(), start: tokens[isOfCatalogue ? i - 2 : i]!.start, end: call?.end ?? end, args: call?.args }
  }
}

/** Arguments from this token on, to the bracket that closes. */
function argumentsOf(
  sql: string, tokens: readonly SqlToken[], from: number,
): { readonly args: readonly string[]; readonly end: number } | undefined {
  const args: string[] = []
  let depth = 0
  let start = tokens[from]?.start
  for (let i = from; i < tokens.length; i++) {
    const { start: at, end } = tokens[i]!
    const mark = tokens[i]!.kind === 'mark' ? sql[at]! : ''
    if (depth === 0 && (mark === ')' || mark === ',')) {
      const own = sql.slice(start, at).trim()
      if (own !== '' || mark === ',') args.push(own)
      if (mark === ')') return { args, end }
      start = end
    }
    if (mark === '(' || mark === '[') depth++
    if (mark === ')' || mark === ']') depth--
  }
  return undefined
}

/** A query over data with constants in place of what it asks of the session. Throws EINVAL for a setting that there is not. */
export function withSession(sql: string, { user, database, pid, version }: Self, settings: PgSettings): string {
  const values: Readonly<Record<string, string>> = {
    current_user: literalOf(user), session_user: literalOf(user), current_role: literalOf(user), current_catalog: literalOf(database),
    current_schema: `'public'`,
  }
  const called: Readonly<Record<string, string>> = {
    ...values, current_database: literalOf(database), version: literalOf(version), pg_backend_pid: String(pid),
  }
  let [made, at] = ['', 0]
  for (const { name, start, end, args } of callsIn(sql)) {
    if (name === 'set_config')
      throw new GristmillError('EINVAL', 'set_config is called in a query that reads no table; send it by itself', {
        details: { sqlstate: '0A000' },
      })
    const value = args === undefined ? values[name] : name === 'current_setting' ? settingOf(args, settings)
      : args.length === 0 ? called[name] : undefined
    if (value === undefined) continue
    made += sql.slice(at, start) + value
    at = end
  }
  return made + sql.slice(at)
}

/** undefined: the arguments are no constants. */
function settingOf([name = '', missing = 'false']: readonly string[], settings: PgSettings): string | undefined {
  const [, own] = /^'((?:[^']|'')*)'$/.exec(name) ?? []
  if (own === undefined || !/^(?:true|false)$/i.test(missing)) return undefined
  const value = settings.find(own.replaceAll("''", "'"))
  if (value === undefined && !/^true$/i.test(missing)) settings.get(own)
  return value === undefined ? 'CAST(NULL AS VARCHAR)' : literalOf(value)
}

/** Evaluates the arguments of calls, each a list of texts. */
type Evaluate = (expressions: readonly string[]) => Promise<readonly (string | null)[]>

/** Carries out each set_config of the statement, and puts the value that it gives in its place. undefined: there is none. */
export async function configured(sql: string, settings: PgSettings, evaluate: Evaluate): Promise<string | undefined> {
  const calls = [...callsIn(sql)].filter(({ name, args }) => name === 'set_config' && args !== undefined)
  if (calls.length === 0) return undefined
  const wrong = calls.find(({ args }) => args!.length !== 3)
  if (wrong)
    throw new GristmillError(
      'EINVAL', 'set_config has three arguments: the name, the value, and whether the value is that of the transaction',
      { details: { sqlstate: '42883' } },
    )
  const values = await evaluate(calls.flatMap(({ args }) => args!.map((each, i) => `(${each})::${i < 2 ? '' : 'BOOLEAN::'}VARCHAR`)))
  let [made, at] = ['', 0]
  for (const [i, { start, end }] of calls.entries()) {
    const [name, value, isLocal] = values.slice(3 * i, 3 * i + 3)
    if (name === null || isLocal === null)
      throw new GristmillError('EINVAL', 'the name of the setting of set_config is NULL', { details: { sqlstate: '22004' } })
    const own = settings.set(name!.toLowerCase(), value ?? undefined, isLocal === 'true')
    made += `${sql.slice(at, start)}set_config(${literalOf(own)})`
    at = end
  }
  return made + sql.slice(at)
}
