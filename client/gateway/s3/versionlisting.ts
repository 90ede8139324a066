// ListObjectVersions: versions and delete markers of the keys of a bucket. A page is one call to the namenode.

import { limits } from '../../../src/base/limits.ts'
import type { ObjectVersion } from '../../files/objectversions.ts'
import { etagName, etagOf } from './attributes.ts'
import { ownerOf, timeOf } from './buckets.ts'
import { S3Error } from './errors.ts'
import { writing } from './listing.ts'
import type { S3Answer, S3Call, S3Operation } from './operation.ts'
import { bucketOf } from './paths.ts'
import { versionAsked } from './versioning.ts'
import { document, type XmlContent } from './xml.ts'

/** Place behind which a page begins. Throws InvalidArgument. */
function placeOf({ query }: S3Call): { readonly key: string; readonly version?: string } | undefined {
  const [key, marker] = ['key-marker', 'version-id-marker'].map(name => query.get(name) || undefined)
  if (marker !== undefined && key === undefined)
    throw new S3Error('InvalidArgument', 'A version-id marker cannot be specified without a key marker.')
  const version = versionAsked(marker)
  return key === undefined ? undefined : { key, ...version !== undefined && { version } }
}

async function listVersions(call: S3Call): Promise<S3Answer> {
  const { mill, bucket, query, signal } = call
  const write = writing(call)
  const after = placeOf(call)
  const max = Math.min(query.integer('max-keys', 0, 2 ** 31 - 1) ?? limits.listPageMax, limits.listPageMax)
  const [prefix = '', delimiter] = ['prefix', 'delimiter'].map(name => query.get(name) || undefined)
  const options = { prefix, delimiter, after, attributes: [etagName], signal }
  // A page of nothing says only whether the bucket exists.
  const page = await mill.objects.versions(bucketOf(call), { ...options, limit: Math.max(max, 1) })
  const entries = max === 0 ? [] : page.entries
  const next = max === 0 ? undefined : page.next
  return {
    xml: document('ListVersionsResult', {
      Name: bucket, Prefix: write(prefix), KeyMarker: write(query.get('key-marker') ?? ''),
      VersionIdMarker: query.get('version-id-marker'), Delimiter: write(delimiter), MaxKeys: max, EncodingType: query.get('encoding-type'),
      IsTruncated: next !== undefined, NextKeyMarker: write(next?.key), NextVersionIdMarker: next?.version,
      Version: entries.filter(({ rolled, marker }) => !rolled && !marker).map(entry => elementOf(call, entry, write)),
      DeleteMarker: entries.filter(({ marker }) => marker).map(entry => elementOf(call, entry, write)),
      CommonPrefixes: entries.filter(({ rolled }) => rolled).map(({ key }) => ({ Prefix: write(key) })),
    }),
  }
}

function elementOf(
  { mill, user }: S3Call, { key, version, latest, marker, status, attributes }: ObjectVersion, write: ReturnType<typeof writing>,
): XmlContent {
  const { id, type, mtimeMs, owner } = status!
  const length = type === 'file' ? status!.length : 0
  return {
    Key: write(key), VersionId: version, IsLatest: latest, LastModified: timeOf(mtimeMs),
    ...!marker && { ETag: `"${etagOf({ id, length }, attributes, mill.cluster)}"`, Size: length, StorageClass: 'STANDARD' },
    Owner: ownerOf(owner || user),
  }
}

export const versionListing: readonly S3Operation[] = [
  { name: 'ListObjectVersions', method: 'GET', on: 'bucket', with: ['versions'], answer: listVersions },
]
