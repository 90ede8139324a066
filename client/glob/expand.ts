// Matches a pattern against a name tree, local or in the cluster. Used for operands of the command line, `mill.glob` and inputs of
// jobs; docs/reference/patterns.md describes the language.
// Invariants: a directory is listed at most once for each alternative of the braces, and only if the pattern can reach it; each
// path is returned once; `**` follows no symbolic link, so that there are no cycles.

import { hasCode } from '../../src/base/errors.ts'
import { endsAsDirectory } from '../../src/base/paths.ts'
import { alternatives } from './braces.ts'
import { isPattern, namePattern, type NamePattern } from './pattern.ts'

export interface GlobEntry {
  readonly name: string
  readonly directory: boolean
  /** True for a symbolic link, whatever its target. */
  readonly link?: boolean
}

export interface GlobTree<E extends GlobEntry = GlobEntry> {
  /** Directory in which a pattern starts. */
  start(pattern: string): string
  join(directory: string, name: string): string
  /** Entries of a directory, in byte order. */
  list(directory: string): AsyncIterable<E>
  /** undefined if the path does not exist. */
  find(path: string): Promise<E | undefined>
}

interface GlobMatch<E> { readonly path: string; readonly entry: E }

interface ExpandOptions<E> {
  /** Names that begin with one of these characters match only if the pattern has that character literally; default: a dot. */
  readonly hidden?: string
  /** Called for entries that did not match for that reason alone. */
  readonly onHidden?: ((found: GlobMatch<E>) => void) | undefined
}

/** One component of a pattern: a name pattern, or `**`. */
type Segment = NamePattern | 'deep'

/**
 * Yields matches alternative by alternative, each in byte order within its directories. Throws EINVAL for a pattern with too many
 * alternatives.
 */
export async function* expand<E extends GlobEntry>(
  pattern: string, tree: GlobTree<E>, options: ExpandOptions<E> = {},
): AsyncGenerator<GlobMatch<E>, void, undefined> {
  const all = pattern.includes('{') ? alternatives(pattern) : [pattern]
  const given = pattern.includes('{') ? new Set<string>() : undefined
  for (const one of all) {
    for await (const found of new Walk(one, tree, options).run()) {
      if (given?.has(found.path)) continue
      given?.add(found.path)
      yield found
    }
  }
}

class Walk<E extends GlobEntry> {
  readonly #segments: readonly Segment[]
  readonly #start: string
  readonly #directoriesOnly: boolean
  readonly #tree: GlobTree<E>
  readonly #hidden: string
  readonly #onHidden: ((found: GlobMatch<E>) => void) | undefined

  constructor(pattern: string, tree: GlobTree<E>, { hidden = '.', onHidden }: ExpandOptions<E>) {
    this.#tree = tree
    this.#hidden = hidden
    this.#onHidden = onHidden
    this.#start = tree.start(pattern)
    this.#directoriesOnly = endsAsDirectory(pattern)
    // A slash is a separator, with or without a backslash.
    const parts = pattern
      .replaceAll(/(\\[^/])|\\\//g, (_, kept: string | undefined) => kept ?? '/')
      .split('/')
      .filter(part => part !== '' && part !== '.')
    this.#segments = parts
      .filter((part, i) => part !== '**' || parts[i + 1] !== '**')
      .map(part => (part === '**' ? 'deep' : namePattern(part)))
  }

  async *run(): AsyncGenerator<GlobMatch<E>, void, undefined> {
    if (this.#segments.length > 0) {
      yield* this.#below(this.#start, this.#closed([0]))
    } else {
      const entry = this.#start === '' ? undefined : await this.#tree.find(this.#start)
      if (entry) yield { path: this.#start, entry }
    }
  }

  /** `reached`: indexes of the segments that names in this directory are matched against. */
  async *#below(directory: string, reached: readonly number[]): AsyncGenerator<GlobMatch<E>, void, undefined> {
    const plain = new Set(reached.map(i => this.#segments[i]!).map(segment => (segment === 'deep' ? undefined : segment.literal)))
    const listed = plain.delete(undefined)
    // Literal names are looked up directly; so is `..`, which no listing contains.
    for (const name of listed ? [...plain].filter(each => each === '..') : plain) {
      const entry = await this.#tree.find(this.#tree.join(directory, name!))
      if (entry) yield* this.#met(directory, { entry, name: name! }, reached)
    }
    if (!listed) return
    for await (const entry of this.#entries(directory)) yield* this.#met(directory, { entry, name: entry.name }, reached)
  }

  async *#met(
    directory: string, { entry, name }: { entry: E; name: string }, reached: readonly number[],
  ): AsyncGenerator<GlobMatch<E>, void, undefined> {
    const next: number[] = []
    let matched = false
    let hidden = false
    for (const i of reached) {
      const segment = this.#segments[i]!
      const last = i === this.#segments.length - 1
      if (
        !(segment === 'deep' ? entry.directory || last : segment.literal === undefined ? segment.matches(name) : segment.literal === name)
      )
        continue
      if (this.#hidden.includes(name[0]!) && (segment === 'deep' || segment.first !== name[0])) {
        hidden = true
        continue
      }
      if (last) matched = true
      if (segment !== 'deep') {
        if (!last) next.push(i + 1)
      } else if (entry.link !== true) next.push(i)
    }
    const path = this.#tree.join(directory, name)
    if (matched && (entry.directory || !this.#directoriesOnly)) yield { path, entry }
    if (hidden && !matched && next.length === 0 && (entry.directory || !this.#directoriesOnly)) this.#onHidden?.({ path, entry })
    if (entry.directory && next.length > 0) yield* this.#below(path, this.#closed(next))
  }

  /**
   * Adds the segments after each `**`, which may match no directory at all. A final `**` matches the entries below its directory,
   * not the directory itself.
   */
  #closed(states: readonly number[]): number[] {
    const all = new Set(states)
    for (const i of all) if (this.#segments[i] === 'deep' && i + 1 < this.#segments.length) all.add(i + 1)
    return [...all].sort((a, b) => a - b)
  }

  /** A path that is no directory, or no longer exists, has no entries. */
  async *#entries(directory: string): AsyncGenerator<E, void, undefined> {
    try {
      yield* this.#tree.list(directory)
    } catch (error) {
      if (!hasCode(error, 'ENOENT', 'ENOTDIR') && !isGone(error)) throw error
    }
  }
}

/** ENOENT or ENOTDIR of node:fs about a local directory. */
const isGone = (error: unknown): boolean =>
  error instanceof Error && 'code' in error && (error.code === 'ENOENT' || error.code === 'ENOTDIR')

export { isPattern }
