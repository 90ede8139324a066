// Authentication of calls by the cluster's secret, in one of two forms:
//  - a bearer token derived from the secret, only where it cannot be intercepted: on a server that listens on loopback;
//  - a signature over method, path, body hash, cluster, user, time and a nonce, accepted everywhere.
// The user's name is sent as a header; a caller with the secret may act as any user.

import { createHash, createHmac, createSecretKey, timingSafeEqual, type KeyObject } from 'node:crypto'
import { GristmillError } from '../base/errors.ts'
import { faultOfName } from '../base/username.ts'
import type { Clock } from '../ports/clock.ts'
import type { Random } from '../ports/random.ts'
import { Nonces } from './nonce.ts'
import { Vault } from './vault.ts'

export const userHeader = 'x-gristmill-user'
export const clusterHeader = 'x-gristmill-cluster'

/** A signature is valid this long before and after its time: the clocks of a cluster must agree within a minute. */
export const skewMs = 60_000
/** Time in which a signature may be accepted a second time. */
const keptMs = 2 * skewMs
const scheme = 'Gristmill-HMAC '
const signatureForm = /^Gristmill-HMAC ts=(\d{1,16}), nonce=([0-9a-f]{24}), body=([0-9a-f]{64}), sig=([0-9a-f]{64})$/

type Headers = Readonly<Record<string, string | string[] | undefined>>

interface SignedRequest { readonly method: string; readonly path: string; readonly headers: Headers }

export interface CallerIdentity {
  readonly user: string
  /** Signed requests: the expected SHA-256 of the body, in hex. The server compares it once the body has arrived. */
  readonly bodyHash: string | undefined
  /**
   * Time of this server's start, if the request was signed before it, by the clock of its sender: an earlier process may have received it
   * already.
   */
  readonly startedMs?: number
}

const derive = (secret: Uint8Array, purpose: string): Buffer => createHmac('sha256', secret).update(purpose).digest()

/** A key object: a signature then takes 2 µs; from raw bytes, imported each time, it takes 13. */
const signingKey = (secret: Uint8Array): KeyObject => createSecretKey(derive(secret, 'gristmill request v1'))

export const bodyHashOf = (body: string | Uint8Array): string => createHash('sha256').update(body).digest('hex')

/** Value of `Authorization` for a caller on the same machine. */
export const bearerOf = (secret: Uint8Array): string => `Bearer ${derive(secret, 'gristmill bearer v1').toString('hex')}`

interface Signed { method: string; path: string; body: string; cluster: string; user: string; ts: string; nonce: string }

function signature(key: KeyObject, { method, path, body, cluster, user, ts, nonce }: Signed): Buffer {
  // Each part is on its own line and must not contain a line break, so different requests give different texts.
  return createHmac('sha256', key)
    .update(`gristmill request v1\n${method}\n${path}\n${body}\n${cluster}\n${user}\n${ts}\n${nonce}`)
    .digest()
}

/** Client side. */
export class Credentials {
  /** Seals and opens secrets of users. */
  readonly vault: Vault
  readonly #bearer: string
  readonly #key: KeyObject
  readonly #user: string
  readonly #cluster: string
  readonly #clock: Clock
  readonly #random: Random

  /** `cluster`: '' while unknown; the server then checks the secret only. */
  constructor({
    secret, otherSecret, user, cluster, clock, random,
  }: {
    secret: Uint8Array
    /** Opens what is sealed with it; requests are signed with `secret`. */
    otherSecret?: Uint8Array | undefined
    user: string
    cluster: string
    clock: Clock
    random: Random
  }) {
    const fault = faultOfName(user)
    if (fault !== undefined)
      throw new GristmillError('EINVAL', `${JSON.stringify(user)} cannot be the name of a user: ${fault}; name another one with GRISTMILL_USER (default: the name that the operating system has for this user)`)
    this.#bearer = bearerOf(secret)
    this.#key = signingKey(secret)
    this.#user = encodeURIComponent(user)
    this.#cluster = cluster
    this.#clock = clock
    this.#random = random
    this.vault = new Vault({ secret, otherSecret }, random)
  }

