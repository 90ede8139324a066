// Conditions of requests: on reads by entity tag and time (RFC 9110), and on writes and deletions by entity tag. A condition of a write is
// handed to the namenode as the file or the directory that was seen, and holds in the same transaction as the write.

import { hasCode } from '../../../src/base/errors.ts'
import type { Expected } from '../../../src/protocol/object.ts'
import type { FoundObject } from '../../files/objects.ts'
import { etagOf, objectNames } from './attributes.ts'
import { S3Error } from './errors.ts'
import type { S3Call } from './operation.ts'
import { isDirectoryKey } from './paths.ts'
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

/** Attributes that make the directory of a key with a slash at its end the object: a condition is about it, too. */
export const keyAttributesOf = (key: string): { readonly keyAttributes?: readonly string[] } =>
  (isDirectoryKey(key) ? { keyAttributes: objectNames } : {})

/**
 * Condition of a write or a deletion at a path; `directory`: may be the object, while the path has no file. Throws PreconditionFailed, and
 * NoSuchKey for `If-Match` on a missing object.
 */
export async function expectedAt(call: S3Call, path: string, directory: string | undefined): Promise<Expected | undefined> {
  const { mill, headers } = call
  const [match, noneMatch] = [headers['if-match'], headers['if-none-match']]
  if (match === undefined && noneMatch === undefined) return undefined
  if (noneMatch !== undefined && noneMatch !== '*')
    throw new S3Error('NotImplemented', 'A header you provided implies functionality that is not implemented: If-None-Match with an entity tag')
  const found = await objectAt(call, path, directory)
  if (noneMatch !== undefined) {
    if (found) throw failed('If-None-Match')
    return { absent: true }
  }
  if (!found) throw new S3Error('NoSuchKey', 'The specified key does not exist.')
  const { status: { id, type, length }, attributes } = found
  if (!matches(String(match), etagOf({ id, length: type === 'directory' ? 0 : length }, attributes, mill.cluster))) throw failed('If-Match')
  return { id }
}

/** The file at a path, or the directory that is the key. */
async function objectAt({ mill, signal }: S3Call, path: string, directory: string | undefined): Promise<FoundObject | undefined> {
  const get = (at: string): Promise<FoundObject | undefined> =>
    mill.objects.get(at, { attributes: objectNames, signal }).catch((error: unknown) => {
      if (hasCode(error, 'ENOENT', 'ENOTDIR')) return undefined
      throw error
    })
  const found = await get(path)
  if (found?.status.type === 'file') return found
  const above = directory === undefined ? undefined : await get(directory)
  return above?.isKey ? above : undefined
}
