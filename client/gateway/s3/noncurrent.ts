// Expiry of older versions and of delete markers, decided in the order in which versions are listed. Pure.
// INVARIANT: a version whose successor is not known, because another door has removed it, stays: its age as an older version is not known.

import type { ObjectVersion } from '../../files/objectversions.ts'
import { tagsName } from './attributes.ts'
import { isOver, isMeant, type LifecycleRule } from './lifecyclerules.ts'

/** True if a rule asks for what only a look at all versions finds. */
export const isAboutVersions = (rules: readonly LifecycleRule[]): boolean =>
  rules.some(({ enabled, noncurrentDays, expiredMarker, days }) =>
    enabled && (noncurrentDays !== undefined || expiredMarker === true || days !== undefined))

export interface ExpiredVersion {
  readonly key: string
  readonly version: string
  /** It is an older version. False: a delete marker that nothing is behind. */
  readonly isOlder: boolean
}

/** REQUIRES: takes each version of a bucket, in the order of their list. */
export class VersionExpiry {
  readonly #rules: readonly LifecycleRule[]
  readonly #nowMs: number
  #key: string | undefined
  /** Time at which the version before was written, if it is one of the same key. */
  #newerMs: number | undefined
  /** Older versions of the key that are newer than the next one. */
  #older = 0
  #stay = 0
  #marker: ObjectVersion | undefined

  constructor(rules: readonly LifecycleRule[], nowMs: number) {
    this.#rules = rules.filter(({ enabled }) => enabled)
    this.#nowMs = nowMs
  }

  /** Versions that are known to have expired with this one. */
  take(entry: ObjectVersion): ExpiredVersion[] {
    const { key, version, latest, marker, status } = entry
    const expired = key === this.#key ? [] : this.end()
    this.#key = key
    if (version === undefined || status === undefined || (status.type === 'directory' && !marker)) return expired
    if (latest) {
      if (marker) this.#marker = entry
    } else if (this.#newerMs !== undefined && this.#hasExpired(entry, this.#newerMs)) expired.push({ key, version, isOlder: true })
    else this.#stay++
    if (!latest) this.#older++
    this.#newerMs = status.mtimeMs
    return expired
  }

  /** The delete marker of the last key, if nothing is behind it. */
  end(): ExpiredVersion[] {
    const [marker, stay] = [this.#marker, this.#stay]
    this.#marker = undefined
    this.#newerMs = undefined
    this.#older = 0
    this.#stay = 0
    if (!marker || stay > 0) return []
    const { key, version, status } = marker
    const has = this.#rules.some(rule => isMeant(rule, { key, bytes: 0, tags: new URLSearchParams() })
      && (rule.expiredMarker || (rule.days !== undefined && isOver(status!.mtimeMs, rule.days, this.#nowMs))))
    return has ? [{ key, version: version!, isOlder: false }] : []
  }

  #hasExpired({ key, status, attributes, marker }: ObjectVersion, sinceMs: number): boolean {
    const candidate = { key, bytes: marker ? 0 : status!.length, tags: new URLSearchParams(attributes[tagsName] ?? '') }
    return this.#rules.some(rule => rule.noncurrentDays !== undefined && isMeant(rule, candidate)
      && this.#older >= (rule.newerVersions ?? 0) && isOver(sinceMs, rule.noncurrentDays, this.#nowMs))
  }
}
