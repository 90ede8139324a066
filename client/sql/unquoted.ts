// Advice for statements that fail because a path behind FROM is not in quotes: the engine's messages are about its syntax, or about files
// that it may not open.

import { GristmillError } from '../../src/base/errors.ts'
import { sqlTokens } from '../../src/base/sqltokens.ts'
import { isPathName } from './tables.ts'

const before = /^(?:from|join|describe|summarize)$/i

/** The first path that stands without quotes where a table is named; undefined if there is none. */
export function unquotedPath(text: string): string | undefined {
  let isNext = false
  for (const { kind, start, end } of sqlTokens(text)) {
    if (kind === 'blank' || kind === 'comment') continue
    const [path] = isNext && kind !== 'text' && kind !== 'name' ? /^[^\s'"(),;]+/.exec(text.slice(start, start + pathMax)) ?? [] : []
    if (path !== undefined && isPathName(path)) return path
    isNext = kind === 'word' && before.test(text.slice(start, end))
  }
  return undefined
}

/** Longer paths are not repeated. */
const pathMax = 1000

/** The error, with advice if it may come from such a path. */
export function withQuotingAdvice(error: unknown, text: string): unknown {
  if (!(error instanceof GristmillError) || !/^(?:(?:Parser|Permission) Error|the SQL ends inside of a comment)/.test(error.message)) return error
  const path = unquotedPath(text)
  if (path === undefined) return error
  const advice = `a path is written in single quotes: '${path}'`
  const message = error.message.startsWith('Permission') ? advice : `${advice}\n${error.message}`
  return new GristmillError('EINVAL', message, { cause: error, details: error.details })
}
