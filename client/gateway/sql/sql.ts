// SQL over HTTP: POST /sql with a query, and its rows as lines of JSON, CSV, Parquet or Arrow, while they are computed. It stands beside
// another dialect on one port, which answers all other paths. A client that disconnects ends its query.
// INVARIANT: an answer that ends in good order has all rows. An error before the first rows has a status and a body; a later one breaks the
// connection.

import { codes, GristmillError, hasCode } from '../../../src/base/errors.ts'
import { MiB } from '../../../src/base/units.ts'
import type { Clock } from '../../../src/ports/clock.ts'
import type { RunningQuery } from '../../sql/running.ts'
import { AccessKeys } from '../accesskeys.ts'
import { wholeBody } from '../body.ts'
import type { GatewayDialect } from '../dialect.ts'
import type { Exchange } from '../exchange.ts'
import type { DialectDeps } from '../gateway.ts'
import { Passwords } from '../passwords.ts'
import { formatOf, rowFormats, type Format } from './formats.ts'
import { readQuestion } from './question.ts'

interface SqlDeps extends Pick<DialectDeps, 'users' | 'trust' | 'accessKey' | 'passwords'> { readonly clock: Clock }

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
  #open = 0

  /** `other`: answers the other paths. */
  constructor(deps: SqlDeps, other: GatewayDialect, { queriesMax = queriesMaxDefault }: { readonly queriesMax?: number } = {}) {
    this.#queriesMax = queriesMax
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
    const user = exchange.user = await this.#userOf(exchange, query)
    if (exchange.method !== 'POST') throw new GristmillError('EINVAL', `${exchange.method} ${path} is not answered; send the query with POST`)
    const format = formatOf(query.get('format') ?? undefined, exchange.headers.accept)
    const { sql, params } = readQuestion(await wholeBody(exchange, bodyBytesMax), exchange.headers['content-type'])
    if (this.#open >= this.#queriesMax)
      throw new GristmillError(
        'OVERLOADED', `this gateway has ${this.#queriesMax} open queries already; try again in a moment, or ask another gateway`,
      )
    this.#open++
    try {
      await this.#deps.users.as(user, async mill => {
        await using running = await mill.sql(sql, params, { signal: exchange.signal }).run()
        await send(exchange, running, rowFormats[format])
      })
    } finally {
      this.#open--
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

  async stop(): Promise<void> { await this.#other.stop?.() }

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
  const [at, query = ''] = target.split('?', 2)
  return at === path ? new URLSearchParams(query) : undefined
}

const send = (exchange: Exchange, running: RunningQuery, { type, chunks }: Format): Promise<void> =>
  exchange.stream(200, { 'content-type': type }, chunks(running))
