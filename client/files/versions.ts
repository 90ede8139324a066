// `mill.versions`: the history of a job's output. A job that replaces an output keeps the old one as a version, which every read finds at
// PATH@NUMBER or PATH@TAG; a rollback makes one the output again, in one step.

import { GristmillError, hasCode } from '../../src/base/errors.ts'
import type { InodeId } from '../../src/base/ids.ts'
import { checkTag, splitVersion, splitVersionPath } from '../../src/base/version-path.ts'
import { nameOf } from '../../src/base/paths.ts'
import { stat } from '../../src/protocol/namespace.ts'
import * as protocol from '../../src/protocol/version.ts'
import type { Version, VersionDetail } from '../../src/protocol/version.ts'
import type { CallMessage } from '../call/cluster.ts'
import { callOptions, optionsOf, pathOf, shown, textOf, type CallOptions, type Path } from '../call/arguments.ts'
import { checkInteger } from '../call/integers.ts'
import { paged } from '../call/pages.ts'
import { during, perform } from '../call/perform.ts'

interface RollbackOptions extends CallOptions {
  /** Number or tag of the version; default: the one before the newest. */
  readonly to?: number | string | undefined
}

export class Versions {
  readonly #ask: CallMessage

  constructor(ask: CallMessage) { this.#ask = ask }

  /** Versions of an output, newest first. Throws ENOENT, ENOTDIR, EACCES, and EINVAL for a directory that no job has published. */
  async *list(path: Path, options?: CallOptions | null): AsyncGenerator<Version, void, undefined> {
    const [output, { signal }] = await during('history', path, async () => [pathOf(path), callOptions('list', options)()] as const)
    const ask = (before?: number) => this.#ask(protocol.list, { path: output, ...before !== undefined && { before } }, signal)
    for await (const page of paged((before?: number) => during('history', path, () => ask(before), signal))) yield* page.versions
  }

  /**
   * One version with what made it: parameters, inputs with the versions that were read, options. `path`: an output, for its newest
   * version, or PATH@VERSION. `intact`: its files are those that the job published.
   */
  show(path: Path, options?: CallOptions | null): Promise<VersionDetail> {
    return perform('history', path, callOptions('show', options), async ({ signal }) => {
      const { output, version } = await outputNamed(this.#ask, pathOf(path), signal)
      return this.#ask(protocol.show, { path: output, ...version !== undefined && { version } }, signal)
    })
  }

  /**
   * Makes an older version of an output the newest one, under a new number, which is returned with the number of the old one. `freed`:
   * versions that were freed for it, because no more are kept. Readers of other versions are not disturbed. Throws EINVAL if there is
   * nothing to roll back, EACCES for callers who may not replace the output, EBUSY if a running job will publish there.
   */
  rollback(path: Path, options?: RollbackOptions | null): Promise<{
    readonly version: number; readonly from: number; readonly freed?: readonly number[]
  }> {
    return perform(
      'rollback', path, () => optionsOf<RollbackOptions>(options, 'rollback', { to: true, signal: true }),
      async ({ to, signal }) => this.#ask(protocol.rollback, { path: pathOf(path), ...to !== undefined && { to: versionOf(to) } }, signal),
    )
  }

  /** Gives a version (PATH@VERSION) a name, under which it is read as well, and which keeps it from being freed. Throws EEXIST. */
  tag(path: Path, tag: string, options?: CallOptions | null): Promise<void> {
    return perform('tag', path, callOptions('tag', options), async ({ signal }) => {
      checkTag(textOf(tag, 'tag'))
      await this.#ask(protocol.setTag, { ...versionPathOf(path), tag }, signal)
    })
  }

  /** Removes the tag of a version, PATH@TAG or PATH@NUMBER. */
  untag(path: Path, options?: CallOptions | null): Promise<void> {
    return perform('untag', path, callOptions('untag', options), async ({ signal }) => {
      await this.#ask(protocol.setTag, versionPathOf(path), signal)
    })
  }

  /** Frees one older version, PATH@NUMBER. Throws ENOENT, EACCES, and EINVAL for the newest version and for a tagged one. */
  rm(path: Path, options?: CallOptions | null): Promise<void> {
    return perform('rm', path, callOptions('rm', options), async ({ signal }) => {
      await this.#ask(protocol.remove, versionPathOf(path), signal)
    })
  }

  /** Frees all older versions of an output but the newest `count`, and tagged ones. Returns the number of freed versions. */
  keep(path: Path, count: number, options?: CallOptions | null): Promise<number> {
    return perform('keep', path, callOptions('keep', options), async ({ signal }) => {
      checkInteger('number of versions', count ?? Number.NaN, 0)
      const output = pathOf(path)
      let freed = 0
      for (let more = true; more;) {
        const done = await this.#ask(protocol.keep, { path: output, keep: count }, signal)
        freed += done.freed
        more = done.more
      }
      return freed
    })
  }
}

/** Version as given: a number, or a tag. */
function versionOf(given: unknown): string {
  if (typeof given === 'number') {
    checkInteger('number of the version', given, 1)
    return String(given)
  }
  return textOf(given, 'version', { max: 100 })
}

/** Splits PATH@VERSION. Throws EINVAL. */
function versionPathOf(given: Path): { readonly path: string; readonly version: string } {
  const path = pathOf(given)
  const split = splitVersionPath(path)
  if (split) return split
  throw new GristmillError('EINVAL', `${shown(path)} names no version; write PATH@NUMBER, as "gristmill history ${path}" shows them`, {
    details: { path },
  })
}

/**
 * Versions that are the directory `id`, with the present path of their output: it may have been renamed since it was at `path`. undefined:
 * none is left, or the caller may not read it.
 */
export async function versionsOfDirectory(
  ask: CallMessage, { path, id }: { readonly path: string; readonly id: InodeId }, signal: AbortSignal | undefined,
): Promise<{ readonly path: string; readonly versions: readonly Version[] } | undefined> {
  try {
    const found = await ask(protocol.list, { path, id }, signal)
    const versions = found.versions.filter(version => version.id === id)
    return versions.length > 0 ? { path: found.path, versions } : undefined
  } catch (error) {
    if (hasCode(error, 'ENOENT', 'ENOTDIR', 'EACCES', 'EINVAL')) return undefined
    throw error
  }
}

/** Output and version of a path as `find` would resolve it: an entry of that very name wins over a version. */
export async function outputNamed(
  ask: CallMessage, path: string, signal: AbortSignal | undefined,
): Promise<{ readonly output: string; readonly version?: string }> {
  const split = splitVersion(nameOf(path)) ? splitVersionPath(path) : undefined
  if (!split) return { output: path }
  // A literal directory has its own inode; the version and the path without it lead to one history.
  const { versions } = await ask(protocol.list, { path: split.path }, signal).catch(() => ({ versions: [] }))
  const found = versions.find(({ number, tag }) => String(number) === split.version || tag === split.version)
  if (!found) return { output: path }
  const { id } = await ask(stat, { path }, signal)
  return id === found.id ? { output: split.path, version: split.version } : { output: path }
}
