// Verifies signatures of version 4, in the Authorization header or in the query of a presigned URL, and makes the signatures of the chunks
// of a body. The canonical forms and the signing key are those of AWS's own library.
// INVARIANT: a signature covers the host, with its port or without it, and every `x-amz-` header of the request, so that none of
// them can be added by another party.

import { createScope, getCanonicalHeaders, getCanonicalQuery, getSigningKey } from '@smithy/signature-v4'
import { createHash, createHmac, createSecretKey, hash, timingSafeEqual, type Hash, type Hmac, type KeyObject } from 'node:crypto'
import type { UserKey } from '../accesskeys.ts'
import type { Exchange } from '../exchange.ts'
import { S3Error } from './errors.ts'
import type { S3Target } from './target.ts'

/** Body of a presigned request, and of one that does not sign it. */
export const unsignedPayload = 'UNSIGNED-PAYLOAD'

const algorithm = 'AWS4-HMAC-SHA256'
/** AWS refuses requests whose time differs by more. */
const skewMs = 15 * 60_000
/** Longest validity of a presigned URL: 7 days. */
const expiresMax = 604_800

/** Hash and HMAC in the form that the library takes. */
class Sha256 {
  readonly #key: Uint8Array | string | undefined
  #hash: Hash | Hmac

  constructor(key?: unknown) {
    this.#key = key as Uint8Array | string | undefined
    this.#hash = this.#begin()
  }

