// Header x-amz-expiration of answers about an object: when it expires by the lifecycle of its bucket, and by which rule.

import type { HeaderFields } from '../exchange.ts'
import { tagsName } from './attributes.ts'
import { expirationOf } from './lifecyclerules.ts'
import type { S3Call } from './operation.ts'

interface Described { readonly bytes: number; readonly mtimeMs: number; readonly attributes: Readonly<Record<string, string | undefined>> }

/** No header for an object that does not expire, and for an answer about one version, which may be an older one. */
export function expirationHeader(
  { key, lifecycle = [], query }: Pick<S3Call, 'key' | 'lifecycle' | 'query'>, { bytes, mtimeMs, attributes }: Described,
): HeaderFields {
  if (lifecycle.length === 0 || query.has('versionId')) return {}
  const expiration = expirationOf(lifecycle, { key, bytes, mtimeMs, tags: new URLSearchParams(attributes[tagsName] ?? '') })
  if (!expiration) return {}
  const date = new Date(expiration.atMs).toUTCString()
  return { 'x-amz-expiration': `expiry-date="${date}", rule-id="${encodeURIComponent(expiration.id)}"` }
}
