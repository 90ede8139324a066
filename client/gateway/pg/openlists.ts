// Lists whose elements have no type, as node-postgres sends them: the text `{1,2}` for `id = any($1)`. PostgreSQL takes the type from the
// other side of the comparison. Here the comparison becomes IN with texts, which the engine casts to the type of the other side.

import { literalOf } from '../../../src/base/sql.ts'
import { sqlTokens } from '../../../src/base/sqltokens.ts'
import { wordsOf } from './statements.ts'

/** Value of a parameter that is a list of an open type. */
export class OpenList {
  readonly items: readonly (string | null)[]

  constructor(items: readonly (string | null)[]) { this.items = items }

  /** For places that give it no type: what looks like numbers is compared with numbers. */
  get values(): readonly unknown[] {
    const isWhole = this.items.every(item => item === null || /^(?:0|-?[1-9]\d{0,37})$/.test(item))
    return isWhole ? this.items.map(item => (item === null ? null : BigInt(item))) : this.items
  }

  get text(): string { return this.items.map(item => (item === null ? 'NULL' : literalOf(item))).join(', ') }
}

/** Longer lists are left to be parameters: the text of a statement has a bound. */
const listCharsMax = 400_000

interface Given { readonly sql: string; readonly params: readonly unknown[] | Readonly<Record<string, unknown>> }

/** `= any($1)` as `IN (…)` and `<> all($1)` as `NOT IN (…)`, where `$1` is a list of an open type; other uses of it get its values. */
export function withLists(sql: string, params: readonly unknown[]): Given {
  if (!params.some(each => each instanceof OpenList)) return { sql, params }
  const tokens = [...sqlTokens(sql)].filter(({ kind }) => kind !== 'blank' && kind !== 'comment')
  const word = (i: number): string => {
    const token = tokens[i]
    return token && token.kind !== 'name' && token.kind !== 'text' ? sql.slice(token.start, token.end).toLowerCase() : ''
  }
  let [made, at] = ['', 0]
  for (let i = 1; i < tokens.length; i++) {
    const isAny = word(i) === 'any' || word(i) === 'some'
    if (!(isAny || word(i) === 'all') || word(i + 1) !== '(' || word(i + 2) !== '$' || word(i + 4) !== ')') continue
    const list = params[Number(word(i + 3)) - 1]
    // Marks are of one character each.
    const isOf = (mark: string): boolean => word(i - mark.length) + (mark.length > 1 ? word(i - 1) : '') === mark
    const start = isAny ? isOf('=') && !/[<>!=~]/.test(word(i - 2)) && i - 1 : (isOf('<>') || isOf('!=')) && i - 2
    if (start === false || !(list instanceof OpenList) || list.items.length === 0 || list.text.length > listCharsMax) continue
    made += `${sql.slice(at, tokens[start]!.start)} ${isAny ? '' : 'NOT '}IN (${list.text})`
    at = tokens[i + 4]!.end
  }
  const whole = made + sql.slice(at)
  return { sql: whole, params: usedParams(whole, params.map(each => (each instanceof OpenList ? each.values : each))) }
}

/** Values of the parameters that the statement has, by their numbers: it is changed, and none may be left over. */
export function usedParams(sql: string, params: Given['params']): Readonly<Record<string, unknown>> {
  const numbers = new Set([...wordsOf(sql).matchAll(/\$(\d{1,5})/g)].map(([, number]) => Number(number)))
  const given: readonly (readonly [string, unknown])[] = Array.isArray(params) ? params.map((each, i) => [String(i + 1), each] as const)
    : Object.entries(params)
  return Object.fromEntries(given.filter(([number]) => numbers.has(Number(number))))
}
