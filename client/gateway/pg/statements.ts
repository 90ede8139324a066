// The texts that a client sends: divided into statements, and told apart by their first words. What a session of PostgreSQL has and a query
// has not (transactions, settings, COPY) is answered by the gateway.

import { GristmillError } from '../../../src/base/errors.ts'
import { afterBlanks, sqlTokens } from '../../../src/base/sqltokens.ts'
import { readCursorStatement, type CursorStatement } from './cursors.ts'

export type PgStatement =
  | { readonly kind: 'empty' }
  | { readonly kind: 'query'; readonly sql: string }
  | { readonly kind: 'transaction'; readonly tag: string; readonly to: 'begin' | 'end' | 'same' }
  | { readonly kind: 'set'; readonly name: string; readonly value: string | undefined; readonly isLocal: boolean; readonly tag: string }
  | { readonly kind: 'show'; readonly name: string }
  | { readonly kind: 'forget'; readonly name: string | undefined; readonly what: Forgotten; readonly tag: string }
  | CursorStatement
  | { readonly kind: 'copy'; readonly sql: string; readonly options: string }

/** Part of a session that a statement ends. */
type Forgotten = 'statement' | 'settings' | 'nothing' | 'all'

/** A statement without blanks and comments at its ends. */
const bare = (text: string): string => text.slice(afterBlanks(text)).trimEnd()

export function readPgStatement(text: string): PgStatement {
  const own = bare(text)
  if (own === '') return { kind: 'empty' }
  const words = own.slice(0, 200).split(/[\s(;]+/).slice(0, 4).map(word => word.toUpperCase())
  switch (words[0]) {
    case 'BEGIN': case 'START': return { kind: 'transaction', tag: words[0] === 'BEGIN' ? 'BEGIN' : 'START TRANSACTION', to: 'begin' }
    case 'COMMIT': case 'END': return { kind: 'transaction', tag: 'COMMIT', to: 'end' }
    case 'ROLLBACK': case 'ABORT':
      return words.includes('TO') ? { kind: 'transaction', tag: 'ROLLBACK', to: 'same' }
        : { kind: 'transaction', tag: 'ROLLBACK', to: 'end' }
    case 'SAVEPOINT': case 'RELEASE': return { kind: 'transaction', tag: words[0], to: 'same' }
    case 'SET': case 'RESET': return settingOf(own, words[0])
    case 'SHOW': return { kind: 'show', name: own.slice(4).trim().replaceAll(/["']/g, '').toLowerCase() }
    case 'DISCARD': return discardOf(own)
    case 'DECLARE': case 'FETCH': case 'MOVE': case 'CLOSE': return readCursorStatement(own)
    case 'DEALLOCATE': return forgetting('DEALLOCATE',
      /^deallocate\s+(?:prepare\s+)?(?:all|"?([^"\s]+)"?)\s*$/i.exec(own)?.[1])
    case 'COPY': return copyOf(own)
    default: return { kind: 'query', sql: text }
  }
}

const forgetting = (tag: string, name: string | undefined): PgStatement => ({ kind: 'forget', what: 'statement', tag, name })

/** Plans, tables and sequences of a session are nothing here. */
function discardOf(text: string): PgStatement {
  const [, what] = /^discard\s+(all|plans|temp|temporary|sequences)$/i.exec(text) ?? []
  if (what === undefined) throw unread('DISCARD', 'DISCARD ALL')
  return { kind: 'forget', name: undefined, what: /all/i.test(what) ? 'all' : 'nothing', tag: `DISCARD ${what.toUpperCase()}` }
}

const unread = (word: string, form: string): GristmillError =>
  new GristmillError('EINVAL', `this form of ${word} cannot be read; write ${form}`, { details: { sqlstate: '42601' } })

function settingOf(text: string, tag: string): PgStatement {
  const isLocal = /^set\s+local\b/i.test(text)
  if (/^reset\s+all$/i.test(text)) return { kind: 'forget', name: undefined, what: 'settings', tag }
  const [, zone] = /^set\s+(?:session\s+|local\s+)?time\s+zone\s+(.*)$/is.exec(text) ?? []
  if (zone !== undefined) return { kind: 'set', name: 'timezone', value: /^local$/i.test(zone) ? undefined : valueOf(zone), isLocal, tag }
  const [isNames, names] = /^set\s+(?:session\s+|local\s+)?names(?:\s+('[^']*'|"[^"]*"|[\w-]+))?$/i.exec(text) ?? []
  if (isNames !== undefined && names === undefined) return { kind: 'set', name: 'client_encoding', value: undefined, isLocal, tag }
  if (names !== undefined) return { kind: 'set', name: 'client_encoding', value: valueOf(names), isLocal, tag }
  if (/^reset\s+time\s+zone$/i.test(text)) return { kind: 'set', name: 'timezone', value: undefined, isLocal, tag }
  if (/^(?:re)?set\s+(?:session\s+characteristics\b|transaction\b|session\s+authorization\b|role\b|constraints\b)/i.test(text))
    return { kind: 'set', name: /transaction|constraints/i.test(text) ? 'transaction' : 'role', value: undefined, isLocal, tag }
  const form = tag === 'RESET' ? /^reset\s+"?([\w.]+)"?$/i : /^set\s+(?:session\s+|local\s+)?"?([\w.]+)"?\s*(?:=|\bto\b)\s*([^]+)$/i
  const [, name, value] = form.exec(text) ?? []
  if (name === undefined) throw unread(tag, tag === 'RESET' ? 'RESET name' : 'SET name = value')
  return { kind: 'set', name: name.toLowerCase(), value: value === undefined ? undefined : valueOf(value), isLocal, tag }
}

const valueOf = (text: string): string => text.trim().replace(/^'([^]*)'$/, '$1').replace(/^"([^]*)"$/, '$1')

/** `COPY (query) TO STDOUT`, or `COPY table TO STDOUT`. Throws EINVAL for another COPY. */
function copyOf(text: string): PgStatement {
  const [, table, columns, after] =
    /^copy\s+("(?:[^"]|"")+"|'(?:[^']|'')+'|[\w.]+)\s*(\([^()]*\))?\s*to\s+stdout\b([^]*)$/i.exec(text) ?? []
  if (table !== undefined)
    return { kind: 'copy', sql: `SELECT ${columns?.slice(1, -1) ?? '*'} FROM ${table}`, options: after ?? '' }
  const [start] = /^copy\s*\(/i.exec(text) ?? []
  const end = start === undefined ? -1 : closing(text, start.length)
  const [, options] = /^\)\s*to\s+stdout\b([^]*)$/i.exec(text.slice(Math.max(0, end))) ?? []
  if (start === undefined || end < 0 || options === undefined)
    throw new GristmillError('EINVAL', 'COPY is supported as COPY (SELECT …) TO STDOUT only', { details: { sqlstate: '0A000' } })
  return { kind: 'copy', sql: text.slice(start.length, end), options }
}

/** Place of the bracket that closes the one before `from`; -1: there is none. */
function closing(text: string, from: number): number {
  const own = text.slice(from)
  let depth = 1
  for (const { kind, start } of sqlTokens(own)) {
    if (kind !== 'mark') continue
    if (own[start] === '(') depth++
    if (own[start] === ')' && --depth === 0) return from + start
  }
  return -1
}

/** The text without its literals, quoted names and comments: what it says by itself. */
export function wordsOf(text: string): string {
  const pieces: string[] = []
  for (const { kind, start, end } of sqlTokens(text))
    pieces.push(kind === 'text' || kind === 'name' || kind === 'comment' || kind === 'blank' ? ' ' : text.slice(start, end))
  return pieces.join('')
}
