// Keys under which older states of other keys are read: below `.snapshot` those of a snapshot and older versions of objects, and in
// `NAME@VERSION` a version of the output NAME. A policy is decided about the keys that they stand for as well: what it says about a key
// counts for every older state of it. Pure.

import { splitVersion } from '../../../src/base/version-path.ts'

const snapshotName = '.snapshot'
/** Names below which older versions of objects are read: `.snapshot/.objects/NAME/ID`. */
const objectsName = '.objects'

/** Most keys that one key may stand for by its versions: real keys with more than four versions in them do not exist. */
const stoodForMax = 2 ** 4 - 1

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
 * Keys that this one may stand for by its parts `NAME@VERSION`. Outputs may lie in outputs, so that each of these parts can be a version;
 * whether it is one, or the very name of an entry, is not known here: the result has a key for every choice. undefined: there are more of
 * them than are worth a decision about each.
 */
export function outputsIn(key: string): string[] | undefined {
  let heads: string[] = []
  for (const [i, part] of key.split('/').entries()) {
    const split = splitVersion(part)
    const names = split ? [part, split.name] : [part]
    heads = i === 0 ? names : heads.flatMap(head => names.map(name => `${head}/${name}`))
    if (heads.length > stoodForMax + 1) return undefined
  }
  // The first one is the key itself.
  return heads.slice(1)
}
