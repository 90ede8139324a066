// The dialect S3: verifies the signature of a request, finds bucket, key and operation, and sends the operation's answer. Clients of object
// stores work with the cluster by changing an address.

import { GristmillError, hasCode } from '../../../src/base/errors.ts'
import { foreignError, foreignProtocol } from '../../../src/base/foreign.ts'
import type { Clock } from '../../../src/ports/clock.ts'
import type { Log } from '../../../src/ports/log.ts'
import type { Random } from '../../../src/ports/random.ts'
import type { GatewayDialect } from '../dialect.ts'
import { AccessKeys } from '../accesskeys.ts'
import type { Exchange, HeaderFields } from '../exchange.ts'
import type { DialectDeps } from '../gateway.ts'
import { Access, notSigned, type AccessAsked } from './access.ts'
import { checkBucket, checkOwners } from './buckets.ts'
import { BucketSettings } from './bucketsettings.ts'
import { CrossOrigin } from './crossorigin.ts'
import { keyConflict, S3Error, s3ErrorOf, s3Errors } from './errors.ts'
import { isForm, readForm, type Form } from './form.ts'
import { Expiry } from './expiry.ts'
import { keyOfForm } from './forms.ts'
import { nothing } from './found.ts'
import type { S3Answer, S3Call, S3Operation } from './operation.ts'
import { operationOf } from './operations.ts'
import { Payload, type Headers } from './payload.ts'
import { unsigned, verify, verifyForm } from './signature.ts'
import { bucketOfHost, targetOf, type S3Target } from './target.ts'
import { plain } from './xml.ts'

interface S3Deps extends DialectDeps { readonly clock: Clock; readonly random: Random; readonly log: Pick<Log, 'info' | 'warn'> }

interface S3Options {
  /** Directory whose directories are the buckets. */
  readonly root: string
  /** Names of the gateway in front of which a bucket may stand. */
  readonly domains: readonly string[]
}

/** A bucket in front of the name of this machine works without any setting. */
const localDomain = 'localhost'

export class S3 implements GatewayDialect {
  readonly name = 's3'
  readonly #deps: S3Deps
  readonly #options: S3Options
  readonly #keys: AccessKeys
  readonly #ids = new WeakMap<Exchange, string>()
  readonly #settings: BucketSettings
  readonly #crossOrigin: CrossOrigin
  readonly #access: Access
  readonly #expiry: Expiry
  /** Headers by which a page may read an answer. */
  readonly #toPages = new WeakMap<Exchange, HeaderFields>()

  constructor(deps: S3Deps, { root, domains }: S3Options) {
    this.#deps = deps
    this.#options = { root, domains: [...domains.map(each => each.toLowerCase()), localDomain] }
    this.#keys = new AccessKeys({ clock: deps.clock, find: deps.accessKey })
    this.#settings = new BucketSettings(deps, { root })
    this.#crossOrigin = new CrossOrigin(this.#settings)
    this.#expiry = new Expiry(deps, { root })
    this.#access = new Access({ users: deps.users, settings: this.#settings })
  }