  get user(): string { return decodeURIComponent(this.#user) }

  /** Constant headers, for servers on loopback. */
  bearer(): Record<string, string> {
    return { authorization: this.#bearer, [userHeader]: this.#user, [clusterHeader]: this.#cluster }
  }

  /** Headers for exactly one request, with this time at least (`fromMs`): to the server, one of a clock that is ahead. */
  sign(
    { method, path, body, fromMs = 0 }: { method: string; path: string; body: string | Uint8Array; fromMs?: number | undefined },
  ): Record<string, string> {
    const parts: Signed = {
      method, path, body: bodyHashOf(body), cluster: this.#cluster, user: this.#user,
      ts: String(Math.max(fromMs, Math.floor(this.#clock.now()))), nonce: this.#random.id(),
    }
    const sig = signature(this.#key, parts).toString('hex')
    return {
      authorization: `${scheme}ts=${parts.ts}, nonce=${parts.nonce}, body=${parts.body}, sig=${sig}`,
      [userHeader]: this.#user, [clusterHeader]: this.#cluster,
    }
  }
}

/** Server side. `loopback`: the server listens on a loopback address only, so bearer tokens are as secure as signatures. */
export class Authenticator {
  /** One for each accepted secret. */
  readonly #bearers: readonly Buffer[]
  readonly #keys: readonly KeyObject[]
  readonly #cluster: string
  readonly #loopback: boolean
  readonly #clock: Clock
  readonly #nonces: Nonces
  /** Of the wall clock and of the monotonic one. */
  readonly #started: { readonly atMs: number; readonly mono: number }

  constructor({
    secret, otherSecret, cluster, loopback, clock,
  }: { secret: Uint8Array; otherSecret?: Uint8Array | undefined; cluster: string; loopback: boolean; clock: Clock }) {
    const accepted = otherSecret === undefined ? [secret] : [secret, otherSecret]
    this.#bearers = accepted.map(each => Buffer.from(bearerOf(each), 'latin1'))
    this.#keys = accepted.map(signingKey)
    this.#cluster = cluster
    this.#loopback = loopback
    this.#clock = clock
    this.#nonces = new Nonces({ clock, keptMs })
    this.#started = { atMs: Math.floor(clock.now()), mono: clock.mono() }
  }

  /** Throws UNAUTHENTICATED or WRONG_CLUSTER. */
  identify({ method, path, headers }: SignedRequest): CallerIdentity {
    const authorization = headers.authorization
    if (typeof authorization !== 'string') throw refused('there is no Authorization header')
    const user = headers[userHeader]
    if (typeof user !== 'string') throw refused(`there is no ${userHeader} header`)
    const cluster = headers[clusterHeader] ?? ''
    if (typeof cluster !== 'string') throw refused(`there are two ${clusterHeader} headers`)
    const signed = authorization.startsWith(scheme)
      ? this.#checkSignature(authorization, { method, path, cluster, user })
      : this.#checkBearer(authorization)
    // Checked after the secret: an unauthenticated caller must not learn the cluster's id.
    if (cluster !== this.#cluster && cluster !== '') {
      throw new GristmillError(
        'WRONG_CLUSTER',
        `this is a server of cluster ${this.#cluster}, the request is for cluster ${cluster}; check the address`,
        { details: { expected: cluster, found: this.#cluster } },
      )
    }
    return { user: decodeUser(user), bodyHash: signed?.body, ...signed?.startedMs !== undefined && { startedMs: signed.startedMs } }
  }

  #checkBearer(authorization: string): undefined {
    if (!this.#loopback) throw refused('this server is reachable from other machines and takes signed requests only', { scheme: 'signed' })
    const given = Buffer.from(authorization, 'latin1')
    if (!this.#bearers.some(bearer => given.length === bearer.length && timingSafeEqual(given, bearer)))
      throw refused('the token is not this cluster\'s')
  }

  #checkSignature(authorization: string, asked: { method: string; path: string; cluster: string; user: string }): {
    readonly body: string; readonly startedMs?: number
  } {
    const match = signatureForm.exec(authorization)
    if (!match) throw refused('the signature is malformed')
    const [, ts = '', nonce = '', body = '', sig = ''] = match
    const given = Buffer.from(sig, 'hex')
    if (!this.#keys.some(key => timingSafeEqual(signature(key, { ...asked, body, ts, nonce }), given)))
      throw refused('the signature is wrong')
    const skew = this.#clock.now() - Number(ts)
    if (Math.abs(skew) > skewMs)
      throw refused(
        `the signature is ${Math.round(Math.abs(skew) / 1000)} s ${skew > 0 ? 'old' : 'ahead'}; set the clocks of the two machines`,
      )
    // Checked last, so that only valid signatures use memory.
    if (!this.#nonces.add(nonce)) throw refused('this request was made before')
    // Later, such a request is too old; a clock that is set back in between must not refuse all requests for as long.
    const { atMs, mono } = this.#started
    return { body, ...Number(ts) < atMs && this.#clock.mono() - mono <= keptMs && { startedMs: atMs } }
  }
}

function decodeUser(header: string): string {
  let user: string
  try {
    user = decodeURIComponent(header)
  } catch {
    throw refused(`the ${userHeader} header is not percent-encoded UTF-8`)
  }
  const fault = faultOfName(user)
  if (fault !== undefined) throw refused(`the ${userHeader} header names no user: ${fault}`)
  return user
}

const refused = (why: string, details: Record<string, unknown> = {}): GristmillError =>
  new GristmillError('UNAUTHENTICATED', `the request was refused: ${why}; the cluster's secret file must be the same on both sides`, {
    details,
  })
