// Tables outside of the cluster: FROM 'postgres://HOST/DATABASE/TABLE', 'kafka://HOST:PORT/TOPIC', 's3://BUCKET/KEY', 'https://HOST/PATH',
// or the same as the argument of a function of that name; kafka('…', from => 17) has options, which become part of the address. Files get
// references in the cluster, by which tasks read them where they are; other content is copied into the cluster. The query reads both as any
// other table, and they are removed with its workspace.

import { shownUrl } from '../../src/base/url.ts'
import { GristmillError } from '../../src/base/errors.ts'
import { sqlTokens } from '../../src/base/sqltokens.ts'
import { withTopicOptions } from '../../src/connector/kafka/address.ts'
import type { PostgresColumn } from '../../src/connector/postgres/source.ts'
import type { CatalogTable } from '../../src/protocol/table.ts'
import type { OutsidePlaces, SqlCluster } from './cluster.ts'
import { clusterTable, type SqlTable } from './tables.ts'
import type { Workspace } from './workspace.ts'

const schemes: Readonly<Record<string, RegExp>> = {
  postgres: /^postgres(?:ql)?:\/\//i, kafka: /^kafka:\/\//i, s3: /^s3a?:\/\//i, http: /^https?:\/\//i, https: /^https?:\/\//i,
}

export const isOutside = (name: string): boolean => Object.values(schemes).some(scheme => scheme.test(name))

/** `url`: with the options of the call. */
interface Call { readonly start: number; readonly end: number; readonly url: string; readonly urlStart: number; readonly urlEnd: number }

const named = new RegExp(`\\b(?:${Object.keys(schemes).join('|')})\\b`, 'i')

/** Calls such as FROM postgres('postgres://…'), behind FROM or JOIN. */
function callsIn(text: string): Call[] {
  if (!named.test(text)) return []
  const tokens = [...sqlTokens(text)].filter(({ kind }) => kind !== 'blank' && kind !== 'comment')
  const textOf = (i: number): string => (tokens[i] ? text.slice(tokens[i].start, tokens[i].end) : '')
  const calls: Call[] = []
  for (let i = 1; i < tokens.length; i++) {
    const scheme = Object.hasOwn(schemes, textOf(i).toLowerCase()) ? schemes[textOf(i).toLowerCase()] : undefined
    const [open, quoted] = [textOf(i + 1), textOf(i + 2)]
    if (!scheme || !/^(?:from|join)$/i.test(textOf(i - 1)) || open !== '(' || !quoted.startsWith("'")) continue
    const { close, options } = optionsAt(i + 3, textOf)
    if (close === undefined) continue
    const bare = quoted.slice(1, -1).replaceAll("''", "'")
    if (Object.keys(options).length > 0 && textOf(i).toLowerCase() !== 'kafka')
      throw new GristmillError('EINVAL', `${textOf(i)}('${shownUrl(bare)}') has no options`)
    const url = withTopicOptions(bare, options)
    if (!scheme.test(url))
      throw new GristmillError('EINVAL', `${textOf(i)}('${shownUrl(url)}'): the address begins with ${textOf(i).toLowerCase()}://`)
    const { start: urlStart, end: urlEnd } = tokens[i + 2]!
    calls.push({ start: tokens[i]!.start, end: tokens[close]!.end, url, urlStart, urlEnd })
  }
  return calls
}

/** Options `, name => 'text'` or `, name => 17` up to the closing parenthesis, from the token on; no `close`: there is something else. */
function optionsAt(from: number, textOf: (i: number) => string): { close?: number; options: Record<string, string> } {
  const options: Record<string, string> = {}
  let at = from
  for (; textOf(at) === ','; at++) {
    const name = textOf(++at).toLowerCase()
    // Each mark is a token: => := =.
    let marks = ''
    while (/^[:=>]$/.test(textOf(at + 1))) marks += textOf(++at)
    const given = textOf(++at)
    if (!/^[a-z]+$/.test(name) || !['=>', ':=', '='].includes(marks) || !/^(?:'[^]*'|\d+)$/.test(given)) return { options }
    if (Object.hasOwn(options, name)) throw new GristmillError('EINVAL', `the option ${name} is given twice`)
    options[name] = given.startsWith("'") ? given.slice(1, -1).replaceAll("''", "'") : given
  }
  return textOf(at) === ')' ? { close: at, options } : { options }
}

/** The text with the address alone in place of each call, at the same place, so that errors name its line and column. */
export function plainPlaces(text: string): string {
  let plain = text
  // From the last one on: an address with many escapes may be longer than its options, and moves what follows.
  for (const { start, end, url, urlStart, urlEnd } of callsIn(text).reverse()) {
    const blank = (from: number, to: number): string => text.slice(from, to).replaceAll(/[^\n]/g, ' ')
    const address = `'${url.replaceAll("'", "''")}'`
    const behind = blank(urlEnd, end)
    const more = address.length - (urlEnd - urlStart)
    // Blanks go, and line ends stay.
    const spaces = behind.length - behind.replaceAll(' ', '').length
    const kept = behind.replace(/ */, all => all.slice(Math.min(more, all.length, spaces)))
    plain = plain.slice(0, start) + blank(start, urlStart) + address + kept + plain.slice(end)
  }
  return plain
}

/** Throws EINVAL for a call that stands where no table does: it would be a text. `tables`: those of the statement. */
export function checkOutside(text: string, tables: readonly string[]): void {
  for (const { url } of callsIn(text))
    if (!tables.includes(url)) throw new GristmillError('EINVAL', `${shownUrl(url)} is not read as a table; it stands behind FROM or JOIN`)
}

interface OutsideTools {
  readonly cluster: () => Promise<SqlCluster>
  readonly isRemote?: boolean | undefined
  /** The statement itself names it, and no view. */
  readonly isOwn: boolean
  readonly space: Workspace | undefined
  readonly signal: AbortSignal | undefined
}

/** Throws EACCES for a query that may reach no such place: with the credentials of this process, and not with those of its user. */
export async function outsideTable(name: string, { cluster, isRemote, isOwn, space, signal }: OutsideTools): Promise<SqlTable> {
  if (!isOwn) {
    throw new GristmillError(
      'EACCES', `a view reads ${shownUrl(name)}, which would be opened with the credentials of each reader; make it a table of the cluster`,
    )
  }
  if (isRemote) throw notReached(name)
  if (!space) throw new GristmillError('EINVAL', `a view cannot read ${shownUrl(name)}; make a table of it: CREATE TABLE … AS SELECT …`)
  const at = await cluster()
  const copy = await placesIn(at, name).read(name, signal)
  space.onClose(() => copy.drop())
  space.namesPlace(copy.path, shownUrl(name).replace(/\/$/, ''))
  const table = await clusterTable(at.cluster.ask, copy.path, signal)
  return { ...table, name, path: copy.path, ...copy.columns && { known: knownOf(name, copy.columns) } }
}

/** Throws EACCES. */
export function placesIn({ outside }: SqlCluster, name: string): OutsidePlaces {
  if (!outside) throw notReached(name)
  return outside
}

export const notReached = (name: string): GristmillError =>
  new GristmillError('EACCES', `${shownUrl(name)} is outside of the cluster, which queries of this kind do not leave; name a path of the cluster`)

const knownOf = (name: string, columns: readonly PostgresColumn[]): CatalogTable => ({
  name, kind: 'table', columns: columns.map(({ name: column, type }) => ({ name: column, type })), owner: '', createdMs: 0, changedMs: 0,
  format: JSON.stringify({ kind: 'json', layout: 'newline_delimited', isText: true }),
})
