// The table of operations, and how a request names one: by its method, by whether it names a bucket and a key, and by parameters of the
// query and headers. A parameter of another operation is answered with NotImplemented, never ignored.

import { policyOperations } from './bucketpolicy.ts'
import { bucketOperations } from './buckets.ts'
import { corsOperations } from './cors.ts'
import { S3Error } from './errors.ts'
import { describedOperations } from './described.ts'
import { formOperations } from './forms.ts'
import { lifecycleOperations } from './lifecycle.ts'
import { listingOperations } from './listing.ts'
import { multipartOperations } from './multipart.ts'
import type { S3Operation } from './operation.ts'
import type { Headers } from './payload.ts'
import { readingOperations } from './reading.ts'
import { removingOperations } from './removing.ts'
import { storingOperations } from './storing.ts'
import { aclOperations } from './acl.ts'
import { tagOperations } from './tags.ts'
import type { S3Target } from './target.ts'
import { versionListing } from './versionlisting.ts'
import { versioningOperations } from './versioning.ts'

export const operations: readonly S3Operation[] = [
  ...bucketOperations, ...listingOperations, ...versionListing, ...multipartOperations, ...readingOperations, ...describedOperations,
  ...storingOperations,
  ...removingOperations,
  ...tagOperations, ...aclOperations, ...corsOperations, ...formOperations, ...policyOperations,
  ...lifecycleOperations, ...versioningOperations,
]

/** Parameters that name an operation of S3. All others are arguments. */
const naming: ReadonlySet<string> = new Set([
  ...operations.flatMap(each => each.with ?? []),
  'abac', 'analytics', 'intelligent-tiering', 'inventory', 'legal-hold', 'metrics', 'metadataTable', 'renameObject',
  'restore', 'retention', 'select', 'session', 'torrent',
])

/** By method and by what the request names: each request looks at the few of its kind. */
const byKind = Map.groupBy(operations, ({ method, on }) => `${method} ${on}`)

const same = (a: readonly string[], b: readonly string[]): boolean => a.length === b.length && a.every(each => b.includes(each))

/** Throws NotImplemented, MethodNotAllowed. */
export function operationOf(method: string, { bucket, key, query }: S3Target, headers: Headers): S3Operation {
  const on = bucket === undefined ? 'service' : key === undefined ? 'bucket' : 'object'
  const named = query.names.filter(name => naming.has(name))
  const found = (byKind.get(`${method} ${on}`) ?? []).filter(each =>
    same(each.with ?? [], named)
    && (each.when === undefined || query.get(each.when[0]) === each.when[1])
    && (each.header === undefined || headers[each.header] !== undefined))
  // The one that asks for more.
  const [best] = found.sort((a, b) => weight(b) - weight(a))
  if (best) return best
  if (named.length > 0)
    throw new S3Error('NotImplemented',
    `A parameter you provided implies functionality that is not implemented: ${named.join(', ')} with ${method}`)
  throw new S3Error('MethodNotAllowed', 'The specified method is not allowed against this resource.')
}

const weight = ({ when, header }: S3Operation): number => (when ? 1 : 0) + (header ? 1 : 0)
