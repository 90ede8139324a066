// Object keys: names of files below a directory (the bucket) as object stores have them, and their order. A key is a path without a slash
// in front; its parts may be empty, `.` or `..`, which no name of the namespace is. Such a part is kept under a name that stands for it.
// The namenode lists keys in their order, and a gateway finds the path of a key: both use this file.

import { GristmillError } from '../base/errors.ts'
import { limits } from '../base/limits.ts'

/** Longest key in bytes of UTF-8, as in S3. */
const keyBytesMax = 1024

const standIns: ReadonlyMap<string, string> = new Map([['', '%empty'], ['.', '%dot'], ['..', '%dotdot']])
const partsBehind: ReadonlyMap<string, string> = new Map([...standIns].map(([part, name]) => [name, part]))

/** Names that stand for a part of a key that cannot be a name. */
export const standInNames: readonly string[] = [...partsBehind.keys()]

export const nameOfPart = (part: string): string => standIns.get(part) ?? part

/** Part of a key that a name in a directory stands for. */
export const partOf = (name: string): string => partsBehind.get(name) ?? name

/** Names of a key, in order. Throws EINVAL for a key that has no names here, ENAMETOOLONG. */
export function namesOfKey(key: string): string[] {
  if (key === '') throw new GristmillError('EINVAL', 'the key is empty')
  if (Buffer.byteLength(key) > keyBytesMax)
    throw new GristmillError('ENAMETOOLONG', `the key has ${Buffer.byteLength(key)} bytes; at most ${keyBytesMax} are allowed`)
  if (key.includes('\0') || !key.isWellFormed())
    throw new GristmillError('EINVAL', 'the key has a NUL, or half of a surrogate pair')
  return key.split('/').map(part => {
    if (partsBehind.has(part))
      throw new GristmillError(
        'EINVAL', `"${part}" cannot be a part of a key: it is the name under which an empty part, "." and ".." are kept; choose another name`,
      )
    if (Buffer.byteLength(part) > limits.nameBytesMax)
      throw new GristmillError(
        'ENAMETOOLONG',
        `a part of the key between two slashes has ${Buffer.byteLength(part)} bytes; at most ${limits.nameBytesMax} are allowed`,
      )
    return nameOfPart(part)
  })
}

/** Order of UTF-8 bytes, in which keys are listed. JavaScript's own order differs above U+FFFF. */
export function compareKeys(a: string, b: string): number {
  const length = Math.min(a.length, b.length)
  for (let i = 0; i < length; i++) {
    const [x, y] = [a.charCodeAt(i), b.charCodeAt(i)]
    if (x === y) continue
    // Surrogates stand for characters above all others.
    const [xHigh, yHigh] = [x >= 0xd800 && x < 0xe000, y >= 0xd800 && y < 0xe000]
    return xHigh === yHigh ? x - y : xHigh ? 1 : -1
  }
  return a.length - b.length
}
