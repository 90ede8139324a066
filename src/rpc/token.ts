// Tokens for blocks, map outputs and logs. The namenode issues them with locations; a datanode verifies them without a call. A token
// allows `mode` on `subject` until `expiry`. Keys change every hour, and are derived from the cluster's secret.
//
//   <hour in base 36>.<expiry, ms since 1970, in base 36>.<HMAC-SHA256 over mode, subject, hour, expiry: 64 hex digits>

import { createHmac, createSecretKey, timingSafeEqual, type KeyObject } from 'node:crypto'
import { blockName, type BlockId, type JobId } from '../base/ids.ts'
import { GristmillError } from '../base/errors.ts'
import { limits } from '../base/limits.ts'
import type { Clock } from '../ports/clock.ts'

type TokenScope =
  | { readonly mode: 'read' | 'write'; readonly block: BlockId }
  /** All segments of one job's map outputs. */
  | { readonly mode: 'shuffle'; readonly job: JobId }
  /** The last lines of a server's log: `namenode`, or the id of a datanode. */
  | { readonly mode: 'log'; readonly server: string }

const hourMs = 3_600_000
/** Tolerated difference between the clocks of issuer and verifier. */
const skewMs = 60_000
const form = /^([1-9a-z][0-9a-z]{0,7})\.([1-9a-z][0-9a-z]{0,10})\.([0-9a-f]{64})$/

export class BlockTokens {
  /** The first issues, all verify. */
  readonly #keys: readonly [HourKeys, ...HourKeys[]]
  readonly #clock: Pick<Clock, 'now'>

  /** `clock`: the namenode's time, on every node; the clocks of machines can be set, and be wrong. */
  constructor({
    secret, otherSecret, clock,
  }: { secret: Uint8Array; otherSecret?: Uint8Array | undefined; clock: Pick<Clock, 'now'> }) {
    this.#keys = otherSecret === undefined ? [new HourKeys(secret)] : [new HourKeys(secret), new HourKeys(otherSecret)]
    this.#clock = clock
  }

  issue(scope: TokenScope, validMs = limits.blockTokenMs): string {
    const now = this.#clock.now()
    const hour = Math.floor(now / hourMs)
    const expiry = Math.floor(now + validMs)
    return `${hour.toString(36)}.${expiry.toString(36)}.${signed(this.#keys[0].of(hour), scope, hour, expiry).toString('hex')}`
  }

  /** Throws UNAUTHENTICATED unless the token allows exactly this scope. */
  check(token: string, scope: TokenScope): void {
    const match = form.exec(token)
    if (!match) throw refused(scope, 'it is malformed')
    const hour = Number.parseInt(match[1]!, 36)
    const expiry = Number.parseInt(match[2]!, 36)
    const now = this.#clock.now()
    // Keys of other hours are not derived: otherwise a caller without the secret could cause any number of derivations.
    if (Math.abs(hour - Math.floor(now / hourMs)) > 1)
      throw refused(scope, 'its key is no longer in use; ask the namenode for the location again')
    const given = Buffer.from(match[3]!, 'hex')
    if (!this.#keys.some(keys => timingSafeEqual(signed(keys.of(hour), scope, hour, expiry), given)))
      throw refused(scope, "it was not issued for this by this cluster's namenode")
    if (now > expiry + skewMs)
      throw refused(scope, `it expired ${Math.round((now - expiry) / 1000)} s ago; ask the namenode for the location again`)
  }
}

const signed = (key: KeyObject, scope: TokenScope, hour: number, expiry: number): Buffer =>
  createHmac('sha256', key).update(`${scope.mode}\n${subjectOf(scope)}\n${hour}\n${expiry}`).digest()

/** Keys of one secret, by the hour. */
class HourKeys {
  readonly #secret: Uint8Array
  readonly #keys = new Map<number, KeyObject>()

  constructor(secret: Uint8Array) { this.#secret = secret }

  of(hour: number): KeyObject {
    let key = this.#keys.get(hour)
    if (!key) {
      // Three hours are in use at a time; older keys are dropped.
      for (const known of this.#keys.keys()) if (Math.abs(known - hour) > 2) this.#keys.delete(known)
      // A key object: signing a page of 1000 locations takes 2 ms; with raw bytes, imported for each, it takes 13.
      key = createSecretKey(createHmac('sha256', this.#secret).update(`block key ${hour}`).digest())
      this.#keys.set(hour, key)
    }
    return key
  }
}

function subjectOf(scope: TokenScope): string {
  switch (scope.mode) {
    case 'shuffle': return scope.job
    case 'log': return scope.server
    default: return blockName(scope.block)
  }
}

const refused = (scope: TokenScope, why: string): GristmillError =>
  new GristmillError('UNAUTHENTICATED', `the token does not allow to ${scope.mode} ${subjectOf(scope)}: ${why}`)
