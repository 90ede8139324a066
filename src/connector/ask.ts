// Requests to servers outside of the cluster: bounds on waiting, repeats of what failed for a passing reason, and errors in words. A
// request is given up when no byte has come for `stallMs`. A server that asks for a pause (Retry-After) gets it, up to a bound.

import { shownUrl } from '../base/url.ts'
import { GristmillError, isTransient } from '../base/errors.ts'
import { backoffMs } from '../base/backoff.ts'
import { abortError } from '../base/abort.ts'
import { retry } from '../base/retry.ts'
import type { Clock } from '../ports/clock.ts'
import type { HttpFetch, HttpReply, HttpRequest } from '../ports/httpfetch.ts'
import type { Random } from '../ports/random.ts'

export interface AskDeps {
  readonly fetch: HttpFetch
  readonly clock: Pick<Clock, 'now' | 'mono' | 'sleep' | 'after'>
  readonly random: Pick<Random, 'float'>
}

/** Tries of a request: with the pauses below, a server that restarts within a minute is waited for. */
const triesMax = 8
const pauses = { firstMs: 200, maxMs: 15_000 }
/** A server that asks for more may refuse the next request as well. */
const askedPauseMsMax = 60_000
/** Without a byte for so long the connection is given up; object stores take some seconds to answer. */
const stallMs = 60_000
/** Characters of a server's message that are repeated in ours. */
const wordsMax = 300

/** Sends a request once. The reply's body obeys the signal and the bound on waiting. Throws UNAVAILABLE, TIMEOUT, ABORTED. */
export async function ask({ fetch, clock }: AskDeps, request: HttpRequest): Promise<HttpReply> {
  const ending = new AbortController()
  const { signal } = request
  const onAbort = (): void => ending.abort(signal!.reason)
  if (signal?.aborted) throw abortError(signal)
  signal?.addEventListener('abort', onAbort, { once: true })
  const where = shownUrl(request.url)
  let cancel = (): void => {}
  const wait = (): void => {
    cancel()
    cancel = clock.after(stallMs, () => ending.abort(new GristmillError('TIMEOUT', `${where} has sent nothing for ${stallMs / 1000} s`)))
  }
  const end = (): void => {
    cancel()
    signal?.removeEventListener('abort', onAbort)
  }
  const failed = (error: unknown): GristmillError => {
    if (ending.signal.aborted) return abortError(ending.signal)
    return new GristmillError('UNAVAILABLE', `${where} cannot be reached: ${causeOf(error)}`, { cause: error })
  }
  wait()
  let reply: HttpReply
  try {
    reply = await fetch({ ...request, signal: ending.signal })
  } catch (error) {
    end()
    throw failed(error)
  }
  const body = async function* (): AsyncGenerator<Uint8Array> {
    try {
      for await (const piece of reply.body) {
        // A caller that is slow is no server that has stalled.
        cancel()
        yield piece
        wait()
      }
    } catch (error) {
      throw failed(error)
    } finally {
      end()
    }
  }
  return { ...reply, body: body(), discard: async () => { end(); await reply.discard() } }
}

/** Node says "fetch failed", and has the reason in the cause. */
function causeOf(error: unknown): string {
  for (let at = error; at instanceof Error; at = at.cause) {
    const { errors } = at as { errors?: readonly unknown[] }
    if (errors?.[0] instanceof Error) return errors[0].message
    if (!(at.cause instanceof Error)) return at.message
  }
  return String(error)
}

/** Repeats work that may be repeated, while its failure is a passing one. */
export function again<T>({ clock, random }: AskDeps, work: (attempt: number) => Promise<T>, signal?: AbortSignal): Promise<T> {
  let askedMs = 0
  return retry(work, {
    clock, signal, attemptsMax: triesMax, pauseMs: attempt => Math.max(askedMs, backoffMs(attempt, pauses, random)),
    again(error) {
      askedMs = error instanceof GristmillError ? Number(error.details['pauseMs'] ?? 0) : 0
      return isTransient(error)
    },
  })
}

/** Pause that a server asks for, in seconds or until a time of its own clock. */
function pauseOf({ 'retry-after': asked, date }: HttpReply['headers']): { readonly pauseMs?: number } {
  if (asked === undefined) return {}
  const ms = /^\d+$/.test(asked) ? Number(asked) * 1000 : Date.parse(asked) - Date.parse(date ?? '')
  return ms > 0 ? { pauseMs: Math.min(ms, askedPauseMsMax) } : {}
}

/** The error that a reply's status stands for; `what`: what was asked for, without credentials. */
export async function refusal(reply: HttpReply, what: string, words?: (text: string) => string | undefined): Promise<GristmillError> {
  const { status } = reply
  const text = await textOf(reply)
  const said = words?.(text)
  const more = `(HTTP ${status}${said ? `: ${said.slice(0, wordsMax)}` : ''})`
  if (status === 404 || status === 410) return new GristmillError('ENOENT', `${what} does not exist ${more}`)
  if (status === 401) return new GristmillError('UNAUTHENTICATED', `${what} asks for credentials, or has refused those given ${more}`)
  if (status === 403) return new GristmillError('EACCES', `${what} may not be used with these credentials ${more}`)
  if (status === 412) return new GristmillError('ESTALE', `${what} has changed since the transfer began ${more}; begin again`)
  if (status === 429 || status === 503)
    return new GristmillError('OVERLOADED', `${what}: the server is overloaded ${more}`, { details: pauseOf(reply.headers) })
  if (status === 408 || status >= 500) return new GristmillError('UNAVAILABLE', `${what}: the server has failed ${more}`)
  return new GristmillError('EINVAL', `${what}: the server has refused the request ${more}`)
}

/** Longest body that is read whole: an answer in XML with a page of 1,000 keys has less. */
const textBytesMax = 8 * 1024 * 1024

export async function textOf(reply: HttpReply): Promise<string> {
  const pieces: Uint8Array[] = []
  let bytes = 0
  for await (const piece of reply.body) {
    bytes += piece.length
    if (bytes > textBytesMax) throw new GristmillError('TOO_LARGE', 'the server has sent an answer that is larger than any it should send')
    pieces.push(piece)
  }
  return Buffer.concat(pieces).toString('utf8')
}
