// SQL over HTTP: POST /sql with a query, and its rows as lines of JSON, CSV, Parquet or Arrow, while they are computed, or some at a time,
// as pages. It stands beside another dialect on one port, which answers all other paths. A client that disconnects ends its query.
// INVARIANT: an answer that ends in good order has all rows. An error before the first rows has a status and a body; a later one breaks the
// connection.

import { cutAt } from '../../../src/base/cut.ts'
import { codes, GristmillError, hasCode } from '../../../src/base/errors.ts'
import { MiB } from '../../../src/base/units.ts'
import type { Clock } from '../../../src/ports/clock.ts'
import type { Random } from '../../../src/ports/random.ts'
import type { RunningQuery } from '../../sql/running.ts'
import { AccessKeys } from '../accesskeys.ts'
import { wholeBody } from '../body.ts'
import type { GatewayDialect } from '../dialect.ts'
import type { Exchange } from '../exchange.ts'
import type { DialectDeps } from '../gateway.ts'
import { Passwords } from '../passwords.ts'
import { formatOf, lineFormats, rowFormats, type Format } from './formats.ts'
import { pageRowsMax, Pages, type Page } from './pages.ts'
import { readQuestion, type Question } from './question.ts'

interface SqlDeps extends Pick<DialectDeps, 'users' | 'trust' | 'accessKey' | 'passwords'> {
  readonly clock: Clock
  readonly random: Random
}
interface SqlOverHttpOptions {
  readonly queriesMax?: number
  /** Time for which a query waits for the request of its next page; default: a minute. */
  readonly pageKeepMs?: number | undefined
}

/** Open queries: each may have a gibibyte of memory. */
const queriesMaxDefault = 16
/** A query has a million characters at most, which may be three bytes each. */
const bodyBytesMax = 4 * MiB

const path = '/sql'

export class SqlOverHttp implements GatewayDialect {
  readonly name: string
  readonly #deps: SqlDeps
  readonly #other: GatewayDialect
  readonly #passwords: Passwords
  readonly #queriesMax: number
  readonly #pages: Pages
  #open = 0

  /** `other`: answers the other paths. */
  constructor(deps: SqlDeps, other: GatewayDialect, { queriesMax = queriesMaxDefault, pageKeepMs }: SqlOverHttpOptions = {}) {
    this.#queriesMax = queriesMax
    // Half of the places: queries that wait for their clients do not keep out those that run.
    this.#pages = new Pages(deps, { queriesMax: Math.max(1, Math.floor(queriesMax / 2)), keepMs: pageKeepMs })
    this.name = other.name
    this.#deps = deps
    this.#other = other
    const { clock, trust, passwords } = deps
    this.#passwords = new Passwords({ keys: new AccessKeys({ clock, find: deps.accessKey }), passwords, trust })
  }

