// Logins of the console. A link logs in once, as one user, at one address; the session that it gives is a cookie. Links and sessions are
// texts sealed with a key of the cluster, so that any gateway of the cluster knows a session, and no list of them is kept.
// INVARIANT: the cluster's secret, and what is made from it, never reaches a page: scripts cannot read the cookie, and its text is sealed.
// INVARIANT: a link is taken once. A gateway remembers those it has taken until they expire, and takes none from before its own start.

import { timingSafeEqual } from 'node:crypto'
import { GristmillError } from '../../src/base/errors.ts'
import type { Clock } from '../../src/ports/clock.ts'
import type { Random } from '../../src/ports/random.ts'
import type { Vault } from '../../src/rpc/vault.ts'

export const linkMs = 15 * 60_000
export const sessionMs = 12 * 3_600_000
/** A flood of links needs the cluster's secret; the bound only keeps the memory of one process. */
const rememberedMax = 100_000

const linkName = 'console link'
const sessionName = 'console session'

export interface ConsoleSession {
  readonly id: string
  readonly user: string
  readonly untilMs: number
  /** Sent with each change: only a page that has read it from this server can know it. */
  readonly token: string
}

interface Link {
  readonly id: string
  readonly user: string
  /** `host:port` of the console that takes it. */
  readonly at: string
  readonly madeMs: number
}

interface SessionsDeps { readonly clock: Clock; readonly random: Random; readonly vault: Pick<Vault, 'seal' | 'open'> }

/** Makes the secret part of a login link. */
export const sealLink = ({ clock, random, vault }: SessionsDeps, { user, at }: Pick<Link, 'user' | 'at'>): string =>
  vault.seal(JSON.stringify({ id: random.id(), user, at, madeMs: Math.floor(clock.now()) } satisfies Link), linkName)

export class Sessions {
  readonly #deps: SessionsDeps
  readonly #cookie: string
  readonly #startedMs: number
  #latestMs = 0
  /** Links that were taken and sessions that were ended, with the time at which they would expire. */
  readonly #spent = new Map<string, number>()

  /** `cluster`: consoles of several clusters on one host have cookies of different names. */
  constructor(deps: SessionsDeps, { cluster }: { readonly cluster: string }) {
    this.#deps = deps
    this.#cookie = `gristmill-${cluster.slice(0, 12)}`
    this.#startedMs = this.#now()
  }

  /** Takes a link. Throws UNAUTHENTICATED for one that was used, is too old, or is for another address. */
  login(sealed: string, at: string): { readonly session: ConsoleSession; readonly cookie: string } {
    const link = this.#opened<Link>(sealed, linkName)
    if (link === undefined) throw refused('the link is not one of this cluster')
    if (link.at !== at) throw refused(`the link is for the console at ${link.at}, and this one is reached as ${at}`)
    const untilMs = link.madeMs + linkMs
    if (this.#spent.has(link.id)) throw refused('the link was used before, and each link can be used once')
    if (this.#now() > untilMs) throw refused('the link is older than 15 minutes')
    if (link.madeMs < this.#startedMs - 1) throw refused('the link was made before this console was started')
    this.#spend(link.id, untilMs)
    const { random, vault } = this.#deps
    const session: ConsoleSession = {
      id: random.id(), user: link.user, untilMs: this.#now() + sessionMs, token: Buffer.from(random.bytes(24)).toString('base64url'),
    }
    return { session, cookie: `${this.#cookie}=${vault.seal(JSON.stringify(session), sessionName)}` }
  }

  /** The session of a request's `Cookie` header; undefined if there is none that is valid now. */
  of(header: string | undefined): ConsoleSession | undefined {
    for (const part of header?.split(';') ?? []) {
      const [name, value] = part.trim().split('=', 2)
      if (name !== this.#cookie || value === undefined) continue
      const session = this.#opened<ConsoleSession>(value, sessionName)
      if (session && this.#now() <= session.untilMs && !this.#spent.has(session.id)) return session
    }
    return undefined
  }

  /** Ends a session at this gateway. Returns the cookie that replaces it in the browser. */
  end({ id, untilMs }: ConsoleSession): string {
    this.#spend(id, untilMs)
    return `${this.#cookie}=`
  }

  #opened<T>(sealed: string, name: string): T | undefined {
    try {
      return JSON.parse(this.#deps.vault.open(sealed, name)) as T
    } catch {
      return undefined
    }
  }

  #spend(id: string, untilMs: number): void {
    const now = this.#now()
    if (this.#spent.size >= rememberedMax) for (const [old, end] of this.#spent) if (end < now) this.#spent.delete(old)
    if (this.#spent.size >= rememberedMax)
      throw new GristmillError('OVERLOADED', 'this console has seen too many logins; try again in some minutes')
    this.#spent.set(id, untilMs)
  }

  /** Never goes back: a clock that is set back makes no expired link or session valid again. */
  #now(): number { return this.#latestMs = Math.max(this.#latestMs, Math.floor(this.#deps.clock.now())) }
}

const refused = (why: string): GristmillError =>
  new GristmillError('UNAUTHENTICATED', `${why}; "gristmill console" prints a new one`)

/** Compares in constant time. */
export function isToken(session: ConsoleSession, given: unknown): boolean {
  const [own, other] = [Buffer.from(session.token), Buffer.from(typeof given === 'string' ? given : '')]
  return own.length === other.length && timingSafeEqual(own, other)
}