  async answer(exchange: Exchange): Promise<void> {
    const target = targetOf(exchange.target, exchange.headers.host, this.#options.domains)
    if (isWebHdfs(exchange, target)) return refuseWebHdfs(exchange)
    if (exchange.method === 'OPTIONS') exchange.operation = 'preflight'
    if (exchange.method === 'OPTIONS') return this.#send(exchange, { headers: await this.#crossOrigin.preflight(exchange, target) })
    if (exchange.headers.origin !== undefined) this.#toPages.set(exchange, await this.#crossOrigin.headersFor(exchange, target))
    const form = isForm(exchange) && target.key === undefined ? await readForm(exchange) : undefined
    try {
      await this.#perform(exchange, target, form)
    } finally {
      form?.close()
    }
  }

  async #perform(exchange: Exchange, target: S3Target, form: Form | undefined): Promise<void> {
    const { clock, random, trust } = this.#deps
    const deps = { nowMs: clock.now(), find: (id: string) => this.#keys.find(id) }
    const verified = form ? await verifyForm(form.fields, deps) : unsigned(exchange, target) ?? await verify(exchange, target, deps)
    exchange.identify(verified.user)
    if (verified.user === undefined && target.bucket === undefined) throw notSigned()
    const headers = effective(exchange, target)
    const operation = operationOf(exchange.method, target, headers)
    exchange.operation = operation.name
    const key = form ? keyOfForm(form) : target.key ?? ''
    const asked: AccessAsked = { exchange, operation, target, key, headers, user: verified.user, encrypted: trust.isEncrypted(exchange) }
    await this.#access.as(asked, async (user, mill, setting) => {
      const call: S3Call = {
        mill, user, bucket: target.bucket ?? '', key: target.key ?? '', root: this.#options.root, query: target.query, headers,
        versioning: setting?.versioning, lifecycle: setting?.lifecycle,
        form, signal: exchange.signal, payload: options => new Payload({ exchange, verified, headers }, options),
        forKey: (action, work) => this.#access.forKey(asked, action, work),
        lifecycleSet: bucket => this.#expiry.soon(bucket), newId: () => random.id(), nowMs: () => clock.now(), pause: () => clock.yield(),
      }
      try {
        await checkOwners(call)
        await this.#send(exchange, await operation.answer(call))
      } catch (error) {
        throw exchange.begun ? error : await inTermsOf(operation, call, error)
      } finally {
        // Its own change is in force for the next request.
        if (operation.on === 'bucket' && operation.method !== 'GET') this.#settings.forget(call.bucket)
      }
    })
  }

  isNamedBy(host: string): boolean { return bucketOfHost(host, this.#options.domains) !== undefined }

  stop(): Promise<void> { return this.#expiry.stop() }

  async refuse(exchange: Exchange, error: GristmillError): Promise<void> {
    const code = s3ErrorOf(error)
    const status = s3Errors[code]
    const id = this.#idOf(exchange)
    const resource = exchange.target.split('?')[0] ?? '/'
    // The reason of an internal error is for the operator's log.
    const message = code === 'InternalError' ? 'We encountered an internal error. Please try again.' : error.message
    const xml = plain('Error', { Code: code, Message: message, Resource: resource, RequestId: id, HostId: id })
    await exchange.send(status, {
      ...this.#common(exchange), ...error instanceof S3Error && error.headers, 'content-type': 'application/xml',
      ...status === 503 && { 'retry-after': 1 },
    }, xml)
  }

  #idOf(exchange: Exchange): string {
    const known = this.#ids.get(exchange) ?? this.#deps.random.id().slice(0, 16).toUpperCase()
    this.#ids.set(exchange, known)
    return known
  }

  #common(exchange: Exchange): HeaderFields {
    const id = this.#idOf(exchange)
    return { 'x-amz-request-id': id, 'x-amz-id-2': id, server: 'gristmill', ...this.#toPages.get(exchange) }
  }

  async #send(exchange: Exchange, { status = 200, headers = {}, xml, json, bytes, chunks }: S3Answer): Promise<void> {
    const fields = { ...this.#common(exchange), ...headers }
    if (bytes) return exchange.send(status, fields, bytes)
    if (xml !== undefined) return exchange.send(status, { ...fields, 'content-type': 'application/xml' }, xml)
    if (json !== undefined) return exchange.send(status, { ...fields, 'content-type': 'application/json' }, json)
    if (chunks) return exchange.stream(status, fields, chunks)
    if (status === 204) return exchange.stream(status, fields, nothing())
    return exchange.send(status, fields)
  }
}

/** A client of HDFS at the port of S3; one of S3 signs, or names no operation. */
const isWebHdfs = ({ headers, target }: Exchange, { query }: S3Target): boolean =>
  query.has('op') && headers.authorization === undefined && !query.has('X-Amz-Algorithm')
    && foreignProtocol({ target, headers }) === 'WebHDFS'

async function refuseWebHdfs(exchange: Exchange): Promise<void> {
  const { type, body } = foreignError('WebHDFS',
    'this port of the gateway answers S3, and the request is one of WebHDFS: send it to the port of WebHDFS (--webhdfs PORT of the gateway)')
  await exchange.send(400, { 'content-type': type }, body)
}

/** Headers of a request, and those that a presigned URL has in its query. */
function effective({ headers }: Exchange, { query }: S3Target): Headers {
  if (!query.has('X-Amz-Algorithm')) return headers
  const hoisted = query.names.filter(name => /^x-amz-/i.test(name)).map(name => [name.toLowerCase(), query.get(name)] as const)
  return { ...Object.fromEntries(hoisted), ...headers }
}

/** A missing path is a key, a bucket or an upload. */
async function inTermsOf({ missing, name }: S3Operation, call: S3Call, error: unknown): Promise<unknown> {
  if (error instanceof S3Error || call.bucket === '' || !(error instanceof GristmillError)) return error
  if (hasCode(error, 'ENOENT') || (hasCode(error, 'ENOTDIR') && missing !== undefined)) {
    try {
      await checkBucket(call)
    } catch (found) {
      return found
    }
    if (missing !== undefined) return new S3Error(missing, 'The specified key does not exist.', { cause: error })
  }
  const { code, message } = error
  if ((code === 'EISDIR' || code === 'ENOTDIR') && call.key !== '')
    return keyConflict(error)
  if (code === 'ENOTEMPTY') return new S3Error('BucketNotEmpty', 'The bucket you tried to delete is not empty', { cause: error })
  if (code === 'ESTALE' && name.startsWith('Get')) return new S3Error('OperationAborted', message, { cause: error })
  return error
}