  /** Open queries. */
  get load(): number { return this.#open }

  async answer(exchange: Exchange): Promise<void> {
    const query = queryOf(exchange)
    if (query === undefined) return this.#other.answer(exchange)
    exchange.operation = 'sql'
    const user = await this.#userOf(exchange, query)
    exchange.identify(user)
    const page = query.get('page')
    if (page !== null) return this.#laterPage(exchange, user, page)
    if (exchange.method !== 'POST')
      throw new GristmillError(
        'EINVAL', `${exchange.method} ${path} is not answered; send the query with POST, or ask for a page (?page=TOKEN)`,
      )
    const format = formatOf(query.get('format') ?? undefined, exchange.headers.accept)
    const rows = rowsOfPage(query.get('rows'))
    const question = readQuestion(await wholeBody(exchange, bodyBytesMax), exchange.headers['content-type'])
    if (rows !== undefined) {
      const lines = lineFormats[format]
      if (!lines)
        throw new GristmillError(
          'EINVAL', `pages are of the format ${Object.keys(lineFormats).join(' or ')}; ${format} comes whole, without rows`,
        )
      const asked = { user, rows, format: lines, open: (signal: AbortSignal) => this.#held(user, question, signal) }
      return sendPage(exchange, await this.#pages.begin(asked, exchange.signal))
    }
    this.#take()
    try {
      await this.#deps.users.as(user, async mill => {
        await using running = await mill.sql(question.sql, question.params, { signal: exchange.signal }).run()
        await send(exchange, running, rowFormats[format])
      })
    } finally {
      this.#open--
    }
  }

  /** Throws OVERLOADED. */
  #take(): void {
    if (this.#open >= this.#queriesMax)
      throw new GristmillError(
        'OVERLOADED', `this gateway has ${this.#queriesMax} open queries already; try again in a moment, or ask another gateway`,
      )
    this.#open++
  }

  async #laterPage(exchange: Exchange, user: string, token: string): Promise<void> {
    if (exchange.method === 'DELETE') {
      await this.#pages.end(user, token)
      return exchange.send(204, {})
    }
    if (exchange.method !== 'GET')
      throw new GristmillError('EINVAL', `a page is asked for with GET, and its query ended with DELETE, not with ${exchange.method}`)
    return sendPage(exchange, await this.#pages.next(user, token, exchange.signal))
  }

  /** A query that stays open until it is closed. */
  async #held(
    user: string, { sql, params }: Question, signal: AbortSignal,
  ): Promise<{ readonly running: RunningQuery; readonly close: () => Promise<void> }> {
    this.#take()
    const [opened, closed] = [Promise.withResolvers<RunningQuery>(), Promise.withResolvers<void>()]
    const held = this.#deps.users.as(user, async mill => {
      await using running = await mill.sql(sql, params, { signal }).run()
      opened.resolve(running)
      await closed.promise
    }).finally(() => { this.#open-- })
    held.catch(opened.reject)
    const running = await opened.promise
    return {
      running,
      close: async () => {
        closed.resolve()
        await held.catch(() => {})
      },
    }
  }

  async refuse(exchange: Exchange, error: GristmillError): Promise<void> {
    if (queryOf(exchange) === undefined) return this.#other.refuse(exchange, error)
    const { code, message } = error
    const headers = {
      'content-type': 'application/json',
      ...hasCode(error, 'UNAUTHENTICATED') && { 'www-authenticate': 'Basic realm="gristmill"' },
      ...codes[code].transient && { 'retry-after': 1 },
    }
    await exchange.send(codes[code].status, headers, `${JSON.stringify({ error: { code, message } })}\n`)
  }

  async stop(): Promise<void> {
    await this.#pages.stop()
    await this.#other.stop?.()
  }

  /** The user of the access key, or the one whom the request names on a connection that is believed. */
  async #userOf(exchange: Exchange, query: URLSearchParams): Promise<string> {
    const named = query.get('user.name') ?? undefined
    const authenticated = await this.#passwords.userOf(exchange)
    if (!authenticated) {
      this.#deps.trust.check(exchange)
      if (named !== undefined) return named
      throw new GristmillError('UNAUTHENTICATED', `name the user (${path}?user.name=ada), or send an access key with HTTP Basic`)
    }
    const { user, id } = authenticated
    if (named !== undefined && named !== user && named !== id)
      throw new GristmillError('EACCES', `the access key is one of ${user}, who may not act as ${named}`)
    return user
  }
}

/** Parameters of a request to this path; undefined: it is for another dialect. */
function queryOf({ target }: Exchange): URLSearchParams | undefined {
  const [at, query = ''] = cutAt(target, '?')
  return at === path ? new URLSearchParams(query) : undefined
}

/** Rows of a page; undefined: the query has no pages. Throws EINVAL. */
function rowsOfPage(text: string | null): number | undefined {
  if (text === null) return undefined
  if (/^[1-9]\d{0,5}$/.test(text) && Number(text) <= pageRowsMax) return Number(text)
  throw new GristmillError(
    'EINVAL', `rows is the number of rows of a page, from 1 to ${pageRowsMax}, and not ${JSON.stringify(text.slice(0, 40))}`,
  )
}

const sendPage = (exchange: Exchange, { text, type, next }: Page): Promise<void> =>
  exchange.send(200, { 'content-type': type, ...next !== undefined && { 'x-gristmill-next-page': next } }, text)

const send = (exchange: Exchange, running: RunningQuery, { type, chunks }: Format): Promise<void> =>
  exchange.stream(200, { 'content-type': type }, chunks(running))
