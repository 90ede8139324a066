// Repeats of mutations at a server. A caller whose answer was lost sends the same request again, under the same id.
//   An id belongs to its user and its message: the server puts a scope in front of it, and everything behind the server (handlers,
//   journal, kept answers) sees the scoped id only. Two callers that choose the same id make two requests.
//   A repeat of a request that is under way gets the outcome of that one; its handler runs once.

import { createHash } from 'node:crypto'
import { hasCode } from '../base/errors.ts'
import { requestId, type RequestId } from '../base/ids.ts'

/** `~`, 12 characters (72 bits) of SHA-256 over message and user, `~`: then the id as the caller sent it. */
const scopeChars = 12
const mark = '~'
const prefixChars = scopeChars + 2

/** Scopes that are remembered: a hash takes 2 µs, and nearly all requests are those of some users. */
const scopesMax = 1000
const scopes = new Map<string, string>()

export function scopedId(message: string, user: string, id: RequestId): RequestId {
  // The name of a message has no NUL, so no two pairs give the same text.
  const who = `${message}\0${user}`
  let scope = scopes.get(who)
  if (scope === undefined) {
    if (scopes.size >= scopesMax) scopes.clear()
    scope = `${mark}${createHash('sha256').update(who).digest('base64url').slice(0, scopeChars)}${mark}`
    scopes.set(who, scope)
  }
  return requestId(scope + id)
}

/** The id as its caller sent it, which is how servers of earlier versions kept answers; undefined if `id` has no scope. */
export function unscopedId(id: RequestId): RequestId | undefined {
  return id.length > prefixChars && id[0] === mark && id[prefixChars - 1] === mark ? requestId(id.slice(prefixChars)) : undefined
}

/** Mutations under way, by scoped id. */
export class Repeats {
  readonly #underWay = new Map<RequestId, Promise<unknown>>()

  /** The outcome of `work`, or of the same request that is under way. */
  run(id: RequestId, work: () => unknown): unknown {
    const first = this.#underWay.get(id)
    if (first) {
      // ABORTED: its caller went away and it was given up for that reason, which is none for the caller of the repeat.
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
