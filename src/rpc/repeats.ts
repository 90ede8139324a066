// Deduplication of mutations at a server. A caller that lost a reply sends the same request again, under the same id.
//   An id belongs to its user and its message: the server prefixes it with a scope, and everything behind the server (handlers,
//   journal, kept replies) sees only the scoped id. Two callers that choose the same id make two requests.
//   A repeat of a request in progress gets the outcome of that request; its handler runs once.
//   A repeat of a refused request gets the refusal, also when the request would be accepted by then: a copy of it may have waited in
//   another connection while its caller was told that nothing had happened. What was accepted is kept by the journal, also over restarts;
//   refusals are kept in memory only, because a connection ends with the process, and bounded in number and size, oldest first.

import { createHash } from 'node:crypto'
import { hasCode, isRefusal, type GristmillError } from '../base/errors.ts'
import { requestId, type RequestId } from '../base/ids.ts'

/** `~`, 12 characters (72 bits) of SHA-256 over message and user, `~`; followed by the id as the caller sent it. */
const scopeChars = 12
const mark = '~'
const prefixChars = scopeChars + 2

/** Bound of the cache of scopes: a hash takes 2 µs, and most requests come from a few users. */
const scopesMax = 1000
const scopes = new Map<string, string>()

export function scopedId(message: string, user: string, id: RequestId): RequestId {
  // Message names have no NUL, so no two pairs give the same text.
  const who = `${message}\0${user}`
  let scope = scopes.get(who)
  if (scope === undefined) {
    if (scopes.size >= scopesMax) scopes.clear()
    scope = `${mark}${createHash('sha256').update(who).digest('base64url').slice(0, scopeChars)}${mark}`
    scopes.set(who, scope)
  }
  return requestId(scope + id)
}

/** Id under which the answer for one part of a request is kept, where a request has several operations. */
export const partId = (id: RequestId, part: number): RequestId => requestId(`${id}.${part}`)

const isScoped = (id: string): boolean => id.length > prefixChars && id[0] === mark && id[prefixChars - 1] === mark

/**
 * The id as its caller sent it, under which servers of earlier versions kept replies; undefined if `id` has no scope. Also undefined if
 * the caller's id has the form of a scoped one: under that, the reply to another user or to another message may be kept.
 */
export function unscopedId(id: RequestId): RequestId | undefined {
  if (!isScoped(id)) return undefined
  const sent = id.slice(prefixChars)
  return isScoped(sent) ? undefined : requestId(sent)
}

/** A refusal, or the reply to a request of several parts of which at least one was refused. */
type Kept = { readonly error: GristmillError; readonly reply?: undefined } | { readonly error?: undefined; readonly reply: unknown }

/** Bounds of the kept refusals; at 1,000 refusals a second they reach 10 s back. */
const keptMax = 10_000
const keptChars = 8 << 20

/** Refusals by scoped id, oldest first. */
class Refusals {
  readonly #kept = new Map<RequestId, Kept & { readonly chars: number }>()
  #chars = 0

  get(id: RequestId): Kept | undefined { return this.#kept.get(id) }

  add(id: RequestId, kept: Kept): void {
    const { error, reply } = kept
    const chars = error ? error.message.length + JSON.stringify(error.details).length : JSON.stringify(reply).length
    this.#kept.set(id, { ...kept, chars })
    this.#chars += chars
    for (const [oldest, { chars: freed }] of this.#kept) {
      if (this.#kept.size <= keptMax && this.#chars <= keptChars) break
      this.#kept.delete(oldest)
      this.#chars -= freed
    }
  }
}

/** Mutations in progress, and refused ones, by scoped id. */
export class Repeats {
  readonly #underWay = new Map<RequestId, Promise<unknown>>()
  readonly #refused = new Refusals()

  /**
   * The outcome of `work`, or of the same request if it is in progress or was refused. `parts`: field of the reply that has an outcome for
   * each part of the request.
   */
  run(id: RequestId, work: () => unknown, parts?: string): unknown {
    const first = this.#underWay.get(id)
    if (first) {
      // ABORTED: the first caller disconnected, which must not fail the repeat: run it again.
      return first.catch((error: unknown) => {
        if (hasCode(error, 'ABORTED')) return this.run(id, work, parts)
        throw error
      })
    }
    const kept = this.#refused.get(id)
    if (kept?.error) throw kept.error
    if (kept) return kept.reply
    let outcome: unknown
    try {
      outcome = work()
    } catch (error) {
      this.#refuse(id, error)
      throw error
    }
    if (!(outcome instanceof Promise)) return outcome
    this.#underWay.set(id, outcome)
    outcome.then(
      reply => {
        this.#underWay.delete(id)
        if (parts !== undefined && hasRefusedPart(reply, parts)) this.#refused.add(id, { reply })
      },
      (error: unknown) => {
        this.#underWay.delete(id)
        this.#refuse(id, error)
      },
    )
    return outcome
  }

  #refuse(id: RequestId, error: unknown): void { if (isRefusal(error)) this.#refused.add(id, { error }) }
}

const hasRefusedPart = (reply: unknown, parts: string): boolean =>
  (reply as Readonly<Record<string, ReadonlyArray<{ readonly error?: unknown }>>>)[parts]!.some(({ error }) => error !== undefined)
