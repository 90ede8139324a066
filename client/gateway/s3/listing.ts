// Lists of keys: both forms of ListObjects. A page is one call to the namenode.

import { limits } from '../../../src/base/limits.ts'
import type { ObjectEntry } from '../../files/objects.ts'
import { etagName, etagOf } from './attributes.ts'
import { ownerOf, timeOf } from './buckets.ts'
import { S3Error } from './errors.ts'
import type { S3Answer, S3Call, S3Operation } from './operation.ts'
import { bucketOf } from './paths.ts'
import { document, type XmlContent } from './xml.ts'

interface Listed {
  readonly objects: readonly ObjectEntry[]
  readonly prefixes: readonly string[]
  /** Set if keys may follow: the last key of the page. */
  readonly next: string | undefined
  readonly max: number
}

async function page(call: S3Call, after: string | undefined): Promise<Listed> {
  const { mill, query, signal } = call
  const max = Math.min(query.integer('max-keys', 0, 2 ** 31 - 1) ?? limits.listPageMax, limits.listPageMax)
  const delimiter = query.get('delimiter') || undefined
  const objects: ObjectEntry[] = []
  const prefixes: string[] = []
  const options = { prefix: query.get('prefix') ?? '', delimiter, after: after || undefined, attributes: [etagName], signal }
  // A page of no keys says only whether the bucket exists.
  const { entries, next } = await mill.objects.list(bucketOf(call), { ...options, limit: Math.max(max, 1) })
  if (max === 0) return { objects, prefixes, next: undefined, max }
  for (const entry of entries) {
    if (entry.rolled) prefixes.push(entry.key)
    else objects.push(entry)
  }
  return { objects, prefixes, next, max }
}

/** Writes names: as they are, or percent-encoded for clients whose XML cannot hold them. */
export function writing({ query }: S3Call): (text: string | undefined) => string | undefined {
  const encoding = query.get('encoding-type')
  if (encoding === undefined) return text => text
  if (encoding !== 'url') throw new S3Error('InvalidArgument', 'Invalid Encoding Method specified in Request')
  return text => text?.split('/').map(part =>
    encodeURIComponent(part).replaceAll(/[!'()*]/g, char => `%${char.charCodeAt(0).toString(16).toUpperCase()}`)).join('/')
}

function contents({ mill, user }: S3Call, write: (text: string) => string | undefined, { objects }: Listed,
  withOwner: boolean): XmlContent[] {
  return objects.map(({ key, status, attributes }) => {
    const length = status!.type === 'file' ? status!.length : 0
    return {
      Key: write(key), LastModified: timeOf(status!.mtimeMs), ETag: `"${etagOf({ id: status!.id, length }, attributes, mill.cluster)}"`,
      Size: length, ...withOwner && { Owner: ownerOf(status!.owner || user) }, StorageClass: 'STANDARD',
    }
  })
}

const prefixesOf = (write: (text: string) => string | undefined, { prefixes }: Listed): XmlContent[] =>
  prefixes.map(prefix => ({ Prefix: write(prefix) }))

/** Tokens are opaque to clients: the key after which the next page starts. */
const tokenOf = (key: string): string => Buffer.from(`1 ${key}`).toString('base64url')

function keyOfToken(token: string): string {
  const text = Buffer.from(token, 'base64url').toString()
  if (!text.startsWith('1 ')) throw new S3Error('InvalidArgument', 'The continuation token provided is incorrect')
  return text.slice(2)
}

async function listV2(call: S3Call): Promise<S3Answer> {
  const { query, bucket } = call
  const write = writing(call)
  const token = query.get('continuation-token')
  const startAfter = query.get('start-after')
  if (token === '') throw new S3Error('InvalidArgument', 'The continuation token provided is incorrect')
  const found = await page(call, token === undefined ? startAfter : keyOfToken(token))
  return {
    xml: document('ListBucketResult', {
      Name: bucket, Prefix: write(query.get('prefix') ?? ''), Delimiter: write(query.get('delimiter') || undefined), MaxKeys: found.max,
      EncodingType: query.get('encoding-type'), KeyCount: found.objects.length + found.prefixes.length,
        IsTruncated: found.next !== undefined,
      ContinuationToken: token, StartAfter: write(startAfter),
        NextContinuationToken: found.next === undefined ? undefined : tokenOf(found.next),
      Contents: contents(call, write, found, query.get('fetch-owner') === 'true'), CommonPrefixes: prefixesOf(write, found),
    }),
  }
}

async function listV1(call: S3Call): Promise<S3Answer> {
  const { query, bucket } = call
  const write = writing(call)
  const marker = query.get('marker') ?? ''
  const delimiter = query.get('delimiter') || undefined
  const found = await page(call, marker)
  return {
    xml: document('ListBucketResult', {
      Name: bucket, Prefix: write(query.get('prefix') ?? ''), Marker: write(marker), Delimiter: write(delimiter), MaxKeys: found.max,
      EncodingType: query.get('encoding-type'), IsTruncated: found.next !== undefined,
      // Without a delimiter clients go on from the last key.
      NextMarker: delimiter === undefined ? undefined : write(found.next),
      Contents: contents(call, write, found, true), CommonPrefixes: prefixesOf(write, found),
    }),
  }
}

export const listingOperations: readonly S3Operation[] = [
  { name: 'ListObjectsV2', method: 'GET', on: 'bucket', when: ['list-type', '2'], answer: listV2 },
  { name: 'ListObjects', method: 'GET', on: 'bucket', answer: listV1 },
]
