// The console: pages for people, served by a gateway or by `gristmill console`. Logs in, answers the calls of the page as its user, and
// sends the static files of the page. It holds what all pages see (Live), and nothing else.
// INVARIANT: apart from the static files, the login and /healthz, nothing is answered without a session; a change needs its token too.

import { GristmillError } from '../../src/base/errors.ts'
import { KiB } from '../../src/base/units.ts'
import { version } from '../../src/base/version.ts'
import type { Clock } from '../../src/ports/clock.ts'
import { wholeBody } from '../gateway/body.ts'
import type { GatewayDialect } from '../gateway/dialect.ts'
import type { Exchange } from '../gateway/exchange.ts'
import type { DialectDeps } from '../gateway/gateway.ts'
import { clusterIn } from '../sql/cluster.ts'
import type { Mill } from '../mill.ts'
import type { PageFiles } from './assets.ts'
import { callOf, shownReply } from './calls.ts'
import { sendContent, sendLogs, sendServerLog, takeContent, type ContentMode } from './content.ts'
import { answerTo, type QuestionTools } from './questions.ts'
import { apiHeaders, assetHeaders, pageHeaders, refuseOthers } from './guard.ts'
import { Live } from './live.ts'
import { isToken, Sessions, type ConsoleSession } from './sessions.ts'
import { numberIn, pathIn } from './params.ts'
import { SqlRuns, sqlRequestOf } from './sql.ts'
import { PageWork } from './pagework.ts'

interface ConsoleDeps extends Pick<DialectDeps, 'users' | 'trust' | 'vault' | 'cluster'>, QuestionTools {
  readonly clock: Clock
  /** Served by the process of one user, on that user's machine, and by no gateway. */
  readonly isOwn?: boolean | undefined
  readonly assets: PageFiles
}

/** The session as a page knows it. */
export interface SessionInfo {
  readonly user: string
  readonly cluster: string
  readonly version: string
  readonly untilMs: number
  readonly token: string
  /** The console starts jobs again. */
  readonly reruns: boolean
}

const json = { ...apiHeaders, 'content-type': 'application/json; charset=utf-8' } as const
/** The longest request of a page is a path and some fields. */
const bodyBytesMax = 64 * KiB
const jobsShown = 50

/** A request with its session. */
interface Asked {
  readonly exchange: Exchange
  readonly session: ConsoleSession
  /** Last part of the path, decoded. */
  readonly name: string
  readonly query: URLSearchParams
}

export class Console implements GatewayDialect {
  readonly name = 'console'
  readonly #deps: ConsoleDeps
  readonly #sessions: Sessions
  readonly #live: Live
  readonly #turns = new PageWork()
  readonly #sql: SqlRuns
  readonly #ending = new AbortController()

