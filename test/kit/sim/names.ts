// Paths with an index of what lies directly in each directory: a sync of one directory looks at its own names only. Order of iteration is
// that of insertion, in the whole and in each directory: what a power cut leaves is drawn in this order.

class Parents {
  readonly #inside = new Map<string, Set<string>>()

  add(path: string): void {
    const parent = parentOf(path)
    const inside = this.#inside.get(parent)
    if (inside) inside.add(path)
    else this.#inside.set(parent, new Set([path]))
  }

  delete(path: string): void { this.#inside.get(parentOf(path))?.delete(path) }
  clear(): void { this.#inside.clear() }
  in(directory: string): Iterable<string> { return this.#inside.get(directory) ?? [] }
}

export const parentOf = (path: string): string => path.slice(0, path.lastIndexOf('/'))

/** Values by path. */
export class Names<V> extends Map<string, V> {
  readonly #parents = new Parents()

  constructor(entries: Iterable<readonly [string, V]> = []) {
    super()
    for (const [path, value] of entries) this.set(path, value)
  }

  /** Paths directly in a directory; they may be deleted meanwhile. */
  in(directory: string): Iterable<string> { return this.#parents.in(directory) }

  override set(path: string, value: V): this {
    if (!this.has(path)) this.#parents.add(path)
    return super.set(path, value)
  }

  override delete(path: string): boolean {
    this.#parents.delete(path)
    return super.delete(path)
  }

  override clear(): void {
    this.#parents.clear()
    super.clear()
  }
}

export class Paths extends Set<string> {
  readonly #parents = new Parents()

  constructor(paths: Iterable<string> = []) {
    super()
    for (const path of paths) this.add(path)
  }

  /** Paths directly in a directory; they may be deleted meanwhile. */
  in(directory: string): Iterable<string> { return this.#parents.in(directory) }

  override add(path: string): this {
    if (!this.has(path)) this.#parents.add(path)
    return super.add(path)
  }

  override delete(path: string): boolean {
    this.#parents.delete(path)
    return super.delete(path)
  }

  override clear(): void {
    this.#parents.clear()
    super.clear()
  }
}
