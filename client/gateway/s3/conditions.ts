// Conditions of requests: on reads by entity tag and time (RFC 9110), and on writes and deletions by entity tag. A condition of a write is
// handed to the namenode as the file that was seen, and holds in the same transaction as the write.

import { hasCode } from '../../../src/base/errors.ts'
import type { Expected } from '../../../src/protocol/object.ts'
import { etagName, etagOf } from './attributes.ts'
import { S3Error } from './errors.ts'
import type { S3Call } from './operation.ts'
import type { Headers } from './payload.ts'

const failed = (condition: string): S3Error =>
  new S3Error('PreconditionFailed', `At least one of the pre-conditions you specified did not hold: ${condition}`)

const matches = (header: string, etag: string): boolean =>
  header.split(',').map(each => each.trim().replace(/^W\//, '')).some(each => each === '*' || each === `"${etag}"` || each === etag)

/** Time of a header in whole seconds; undefined if it is missing or invalid, which counts as missing. */
function secondsOf(header: string | string[] | undefined): number | undefined {
  const ms = typeof header === 'string' ? Date.parse(header) : Number.NaN
  return Number.isNaN(ms) ? undefined : Math.floor(ms / 1000)
}

/** Names of the headers of a condition: those of the request, or those about the source of a copy. */
const named = (prefix: string, headers: Headers) => ({
  match: headers[`${prefix}if-match`], noneMatch: headers[`${prefix}if-none-match`],
  modified: secondsOf(headers[`${prefix}if-modified-since`]), unmodified: secondsOf(headers[`${prefix}if-unmodified-since`]),
})

/** True if the client has this state already (304). Throws PreconditionFailed. */
export function isUnchanged(headers: Headers, { etag, mtimeMs }: { etag: string; mtimeMs: number }, prefix = ''): boolean {
  const { match, noneMatch, modified, unmodified } = named(prefix, headers)
  const seconds = Math.floor(mtimeMs / 1000)
  if (match !== undefined) {
    if (!matches(String(match), etag)) throw failed('If-Match')
  } else if (unmodified !== undefined && seconds > unmodified) throw failed('If-Unmodified-Since')
  if (noneMatch !== undefined) return matches(String(noneMatch), etag)
  return modified !== undefined && seconds <= modified
}

/** Condition of a write or a deletion at a path. Throws PreconditionFailed, and NoSuchKey for `If-Match` on a missing object. */
export async function expectedAt({ mill, headers, signal }: S3Call, path: string): Promise<Expected | undefined> {
  const [match, noneMatch] = [headers['if-match'], headers['if-none-match']]
  if (match === undefined && noneMatch === undefined) return undefined
  if (noneMatch !== undefined && noneMatch !== '*')
    throw new S3Error('NotImplemented', 'A header you provided implies functionality that is not implemented: If-None-Match with an entity tag')
  const found = await mill.objects.get(path, { attributes: [etagName], signal }).catch((error: unknown) => {
    if (hasCode(error, 'ENOENT', 'ENOTDIR')) return undefined
    throw error
  })
  const file = found?.status.type === 'file' ? found : undefined
  if (noneMatch !== undefined) {
    if (file) throw failed('If-None-Match')
    return { absent: true }
  }
  if (!file) throw new S3Error('NoSuchKey', 'The specified key does not exist.')
  if (!matches(String(match), etagOf(file.status, file.attributes, mill.cluster))) throw failed('If-Match')
  return { id: file.status.id }
}