  constructor(deps: ConsoleDeps) {
    this.#deps = deps
    this.#sessions = new Sessions(deps, { cluster: deps.cluster })
    this.#sql = new SqlRuns(deps.clock, this.#turns)
    this.#live = new Live({
      clock: deps.clock,
      ask: (user, signal) => deps.users.as(user, async mill => {
        const [status, jobs] = await Promise.all([mill.clusterStatus({ signal }), mill.jobs({ limit: jobsShown, signal })])
        return { status, jobs }
      }),
    })
  }

  async answer(exchange: Exchange): Promise<void> {
    this.#deps.trust.checkHost(exchange)
    const url = URL.parse(exchange.target, 'http://console')
    if (!url) throw new GristmillError('EINVAL', 'the path of the request is not a valid URL')
    exchange.operation = url.pathname.startsWith('/api/') ? 'api' : 'page'
    if (url.pathname.startsWith('/api/')) return this.#answerApi(exchange, url)
    if (exchange.method !== 'GET' && exchange.method !== 'HEAD')
      throw new GristmillError('EINVAL', `the console does not answer ${exchange.method} here`)
    const { page, files } = this.#deps.assets
    const asset = files.get(url.pathname)
    if (asset) return exchange.send(200, { ...assetHeaders, 'content-type': asset.type }, asset.bytes)
    if (url.pathname.startsWith('/assets/')) throw new GristmillError('ENOENT', 'the page is of another version; load it again')
    return exchange.send(200, { ...pageHeaders, 'content-type': page.type }, page.bytes)
  }

  async refuse(exchange: Exchange, { status, code, message }: GristmillError): Promise<void> {
    const said = code === 'INTERNAL' ? 'the console failed to answer this request; its log says why' : message
    await exchange.send(status, json, JSON.stringify({ error: { code, message: said } }))
  }

  async stop(): Promise<void> {
    this.#ending.abort(new GristmillError('UNAVAILABLE', 'the console is going away; the page asks again by itself'))
    await this.#live.stop()
  }

  async #answerApi(exchange: Exchange, { pathname, searchParams: query }: URL): Promise<void> {
    refuseOthers(exchange, this.#deps.trust.originOf(exchange))
    const [, , verb = '', ...rest] = pathname.split('/')
    if (verb === 'login') return this.#login(exchange)
    const session = this.#sessions.of(exchange.headers.cookie)
    if (!session)
      throw new GristmillError('UNAUTHENTICATED', 'you are not logged in, or your session has ended; "gristmill console" prints a new link')
    exchange.identify(session.user)
    const asked: Asked = { exchange, session, name: rest.join('/'), query }
    const route = `${exchange.method} ${verb}`
    switch (route) {
      case 'GET session': return this.#tell(asked)
      case 'POST logout': return this.#logout(asked)
      case 'POST call': return this.#call(asked)
      case 'POST sql': return this.#query(asked)
      case 'GET ask': return this.#ask(asked)
      case 'GET live': return this.#watch(asked)
      case 'GET content': return this.#as(asked, mill => sendContent(exchange, mill, pathIn(query), modeOf(query.get('as'))))
      case 'PUT content':
        checkToken(asked)
        return this.#as(asked, async mill => {
          await takeContent(exchange, mill, pathIn(query), query.get('overwrite') === 'true')
          await exchange.send(200, json, '{}')
        })
      case 'GET logs':
        return this.#as(asked, mill =>
          sendLogs(exchange, mill, asked.name, {
            stage: numberIn(query, 'stage'), task: numberIn(query, 'task'), follow: query.get('follow') === 'true',
            signal: AbortSignal.any([exchange.signal, this.#ending.signal]),
          }))
      case 'GET serverlog':
        return this.#as(asked, mill =>
          sendServerLog(exchange, mill, asked.name, {
            follow: query.get('follow') === 'true', signal: AbortSignal.any([exchange.signal, this.#ending.signal]),
          }))
      case 'POST rerun': return this.#rerun(asked)
      case 'POST key': return this.#addKey(asked)
      default: throw new GristmillError('EINVAL', `the console does not know ${route}; load the page again`)
    }
  }

  async #login(exchange: Exchange): Promise<void> {
    const origin = this.#deps.trust.originOf(exchange)
    const { link } = await bodyOf(exchange) as { link?: unknown }
    if (exchange.method !== 'POST' || typeof link !== 'string') throw new GristmillError('EINVAL', 'a login is a POST with a link')
    const { session, cookie } = this.#sessions.login(link, origin.replace(/^https?:\/\//, ''))
    exchange.identify(session.user)
    await exchange.send(200, { ...json, 'set-cookie': `${cookie}; ${attributesFor(origin)}` }, JSON.stringify(this.#info(session)))
  }

  async #logout(asked: Asked): Promise<void> {
    checkToken(asked)
    const cookie = this.#sessions.end(asked.session)
    const attributes = attributesFor(this.#deps.trust.originOf(asked.exchange))
    await asked.exchange.send(200, { ...json, 'set-cookie': `${cookie}; ${attributes}; Max-Age=0` }, '{}')
  }

  #info({ user, untilMs, token }: ConsoleSession): SessionInfo {
    return { user, untilMs, token, cluster: this.#deps.cluster, version, reruns: this.#canRerun(user) }
  }

  #tell({ exchange, session }: Asked): Promise<void> { return exchange.send(200, json, JSON.stringify(this.#info(session))) }

  async #call(asked: Asked): Promise<void> {
    const { exchange, name } = asked
    const message = callOf(name)
    if (!message) throw new GristmillError('EINVAL', `the console does not know the call ${name.slice(0, 100)}; load the page again`)
    if (message.mutation) checkToken(asked)
    const request = await bodyOf(exchange)
    await this.#as(asked, async mill => {
      const signal = message.waits ? AbortSignal.any([exchange.signal, this.#ending.signal]) : exchange.signal
      const reply = await clusterIn(mill).cluster.ask(message, request as never, signal)
      await exchange.send(200, json, JSON.stringify(shownReply(name, reply)))
    })
  }

  /** `sql/rows`, `sql/plan`, `sql/export`. A statement may change something, so each needs the token. */
  async #query(asked: Asked): Promise<void> {
    checkToken(asked)
    const { exchange, name, session: { user } } = asked
    const { sql, format = 'csv', analyze } = sqlRequestOf(await bodyOf(exchange))
    const signal = AbortSignal.any([exchange.signal, this.#ending.signal])
    await this.#as(asked, async mill => {
      switch (name) {
        case 'rows': return this.#sql.rows(exchange, mill, { sql, user, signal })
        case 'plan': return exchange.send(200, json, JSON.stringify(await this.#sql.plan(mill, { sql, user, signal, analyze })))
        case 'export': return this.#sql.export(exchange, mill, { sql, user, signal, format })
        default: throw new GristmillError('EINVAL', 'a query is asked for its rows, its plan, or an export; load the page again')
      }
    })
  }

  /** Makes an access key of a user. This answer is the only one that has its secret. */
  async #addKey(asked: Asked): Promise<void> {
    checkToken(asked)
    const { exchange } = asked
    const { name } = await bodyOf(exchange) as { name?: unknown }
    if (typeof name !== 'string') throw new GristmillError('EINVAL', 'the request has no name of a user; load the page again')
    await this.#as(asked, async mill => {
      await exchange.send(200, json, JSON.stringify(await mill.users.addKey(name, { signal: exchange.signal })))
    })
  }

  /**
   * Starts a job again, in a console that serves the user of its own process only. A program is loaded where it is started: a gateway would
   * run programs of its users with its own rights.
   */
  async #rerun(asked: Asked): Promise<void> {
    checkToken(asked)
    const { exchange, name, query, session: { user } } = asked
    if (!this.#canRerun(user))
      throw new GristmillError('EACCES', `a gateway starts no programs; on your own machine, gristmill rerun ${name.slice(0, 64)} does it`)
    await this.#as(asked, async mill => {
      const run = await mill.rerun(name, { latest: query.get('latest') === 'true' })
      await exchange.send(200, json, JSON.stringify({ job: run.id }))
      // Steps of a program are run from here: the client of the user stays until their end.
      await run.wait({ signal: this.#ending.signal }).catch(() => {})
    })
  }

  #canRerun(user: string): boolean { return this.#deps.isOwn === true && user === this.#deps.users.own }

  /** `ask/NAME?…`: a question that several calls answer. */
  async #ask(asked: Asked): Promise<void> {
    const { exchange, name, query, session: { user } } = asked
    const signal = AbortSignal.any([exchange.signal, this.#ending.signal])
    const found = await this.#as(asked, mill => this.#turns.take(user, () => answerTo(name, query, { mill, tools: this.#deps, signal })))
    await exchange.send(200, json, JSON.stringify(found))
  }

  async #watch({ exchange, session, query }: Asked): Promise<void> {
    const state = await this.#live.watch(session.user, numberIn(query, 'after') ?? 0, exchange.signal)
    const fromMs = numberIn(query, 'from') ?? 0
    await exchange.send(200, json, JSON.stringify({ ...state, samples: state.samples.filter(({ atMs }) => atMs > fromMs) }))
  }

  #as<T>({ session }: Asked, work: (mill: Mill) => Promise<T>): Promise<T> { return this.#deps.users.as(session.user, work) }
}

/** Browsers refuse `Secure` over HTTP, but on loopback. */
const attributesFor = (origin: string): string =>
  `Path=/; HttpOnly; SameSite=Strict${origin.startsWith('https:') ? '; Secure' : ''}`

function checkToken({ exchange, session }: Asked): void {
  if (!isToken(session, exchange.headers['x-gristmill-token']))
    throw new GristmillError('EACCES', 'the request changes something and lacks the token of its session; load the page again')
}

async function bodyOf(exchange: Exchange): Promise<object> {
  const bytes = await wholeBody(exchange, bodyBytesMax)
  try {
    const value: unknown = JSON.parse(bytes.toString() || '{}')
    if (typeof value === 'object' && value !== null && !Array.isArray(value)) return value
  } catch (error) {
    if (!(error instanceof SyntaxError)) throw error
  }
  throw new GristmillError('EINVAL', 'the body of the request must be an object in JSON')
}

function modeOf(text: string | null): ContentMode {
  if (text === null || text === 'download') return 'download'
  if (text === 'head' || text === 'image') return text
  throw new GristmillError('EINVAL', `"${text.slice(0, 20)}" is no form of a file; it is download, head or image`)
}
