// Requests of web pages: answers preflight requests, which carry no signature, and adds to other answers what lets a page of an allowed
// origin read them.

import type { Exchange, HeaderFields } from '../exchange.ts'
import type { BucketSettings } from './bucketsettings.ts'
import { corsHeaders, type CorsRule } from './cors.ts'
import { S3Error } from './errors.ts'
import type { S3Target } from './target.ts'

/** `undefined`: there is no such bucket, or the process may not read it. */
type Rules = readonly CorsRule[] | undefined

export class CrossOrigin {
  readonly #settings: BucketSettings

  constructor(settings: BucketSettings) { this.#settings = settings }

  /** Headers for the answer to a page; none for a request that does not come from one, or that no rule allows. */
  async headersFor({ headers: { origin }, method, signal }: Exchange, { bucket }: Pick<S3Target, 'bucket'>): Promise<HeaderFields> {
    if (origin === undefined || bucket === undefined) return {}
    return corsHeaders(await this.#rulesOf(bucket, signal) ?? [], { origin, method }) ?? {}
  }

  /** Headers for the answer to a preflight request. Throws AccessForbidden, BadRequest. */
  async preflight({ headers, signal }: Exchange, { bucket }: Pick<S3Target, 'bucket'>): Promise<HeaderFields> {
    const { origin } = headers
    const method = one(headers['access-control-request-method'])
    if (origin === undefined || bucket === undefined)
      throw new S3Error('BadRequest', 'Insufficient information. Origin request header needed.')
    if (method === undefined) throw new S3Error('BadRequest', 'Invalid Access-Control-Request-Method: null')
    const rules = await this.#rulesOf(bucket, signal)
    if (rules === undefined) throw new S3Error('AccessForbidden', 'CORSResponse: Bucket not found')
    if (rules.length === 0) throw new S3Error('AccessForbidden', 'CORSResponse: CORS is not enabled for this bucket.')
    const asked = (one(headers['access-control-request-headers']) ?? '').split(',').map(each => each.trim()).filter(Boolean)
    const found = corsHeaders(rules, { origin, method, headers: asked })
    if (found) return found
    throw new S3Error('AccessForbidden',
    'CORSResponse: This CORS request is not allowed. This is usually because the evalution of Origin, request method / Access-Control-Request-Method or Access-Control-Request-Headers are not whitelisted by the resource\'s CORS spec.')
  }

  async #rulesOf(bucket: string, signal: AbortSignal): Promise<Rules> {
    try {
      return (await this.#settings.of(bucket, { signal }))?.rules
    } catch (error) {
      if (error instanceof S3Error) return undefined
      throw error
    }
  }
}

const one = (header: string | string[] | undefined): string | undefined => (Array.isArray(header) ? header.join(',') : header)
