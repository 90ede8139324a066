// Target of a request: bucket, key and query. The bucket is the first part of the path, or stands in front of the gateway's domain in the
// Host header. Paths are percent-encoded UTF-8, in which a plus is a plus; nothing is normalised, `//` and `..` are parts of a key.

import { cutAt } from '../../../src/base/cut.ts'
import type { Exchange } from '../exchange.ts'
import { S3Error } from './errors.ts'

export interface S3Target {
  /** undefined: the list of buckets. */
  readonly bucket: string | undefined
  /** undefined: the bucket itself. */
  readonly key: string | undefined
  /** Path as it was sent, for the signature. */
  readonly rawPath: string
  readonly query: Query
}

/** Parameters of the query; one without a value has ''. */
export class Query {
  readonly #values: ReadonlyMap<string, string>

  constructor(values: ReadonlyMap<string, string>) { this.#values = values }

  get(name: string): string | undefined { return this.#values.get(name) }
  has(name: string): boolean { return this.#values.has(name) }
  get names(): readonly string[] { return [...this.#values.keys()] }
  get record(): Record<string, string> { return Object.fromEntries(this.#values) }

  /** Throws InvalidArgument unless the parameter is a whole number from `min` to `max`; undefined if it is missing. */
  integer(name: string, min: number, max: number): number | undefined {
    const text = this.get(name)
    if (text === undefined || text === '') return undefined
    const value = /^\d{1,10}$/.test(text) ? Number(text) : Number.NaN
    if (value >= min && value <= max) return value
    throw new S3Error('InvalidArgument', `${name} must be a whole number from ${min} to ${max}, not ${text.slice(0, 50)}`)
  }
}

export function decoded(text: string): string {
  try {
    return decodeURIComponent(text)
  } catch (error) {
    throw new S3Error('InvalidURI', 'Couldn\'t parse the specified URI: it is not percent-encoded UTF-8', { cause: error })
  }
}

function queryOf(text: string): Query {
  const values = new Map<string, string>()
  for (const part of text.split('&')) {
    if (part === '') continue
    const mark = part.indexOf('=')
    const [name, value] = mark < 0 ? [part, ''] : [part.slice(0, mark), part.slice(mark + 1)]
    values.set(decoded(name.replaceAll('+', ' ')), decoded(value.replaceAll('+', ' ')))
  }
  return new Query(values)
}

/** Bucket in front of one of these names of the gateway in a Host header; undefined: there is none. */
export function bucketOfHost(host: string, domains: readonly string[]): string | undefined {
  const name = host.replace(/:\d+$/, '').toLowerCase()
  const domain = domains.find(each => name.endsWith(`.${each}`))
  return domain === undefined ? undefined : name.slice(0, -domain.length - 1)
}

/** `domains`: names of the gateway; a bucket may stand in front of one. */
export function targetOf(target: string, host: string | undefined, domains: readonly string[]): S3Target {
  // A proxy, and HTTP/1.0 clients of proxies, may send an absolute address.
  const local = target.replace(/^https?:\/\/[^/?]*/i, '')
  const [path, asked = ''] = cutAt(local, '?')
  const rawPath = path || '/'
  const query = queryOf(asked)
  const named = bucketOfHost(host ?? '', domains)
  if (named !== undefined) return { bucket: named, key: decoded(rawPath.slice(1)) || undefined, rawPath, query }
  const slash = rawPath.indexOf('/', 1)
  const bucket = decoded(slash < 0 ? rawPath.slice(1) : rawPath.slice(1, slash)) || undefined
  const key = slash < 0 ? undefined : decoded(rawPath.slice(slash + 1)) || undefined
  if (bucket === undefined && key !== undefined) throw invalidBucket('')
  return { bucket, key, rawPath, query }
}

interface CopySource { readonly bucket: string; readonly key: string; readonly version?: string }

/** Source of a copy, of the header `x-amz-copy-source`. Throws InvalidArgument. */
export function sourceOf(headers: Readonly<Exchange['headers']>): CopySource {
  const [text = '', version] = String(headers['x-amz-copy-source']).split('?versionId=')
  const [, bucket, key] = /^\/?([^/]+)\/(.+)$/s.exec(decoded(text)) ?? []
  if (bucket === undefined || key === undefined) throw new S3Error('InvalidArgument',
    'Copy Source must mention the source bucket and key: sourcebucket/sourcekey')
  return { bucket, key, ...version !== undefined && { version: decoded(version) } }
}

/** With the rule: clients show the message, and people choose the name. */
export const invalidBucket = (name: string): S3Error => new S3Error(
  'InvalidBucketName',
  `The specified bucket is not valid: ${name === '' ? 'its name is empty' : JSON.stringify(name.slice(0, 100))}. A name of a bucket has 3 to 63 characters: lower-case letters, digits, hyphens and dots; it begins and ends with a letter or a digit, has no two dots side by side, and is no address such as 10.0.0.1.`,
)

/** A bucket of this name could not be listed at its path without a signature: the gateway answers there itself. */
export const reservedBucket = (name: string): S3Error => new S3Error(
  'InvalidBucketName', `The specified bucket is not valid: /${name} is an address at which each gateway tells of itself. Choose another name.`,
)

/** Names of buckets as AWS allows them: others are refused, and directories with other names are no buckets. */
export const isBucketName = (name: string): boolean =>
  /^[a-z0-9][a-z0-9.-]{1,61}[a-z0-9]$/.test(name) && !/\.\.|^\d+\.\d+\.\d+\.\d+$|^xn--|-s3alias$/.test(name)
