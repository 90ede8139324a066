// Model of a bucket with versioning, as AWS documents it, with keys and keys below them: a key whose name is that of a directory of keys
// has no object. Each key has one client, so that the model knows every version of which the client was told. A request without an answer
// may have made or removed a version: the key, and those above and below it, are in doubt from then on, and only the versions that are
// known are asserted: they are there, with their bytes.

import type { Content } from './plan.ts'

export interface KnownVersion {
  readonly id: string
  /** undefined: a delete marker. */
  readonly content?: Content | undefined
}

export interface ExpectedVersion extends KnownVersion { readonly latest: boolean }

class KeyModel {
  /** The object. */
  file: KnownVersion | undefined
  /** The newest first. */
  older: KnownVersion[] = []
  /** The newest older version is the object once the directory of the key's name is gone. */
  isCovered = false
  inDoubt = false
  /** Versions whose removal had no answer. */
  readonly mayBeGone = new Set<string>()
  /** All contents that the client has sent. */
  readonly sent: Content[] = []

  get all(): KnownVersion[] { return [...this.file ? [this.file] : [], ...this.older] }
}

export class VersionModel {
  readonly #keys = new Map<string, KeyModel>()

  get keys(): string[] { return [...this.#keys.keys()].sort() }

  of(key: string): KeyModel {
    const known = this.#keys.get(key) ?? new KeyModel()
    this.#keys.set(key, known)
    return known
  }

  /** The key's name is that of a directory. */
  isDirectory(key: string): boolean {
    return this.keys.some(each => each.startsWith(`${key}/`) && this.of(each).all.length > 0)
  }

  /** The directory of the key cannot be made, because its name is that of an object. */
  isBelowObject(key: string): boolean { return this.#above(key).some(each => this.of(each).file !== undefined) }

  stored(key: string, version: KnownVersion): void {
    const of = this.of(key)
    of.isCovered = false
    if (of.file) of.older.unshift(of.file)
    of.file = version
  }

  /** A delete marker was added. */
  deleted(key: string, id: string): void {
    const of = this.of(key)
    of.isCovered = false
    if (of.file) of.older.unshift(of.file)
    of.file = undefined
    of.older.unshift({ id })
  }

  removed(key: string, id: string): void {
    const of = this.of(key)
    const isObject = of.file?.id === id
    const [newest] = of.older
    const wasMarked = !of.file && newest?.id === id && newest.content === undefined
    if (isObject) of.file = undefined
    else of.older = of.older.filter(each => each.id !== id)
    if (isObject || wasMarked) {
      if (this.isDirectory(key)) of.isCovered = of.older[0]?.content !== undefined
      else this.#restore(of)
    }
    // Its directories go with the last version.
    for (const above of this.#above(key)) {
      const each = this.of(above)
      if (!each.isCovered || this.isDirectory(above)) continue
      each.isCovered = false
      this.#restore(each)
    }
  }

  /** A request about the key had no answer. */
  doubt(key: string): void {
    for (const each of this.keys)
      if (each === key || each.startsWith(`${key}/`) || key.startsWith(`${each}/`)) this.of(each).inDoubt = true
  }

  /** REQUIRES: the key is not in doubt. */
  expected(key: string): ExpectedVersion[] {
    const { file, older } = this.of(key)
    return [
      ...file ? [{ ...file, latest: true }] : [],
      ...older.map((each, i) => ({ ...each, latest: !file && i === 0 && each.content === undefined })),
    ]
  }

  #restore(of: KeyModel): void {
    if (of.older[0]?.content !== undefined) of.file = of.older.shift()!
  }

  #above(key: string): string[] { return this.keys.filter(each => key.startsWith(`${each}/`)) }
}
