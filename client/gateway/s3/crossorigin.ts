// Requests of web pages: answers preflight requests, which carry no signature, and adds to other answers what lets a page of an allowed
// origin read them. The rules of a bucket are read as the user of the gateway's process, and remembered for a few seconds.

import { hasCode } from '../../../src/base/errors.ts'
import type { Clock } from '../../../src/ports/clock.ts'
import type { Exchange, HeaderFields } from '../exchange.ts'
import type { Users } from '../users.ts'
import { corsName } from './attributes.ts'
import { corsHeaders, rulesIn, type CorsRule } from './cors.ts'
import { S3Error } from './errors.ts'
import { bucketPath } from './paths.ts'
import { isBucketName, type S3Target } from './target.ts'

/** As long as a change of a bucket's rules may take. */
const keptMs = 5_000
/** Pages choose the names that are looked up, so their number is bounded. */
const keptMax = 1_000

interface CrossOriginDeps { readonly clock: Pick<Clock, 'mono'>; readonly users: Users }

/** `undefined`: there is no such bucket, or the process may not read it. */
type Rules = readonly CorsRule[] | undefined

export class CrossOrigin {
  readonly #deps: CrossOriginDeps
  readonly #root: string
  readonly #known = new Map<string, { readonly untilMs: number; readonly rules: Promise<Rules> }>()

  constructor(deps: CrossOriginDeps, { root }: { readonly root: string }) {
    this.#deps = deps
    this.#root = root
  }

  /** Headers for the answer to a page; none for a request that does not come from one, or that no rule allows. */
  async headersFor({ headers: { origin }, method, signal }: Exchange, { bucket }: Pick<S3Target, 'bucket'>): Promise<HeaderFields> {
    if (origin === undefined || bucket === undefined) return {}
    return corsHeaders(await this.#rulesOf(bucket, signal) ?? [], { origin, method }) ?? {}
  }

  /** Headers for the answer to a preflight request. Throws AccessForbidden, InvalidRequest. */
  async preflight({ headers, signal }: Exchange, { bucket }: Pick<S3Target, 'bucket'>): Promise<HeaderFields> {
    const { origin } = headers
    const method = one(headers['access-control-request-method'])
    if (origin === undefined || bucket === undefined)
      throw new S3Error('InvalidRequest', 'Insufficient information. Origin request header needed.')
    if (method === undefined) throw new S3Error('InvalidRequest', 'Invalid Access-Control-Request-Method: null')
    const rules = await this.#rulesOf(bucket, signal)
    if (rules === undefined) throw new S3Error('AccessForbidden', 'CORSResponse: Bucket not found')
    if (rules.length === 0) throw new S3Error('AccessForbidden', 'CORSResponse: CORS is not enabled for this bucket.')
    const asked = (one(headers['access-control-request-headers']) ?? '').split(',').map(each => each.trim()).filter(Boolean)
    const found = corsHeaders(rules, { origin, method, headers: asked })
    if (found) return found
    throw new S3Error('AccessForbidden', 'CORSResponse: This CORS request is not allowed. This is usually because the evalution of Origin, request method / Access-Control-Request-Method or Access-Control-Request-Headers are not whitelisted by the resource\'s CORS spec.')
  }

  #rulesOf(bucket: string, signal: AbortSignal): Promise<Rules> {
    if (!isBucketName(bucket)) return Promise.resolve(undefined)
    const nowMs = this.#deps.clock.mono()
    const known = this.#known.get(bucket)
    if (known && nowMs < known.untilMs) return known.rules
    const rules = this.#find(bucket, signal)
    this.#known.delete(bucket)
    this.#known.set(bucket, { untilMs: nowMs + keptMs, rules })
    // A lookup that failed is not remembered.
    rules.catch(() => { if (this.#known.get(bucket)?.rules === rules) this.#known.delete(bucket) })
    for (const [oldest] of this.#known) {
      if (this.#known.size <= keptMax) break
      this.#known.delete(oldest)
    }
    return rules
  }

  async #find(bucket: string, signal: AbortSignal): Promise<Rules> {
    const { users } = this.#deps
    try {
      const path = bucketPath(this.#root, bucket)
      const { status, attributes } = await users.as(users.own, mill => mill.objects.get(path, { attributes: [corsName], signal }))
      return status.type === 'directory' ? rulesIn(attributes[corsName]) : undefined
    } catch (error) {
      if (hasCode(error, 'ENOENT', 'ENOTDIR', 'EACCES')) return undefined
      throw error
    }
  }
}

const one = (header: string | string[] | undefined): string | undefined => (Array.isArray(header) ? header.join(',') : header)
