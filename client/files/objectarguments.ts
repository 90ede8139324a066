// Arguments of `mill.objects` in the form that its messages have: names and values of attributes, conditions, parts, places in lists.

import { limits } from '../../src/base/limits.ts'
import { GristmillError } from '../../src/base/errors.ts'
import type { InodeId } from '../../src/base/ids.ts'
import { objectVersionsPath, type Expected } from '../../src/protocol/object.ts'
import { flagsOf, pathOf, shown, textOf, type CallOptions } from '../call/arguments.ts'
import { checkInteger } from '../call/integers.ts'

/** Attributes by name, for instance `user.origin`. */
export type ObjectAttributes = Readonly<Record<string, string>>

export interface AttributeOptions extends CallOptions {
  /** Names of attributes that are returned, at most 10; default: none. */
  readonly attributes?: readonly string[] | undefined
}

export interface PublishObjectOptions {
  /** Directory above the path that must exist, whatever is created. */
  readonly base?: string | undefined
  /** Creates missing directories. */
  readonly parents?: boolean | undefined
  readonly attributes?: ObjectAttributes | undefined
  /** State of the path that the caller has seen: no file, or the file with this id. */
  readonly expect?: Expected | undefined
  /**
   * Names of attributes that make a directory a key. At the path of the content of such a key, `expect` is about the key: its content, or
   * else the directory.
   */
  readonly keyAttributes?: readonly string[] | undefined
  readonly mtimeMs?: number | undefined
}

export interface VersionPlace { readonly key: string; readonly version?: string | undefined }

/** Files in the directory of an upload, in the order of the object. */
export type ObjectParts = ReadonlyArray<{ readonly name: string; readonly id: InodeId }>

export function placeOf(after: VersionPlace): VersionPlace & { readonly version?: string } {
  const { key, version } = Object.fromEntries(pairsOf(after, 'place after which a page begins')) as { key?: unknown; version?: unknown }
  if (typeof key !== 'string')
    throw new GristmillError('EINVAL', `the place after which a page begins is { key, version }, not ${shown(after)}`)
  return { key, ...version !== undefined && { version: checkedVersion(version) } }
}

export const aboveOf = (path: string): string => path.slice(0, path.lastIndexOf('/')) || '/'

/** Path under which a version of a file is read, in every door; the file itself has one too. */
export const objectVersionPath = (path: string, version: string): string =>
  `${path.slice(0, path.lastIndexOf('/'))}/${objectVersionsPath}/${path.slice(path.lastIndexOf('/') + 1)}/${version}`

const versionForm = /^(?:[0-9a-f]{12}|null)$/

/** True for a text that may be the id of a version. */
export const isObjectVersion = (text: string): boolean => versionForm.test(text)

export function checkedVersion(version: unknown): string {
  if (typeof version === 'string' && isObjectVersion(version)) return version
  throw new GristmillError('EINVAL', `the version of an object is 12 hexadecimal digits or "null", not ${shown(version)}`)
}

/** Characters of a key, a prefix or a marker: those of a path. */
const keyCharsMax = limits.pathBytesMax
const attributesMax = 10

export function checkKeyTexts(texts: Readonly<Record<'prefix' | 'delimiter' | 'start', unknown>>): void {
  for (const [what, text] of Object.entries(texts))
    if (text !== undefined && (typeof text !== 'string' || text.length > keyCharsMax || (what === 'delimiter' && text === '')))
      throw new GristmillError('EINVAL', `the ${what} of a list of keys is a text of at most ${keyCharsMax} characters, not ${shown(text)}`)
}

function attributeName(name: unknown): string {
  if (Buffer.byteLength(textOf(name as string, 'name of the attribute')) <= limits.nameBytesMax) return name as string
  throw new GristmillError('EINVAL', `the name of an attribute has at most ${limits.nameBytesMax} bytes`)
}

export function namesOf(attributes: readonly string[] = []): string[] {
  if (!Array.isArray(attributes) || attributes.length > attributesMax)
    throw new GristmillError('EINVAL', `the attributes are a list of at most ${attributesMax} names, not ${shown(attributes)}`)
  return attributes.map(attributeName)
}

export const attributesOf = (found: ReadonlyArray<{ readonly name: string; readonly value: string }>): ObjectAttributes =>
  Object.fromEntries(found.map(({ name, value }) => [name, Buffer.from(value, 'base64').toString()]))

/** Attributes as the message has them. */
export function valuesOf(attributes: ObjectAttributes): { name: string; value: string }[] {
  const pairs = pairsOf(attributes, 'attributes')
  if (pairs.length > attributesMax) throw new GristmillError('EINVAL', `an object is written with at most ${attributesMax} attributes`)
  return pairs.map(([name, value]) => {
    if (typeof value !== 'string' || Buffer.byteLength(value) > limits.attributeBytesMax)
      throw new GristmillError(
        'EINVAL', `the value of ${shown(name)} is a text of at most ${limits.attributeBytesMax} bytes, not ${shown(value)}`,
      )
    return { name: attributeName(name), value: Buffer.from(value).toString('base64') }
  })
}

/** Entries of a plain object that a caller gave. */
function pairsOf(given: unknown, what: string): [string, unknown][] {
  if (typeof given !== 'object' || given === null || Array.isArray(given) || ArrayBuffer.isView(given))
    throw new GristmillError('EINVAL', `the ${what} are an object, not ${shown(given)}`)
  try {
    return Object.entries(given)
  } catch (error) {
    throw new GristmillError('EINVAL', `the ${what} cannot be read: ${error instanceof Error ? error.message : shown(error)}`,
      { cause: error })
  }
}

const isId = (id: unknown): id is InodeId => Number.isSafeInteger(id) && (id as number) >= 0

export function expectedOf(expect: Expected): Expected {
  const { absent, id } = Object.fromEntries(pairsOf(expect, 'expectations')) as { absent?: unknown; id?: unknown }
  if (absent === true && id === undefined) return { absent }
  if (isId(id) && absent === undefined) return { id }
  throw new GristmillError('EINVAL', 'what is expected of a path is { absent: true } or { id }, with the number of a file')
}

export function partsOf(parts: ObjectParts | undefined): { name: string; id: InodeId }[] {
  if (!Array.isArray(parts) || parts.length === 0 || parts.length > limits.fileBlocksMax)
    throw new GristmillError('EINVAL', `an object is joined from a list of 1 to ${limits.fileBlocksMax} parts`)
  return parts.map(part => {
    const { name, id } = Object.fromEntries(pairsOf(part, 'parts')) as { name?: unknown; id?: unknown }
    if (typeof name !== 'string' || name === '' || Buffer.byteLength(name) > limits.nameBytesMax || !isId(id))
      throw new GristmillError('EINVAL', 'a part is { name, id }: the name of a file in the directory of the upload, and its number')
    return { name, id }
  })
}

export function publishing(options: PublishObjectOptions) {
  const { base, parents, attributes, expect, keyAttributes, mtimeMs } = options
  flagsOf(options, 'parents')
  checkInteger('time in milliseconds', mtimeMs, 0, 2 ** 48 - 1)
  return {
    ...base !== undefined && { base: pathOf(base) }, ...parents !== undefined && { parents }, ...mtimeMs !== undefined && { mtimeMs },
    ...expect !== undefined && { expect: expectedOf(expect) }, ...attributes !== undefined && { attributes: valuesOf(attributes) },
    ...keyAttributes !== undefined && { keyAttributes: namesOf(keyAttributes) },
  }
}
