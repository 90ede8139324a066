// Keys under which older states of other keys are read: below `.snapshot` those of a snapshot and older versions of objects, and in
// `NAME@VERSION` a version of the output NAME. A policy is decided about the keys that they stand for as well: what it says about a key
// counts for every older state of it. Pure.

import { splitVersion } from '../../../src/base/version-path.ts'

const snapshotName = '.snapshot'
/** Names below which older versions of objects are read: `.snapshot/.objects/NAME/ID`. */
const objectsName = '.objects'

/** Longest list of keys that is worth a decision about each; real keys with more versions in them do not exist. */
export const stoodForMax = 16

/** The key of which this one, or a prefix of it, is an older state in a snapshot or an older version; undefined: it is none. */
export function snapshotOf(key: string): string | undefined {
  const parts = key.split('/')
  const at = parts.indexOf(snapshotName)
  if (at < 0) return undefined
  const [name = '', ...rest] = parts.slice(at + 1)
  const below = name === objectsName ? rest.slice(0, 1) : rest
  const found = [...parts.slice(0, at), ...below].join('/')
  return snapshotOf(found) ?? found
}

/**
 * Keys that this one may stand for by a part `NAME@VERSION`. Only one part can be a version; whether it is one, or the very name of an
 * entry, is not known here.
 */
export function outputsIn(key: string): string[] {
  const parts = key.split('/')
  return parts.flatMap((part, i) => {
    const split = splitVersion(part)
    return split ? [parts.with(i, split.name).join('/')] : []
  })
}
