// Names of versions of outputs in paths: `NAME@3` is version 3 of NAME, `NAME@TAG` the version with this tag.

import { GristmillError } from './errors.ts'
import { nameOf, parentOf, join } from './paths.ts'

/** Splits at the last `@`. undefined: the name has none, or nothing beside it. */
export function splitVersion(name: string): { readonly name: string; readonly version: string } | undefined {
  const at = name.lastIndexOf('@')
  return at > 0 && at < name.length - 1 ? { name: name.slice(0, at), version: name.slice(at + 1) } : undefined
}

/** Splits the last name of a normal path. */
export function splitVersionPath(path: string): { readonly path: string; readonly version: string } | undefined {
  const split = splitVersion(nameOf(path))
  return split && { path: join(parentOf(path), split.name), version: split.version }
}

export const tagCharsMax = 100

/** Throws EINVAL unless the text can be a tag: it is read as `PATH@TAG`, and must not look like a number. */
export function checkTag(tag: string): void {
  if (/^[A-Za-z_][\w.-]*$/.test(tag) && tag.length <= tagCharsMax) return
  throw new GristmillError(
    'EINVAL',
    `${JSON.stringify(tag)} cannot be a tag: one begins with a letter and has only letters, digits, "_", "-" and ".", at most ${tagCharsMax}`,
  )
}
