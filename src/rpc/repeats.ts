// Deduplication of mutations at a server. A caller that lost a reply sends the same request again, under the same id.
//   An id belongs to its user and its message: the server prefixes it with a scope, and everything behind the server (handlers,
//   journal, kept replies) sees only the scoped id. Two callers that choose the same id make two requests.
//   A repeat of a request in progress gets the outcome of that request; its handler runs once.

import { createHash } from 'node:crypto'
import { hasCode } from '../base/errors.ts'
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

/** Mutations in progress, by scoped id. */
export class Repeats {
  readonly #underWay = new Map<RequestId, Promise<unknown>>()

  /** The outcome of `work`, or of the same request already in progress. */
  run(id: RequestId, work: () => unknown): unknown {
    const first = this.#underWay.get(id)
    if (first) {
      // ABORTED: the first caller disconnected, which must not fail the repeat: run it again.
      return first.catch((error: unknown) => {
        if (hasCode(error, 'ABORTED')) return this.run(id, work)
        throw error
      })
    }
    const outcome = work()
    if (!(outcome instanceof Promise)) return outcome
    const forget = (): void => { this.#underWay.delete(id) }
    this.#underWay.set(id, outcome)
    outcome.then(forget, forget)
    return outcome
  }
}
