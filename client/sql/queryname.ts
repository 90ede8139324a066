// Name of the job of a query: its text in one line, without comments, and cut. All users see the names of jobs: of an address only the part
// that messages show is in it.

import { shownUrl } from '../../src/base/url.ts'
import { sqlTokens } from '../../src/base/sqltokens.ts'

const charsMax = 100
/** Of a statement with a long list no more is looked at. */
const readMax = 4_000

/** `sql: SELECT count(*) FROM '/logs/*.csv'`. */
export function nameOfQuery(text: string): string {
  const start = text.slice(0, readMax)
  let line = ''
  for (const { kind, start: from, end } of sqlTokens(start)) {
    if (line.length > charsMax) break
    const token = start.slice(from, end)
    line += kind === 'blank' || kind === 'comment' ? ' ' : kind === 'text' || kind === 'name' ? quoted(token) : token
  }
  const chars = Array.from(line.replaceAll(/[\s\p{Cc}]+/gu, ' ').trim().replace(/;$/, '').toWellFormed())
  if (chars.length === 0) return 'sql'
  return `sql: ${chars.length > charsMax ? `${chars.slice(0, charsMax - 1).join('')}…` : chars.join('')}`
}

/** A text or name in quotes, whose addresses are those of messages. */
function quoted(token: string): string {
  const at = token.search(/[a-z][a-z0-9+.-]*:\/\//i)
  if (at < 0) return token
  const mark = /^[eE]?('|"|\$\w*\$)/.exec(token)![1]!
  return `${token.slice(0, at)}${shownUrl(token.slice(at, token.endsWith(mark) ? -mark.length : undefined))}${mark}`
}