  update(bytes: string | Uint8Array): void { this.#hash.update(bytes) }
  async digest(): Promise<Uint8Array> { return this.#hash.digest() }
  reset(): void { this.#hash = this.#begin() }
  #begin(): Hash | Hmac { return this.#key === undefined ? createHash('sha256') : createHmac('sha256', this.#key) }
}

const sha256 = (text: string | Uint8Array): string => hash('sha256', text)

interface Claim {
  readonly accessKey: string
  readonly date: string
  readonly region: string
  readonly signedHeaders: readonly string[]
  readonly signature: string
  /** `20261127T010203Z`. */
  readonly time: string
  readonly presigned: boolean
  /** Value for the last line of the canonical request. */
  readonly payload: string
}

export interface Verified {
  /** undefined: the request is not signed. */
  readonly user: string | undefined
  readonly payload: string
  /** Signs chunks of the body, each with the signature before it; undefined: they are not signed. */
  readonly chunks?: ChunkSigner
}

type SignedRequest = Pick<Exchange, 'method' | 'headers'>

interface VerifyDeps { readonly nowMs: number; readonly find: (id: string) => Promise<UserKey | undefined> }

/**
 * A request that carries no signature of any kind; undefined: it has one. Throws AccessDenied if its chunks claim to be signed.
 */
export function unsigned({ headers }: Exchange, { query }: S3Target): Verified | undefined {
  if (headers.authorization !== undefined || ['X-Amz-Algorithm', 'X-Amz-Signature', 'AWSAccessKeyId'].some(name => query.has(name)))
    return undefined
  const payload = first(headers['x-amz-content-sha256']) ?? unsignedPayload
  if (payload.startsWith('STREAMING-AWS4-')) throw new S3Error('AccessDenied',
    'Access Denied: the request is not signed, and its chunks are.')
  return { user: undefined, payload }
}

/** Throws AccessDenied for a request without a signature, and what AWS answers to a wrong one. */
export async function verify(exchange: Exchange, target: S3Target, { nowMs, find }: VerifyDeps): Promise<Verified> {
  const claim = target.query.has('X-Amz-Algorithm') ? queryClaim(exchange, target) : headerClaim(exchange, target)
  checkTime(claim, target, nowMs)
  checkCovered(exchange, claim)
  const key = await find(claim.accessKey)
  if (!key) throw unknownKey()
  const signing = await signingKeyOf(key, claim)
  const scope = createScope(claim.date, claim.region, 's3')
  const given = Buffer.from(claim.signature, 'hex')
  const matches = (request: SignedRequest): boolean => {
    const text = `${algorithm}\n${claim.time}\n${scope}\n${sha256(canonicalRequest(request, target, claim))}`
    const expected = createHmac('sha256', signing).update(text).digest()
    return given.length === expected.length && timingSafeEqual(given, expected)
  }
  if (!matches(exchange)) {
    // Clients that were written for Amazon's ports sign the host without its port (the library of git-annex).
    const host = exchange.headers.host?.replace(/^([^:]+|\[[^\]]+\]):\d+$/, '$1')
    if (host === exchange.headers.host || !matches({ method: exchange.method, headers: { ...exchange.headers, host } })) throw mismatch()
  }
  return { user: key.user, payload: claim.payload, chunks: new ChunkSigner(signing, `${claim.time}\n${scope}`, claim.signature) }
}

/** Verifies the policy of a form. Throws AccessDenied for a form without a signature, and what AWS answers to a wrong one. */
export async function verifyForm(fields: ReadonlyMap<string, string>, { find }: Pick<VerifyDeps, 'find'>): Promise<Verified> {
  const names = ['policy', 'x-amz-credential', 'x-amz-date', 'x-amz-signature']
  const [policy, credential, time, signature] = names.map(name => fields.get(name))
  if (fields.has('awsaccesskeyid')) throw unsupportedMechanism()
  if (!policy || !credential || !time || !signature || fields.get('x-amz-algorithm') !== algorithm)
    throw new S3Error('AccessDenied', 'Access Denied: the form has no policy, or no signature of version 4.')
  const claim = credentialOf(credential, why => new S3Error('InvalidArgument', why))
  if (!/^\d{8}T\d{6}Z$/.test(time) || !time.startsWith(claim.date))
    throw new S3Error('InvalidArgument', 'The date of X-Amz-Credential is not the same as that of X-Amz-Date.')
  const key = await find(claim.accessKey)
  if (!key) throw unknownKey()
  const signing = await signingKeyOf(key, claim)
  const expected = createHmac('sha256', signing).update(policy).digest()
  const given = signatureForm.test(signature) ? Buffer.from(signature, 'hex') : Buffer.alloc(0)
  if (given.length !== expected.length || !timingSafeEqual(given, expected)) throw mismatch()
  return { user: key.user, payload: unsignedPayload, chunks: new ChunkSigner(signing, '', signature) }
}

const unknownKey = (): S3Error =>
  new S3Error('InvalidAccessKeyId', 'The AWS Access Key Id you provided does not exist in our records.')

const unsupportedMechanism = (): S3Error =>
  new S3Error('InvalidRequest', 'The authorization mechanism you have provided is not supported. Please use AWS4-HMAC-SHA256.')

const mismatch = (): S3Error => new S3Error(
  'SignatureDoesNotMatch',
  'The request signature we calculated does not match the signature you provided. Check your key and signing method.',
)

interface SigningKey { readonly of: string; readonly made: Promise<KeyObject> }

/** The last one of each access key: four HMACs that all requests of a day to a region share. */
const signingKeys = new WeakMap<UserKey, SigningKey>()

function signingKeyOf(key: UserKey, { accessKey, date, region }: Pick<Claim, 'accessKey' | 'date' | 'region'>): Promise<KeyObject> {
  const of = `${accessKey} ${date} ${region}`
  let last = signingKeys.get(key)
  if (last?.of !== of) {
    const made = getSigningKey(Sha256, { accessKeyId: accessKey, secretAccessKey: key.secret }, date, region, 's3')
      // An HMAC with a key in bytes takes five times as long.
      .then(createSecretKey)
    signingKeys.set(key, last = { of, made })
  }
  return last.made
}

/** Chain of signatures over the chunks of one body. */
export class ChunkSigner {
  readonly #key: KeyObject
  readonly #context: string
  #before: string

  constructor(key: KeyObject, context: string, seed: string) {
    this.#key = key
    this.#context = context
    this.#before = seed
  }

  /** Throws SignatureDoesNotMatch unless this is the signature of the next chunk, whose bytes have this SHA-256 in hex. */
  check(hash: string, signature: string): void { this.#next(`${algorithm}-PAYLOAD`, `${sha256('')}\n${hash}`, signature) }

  /** The same for the trailing headers, one `name:value` a line. */
  checkTrailer(lines: string, signature: string): void { this.#next(`${algorithm}-TRAILER`, sha256(lines), signature) }

  #next(kind: string, content: string, signature: string): void {
    const text = `${kind}\n${this.#context}\n${this.#before}\n${content}`
    const expected = createHmac('sha256', this.#key).update(text).digest()
    const given = Buffer.from(signature, 'hex')
    if (given.length !== expected.length || !timingSafeEqual(given, expected))
      throw new S3Error('SignatureDoesNotMatch', 'The signature of a chunk of the body does not match its bytes.')
    this.#before = signature
  }
}

const malformed = (why: string): S3Error => new S3Error('AuthorizationHeaderMalformed', `The authorization header is malformed; ${why}`)
const malformedQuery = (why: string): S3Error => new S3Error('AuthorizationQueryParametersError', why)

function credentialOf(text: string, wrong: (why: string) => S3Error): Pick<Claim, 'accessKey' | 'date' | 'region'> {
  const match = /^([^/]+)\/(\d{8})\/([^/]*)\/([^/]*)\/([^/]*)$/.exec(text)
  if (!match) throw wrong('the Credential is mal-formed; expecting "<YOUR-AKID>/YYYYMMDD/REGION/SERVICE/aws4_request".')
  const [, accessKey = '', date = '', region = '', service, terminal] = match
  if (service !== 's3') throw wrong(`incorrect service "${service}". This endpoint belongs to "s3".`)
  if (terminal !== 'aws4_request') throw wrong(`incorrect terminal "${terminal}". This endpoint uses "aws4_request".`)
  return { accessKey, date, region }
}

const headersOf = (text: string): string[] => text.toLowerCase().split(';').filter(Boolean)
const signatureForm = /^[0-9a-f]{64}$/

function headerClaim({ headers }: Exchange, { query }: S3Target): Claim {
  const { authorization } = headers
  if (authorization === undefined && !query.has('AWSAccessKeyId')) throw new S3Error('AccessDenied',
    'Access Denied: the request is not signed.')
  // Signatures of version 2, which AWS has ended.
  if (!authorization?.startsWith(`${algorithm} `))
    throw unsupportedMechanism()
  const parts = new Map(authorization.slice(algorithm.length + 1).split(',').map(part => {
    const [name = '', ...value] = part.trim().split('=')
    return [name, value.join('=')] as const
  }))
  const [credential, signed, signature] = ['Credential', 'SignedHeaders', 'Signature'].map(name => parts.get(name))
  if (!credential || !signed || !signature) throw malformed('the Credential, SignedHeaders or Signature is missing.')
  if (!signatureForm.test(signature)) throw malformed('the Signature is no SHA-256 in lower-case hex.')
  const payload = first(headers['x-amz-content-sha256'])
  if (payload === undefined) throw new S3Error('InvalidRequest', 'Missing required header for this request: x-amz-content-sha256')
  const time = first(headers['x-amz-date']) ?? amzTime(headers.date)
  if (time === undefined) throw new S3Error('AccessDenied', 'AWS authentication requires a valid Date or x-amz-date header')
  return { ...credentialOf(credential, malformed), signedHeaders: headersOf(signed), signature, time, presigned: false, payload }
}

function queryClaim({ headers }: Exchange, { query }: S3Target): Claim {
  if (headers.authorization !== undefined)
    throw new S3Error('InvalidArgument',
    'Only one auth mechanism allowed; only the X-Amz-Algorithm query parameter or the Authorization header should be specified')
  if (query.get('X-Amz-Algorithm') !== algorithm) throw malformedQuery(`X-Amz-Algorithm only supports "${algorithm}"`)
  const [credential, signed, signature, time] =
    ['Credential', 'SignedHeaders', 'Signature', 'Date'].map(name => query.get(`X-Amz-${name}`))
  if (!credential || !signed || !signature || !time || query.get('X-Amz-Expires') === undefined)
    throw malformedQuery('Query-string authentication version 4 requires the X-Amz-Algorithm, X-Amz-Credential, X-Amz-Signature, X-Amz-Date, X-Amz-SignedHeaders, and X-Amz-Expires parameters.')
  if (!signatureForm.test(signature)) throw malformedQuery('X-Amz-Signature is no SHA-256 in lower-case hex')
  const payload = query.get('X-Amz-Content-Sha256') ?? first(headers['x-amz-content-sha256']) ?? unsignedPayload
  return { ...credentialOf(credential, malformedQuery), signedHeaders: headersOf(signed), signature, time, presigned: true, payload }
}

const first = (header: string | readonly string[] | undefined): string | undefined => (typeof header === 'string' ? header : header?.[0])

/** `20261127T010203Z` of a date in the form of HTTP. */
function amzTime(date: string | undefined): string | undefined {
  const ms = date === undefined ? Number.NaN : Date.parse(date)
  return Number.isNaN(ms) ? undefined : new Date(ms).toISOString().replaceAll(/[-:]|\.\d+/g, '')
}

function checkTime({ time, date, presigned }: Claim, { query }: S3Target, nowMs: number): void {
  const match = /^(\d{4})(\d\d)(\d\d)T(\d\d)(\d\d)(\d\d)Z$/.exec(time)
  const atMs = match ? Date.parse(`${match[1]}-${match[2]}-${match[3]}T${match[4]}:${match[5]}:${match[6]}Z`) : Number.NaN
  if (Number.isNaN(atMs)) throw new S3Error('AccessDenied', 'AWS authentication requires a valid Date or x-amz-date header')
  if (!time.startsWith(date)) throw malformed(`Invalid credential date "${date}". This date is not the same as X-Amz-Date: "${time}".`)
  if (!presigned) {
    if (Math.abs(nowMs - atMs) > skewMs)
      throw new S3Error('RequestTimeTooSkewed', `The difference between the request time and the current time is too large: ${clocks(atMs, nowMs)}`)
    return
  }
  const expires = query.integer('X-Amz-Expires', 0, Number.MAX_SAFE_INTEGER) ?? 0
  if (expires < 1 || expires > expiresMax)
    throw malformedQuery(`X-Amz-Expires must be between 1 and ${expiresMax} seconds (a week)`)
  if (atMs - nowMs > skewMs) throw new S3Error('AccessDenied', `Request is not valid yet: ${clocks(atMs, nowMs)}`)
  const endMs = atMs + expires * 1000
  if (nowMs > endMs)
    throw new S3Error('AccessDenied', `Request has expired: at ${secondOf(endMs)}, and the clock of this gateway shows ${secondOf(nowMs)}`)
}

/** `2026-11-29T01:02:03Z`. */
const secondOf = (ms: number): string => `${new Date(ms).toISOString().slice(0, 19)}Z`

const clocks = (atMs: number, nowMs: number): string =>
  `the client signed at ${secondOf(atMs)}, and the clock of this gateway shows ${secondOf(nowMs)}; they may differ by ${skewMs / 60_000} minutes: set the one that is wrong`

function checkCovered({ headers }: Exchange, { signedHeaders, presigned }: Claim): void {
  const signed = new Set(signedHeaders)
  const open = Object.keys(headers).filter(name => name.startsWith('x-amz-') && !signed.has(name)
    && !(presigned && name === 'x-amz-content-sha256'))
  if (!signed.has('host') || open.length > 0)
    throw new S3Error('AccessDenied',
      `There were headers present in the request which were not signed: ${[...signed.has('host') ? [] : ['host'], ...open].join(', ')}`)
}

/** Characters that AWS encodes and JavaScript does not. */
const strict = (text: string): string =>
  encodeURIComponent(text).replaceAll(/[!'()*]/g, char => `%${char.charCodeAt(0).toString(16).toUpperCase()}`)

/** A path, or a value of a header, that is in canonical form as it is. */
const plainPath = /^[\w.~/-]*$/
const plainValue = /^[!-~]*$/

function canonicalRequest({ method, headers }: SignedRequest, { rawPath, query }: S3Target, { signedHeaders, payload }: Claim): string {
  // Clients encode more or fewer characters of the path than they sign: what they mean is the decoded path.
  const path = plainPath.test(rawPath) ? rawPath : rawPath.split('/').map(part => strict(decodeURIComponent(part))).join('/')
  const names = signedHeaders.toSorted()
  const lines = names.map(name => {
    // Names are the client's: `constructor` is no header that was not sent.
    const header = Object.hasOwn(headers, name) ? headers[name] : undefined
    const value = Array.isArray(header) ? header.join(',') : header ?? ''
    return `${name}:${plainValue.test(value) ? value : canonicalValue(name, value)}`
  })
  const canonicalQuery = query.names.length === 0 ? '' : getCanonicalQuery({ method, query: query.record } as never)
  return `${method}\n${path}\n${canonicalQuery}\n${lines.join('\n')}\n\n${names.join(';')}\n${payload}`
}

const canonicalValue = (name: string, value: string): string =>
  getCanonicalHeaders({ headers: { [name]: value } } as never, undefined, new Set([name]))[name] ?? ''
