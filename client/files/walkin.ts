// Walk over a local tree that is copied into the cluster. Local links are followed: the cluster has none.

import { basename } from 'node:path'
import type { GristmillError } from '../../src/base/errors.ts'
import { join } from '../../src/base/paths.ts'
import type { Disk, DiskStat } from '../../src/ports/disk.ts'
import { slashed } from '../call/arguments.ts'
import { keptTime, makeDirectory, modesOfCopy, type ModesOfCopy } from './copymodes.ts'
import { dropList, withoutList } from './keep.ts'
import { below, putLocal } from './local.ts'
import { directoryGiven, refusal, Walking, type CopyStep, type CopyTools, type CopyWalk, type WalkOptions } from './walk.ts'
import { createOptions } from './write.ts'

/** Walk from the local disk into the cluster. `at` maps local paths to absolute ones. */
export function walkIn(
  { names, files, disk }: CopyTools, from: string, to: string, options: WalkOptions, at = (path: string): string => path,
): CopyWalk {
  const { signal, recursive, overwrite = false, preserve, formatFor, onAmbiguity } = options
  const walking = new Walking(options)

  /** `above`: real paths of the directories on the way down. */
  const visit = async function* (source: string, target: string, above: readonly string[]): AsyncGenerator<CopyStep, void, undefined> {
    const found = await disk.stat(at(source), { follow: true })
    if (!found) throw await missing(disk, source, at(source))
    if (found.kind === 'other')
      throw refusal('special', 'EINVAL', `${source} is neither a file nor a directory; write its content with createWriteStream`, {
        path: source, dest: target,
      })
    const real = found.path ?? at(source)
    if (found.kind === 'file') {
      if (above.length === 0 && options.directory) throw slashed(target)
      yield {
        from: source, to: target, bytes: found.bytes, small: files.small.takes(found.bytes),
        run: moved => putFile(source, real, target, found, moved),
      }
      return
    }
    if (above.length === 0 && !recursive) throw directoryGiven(source)
    if (above.includes(real))
      throw refusal('circle', 'EINVAL', `the local link ${source} points to a directory that contains it (${real}); remove it`, {
        path: source, real,
      })
    const { mode } = found
    // Finishers run in reverse: lists are removed after the mode was set.
    if (preserve && mode !== undefined) walking.later(target, () => dropList(names, mode, { path: target, signal }))
    await makeDirectory(names, walking, target, { mode, mtimeMs: found.mtimeMs, preserve, signal })
    const children = (await disk.list(at(source))).map(entry => entry.name).sort((a, b) => Buffer.compare(Buffer.from(a), Buffer.from(b)))
    for (const name of children)
      yield* walking.tried(below(source, name), () => visit(below(source, name), join(target, name), [...above, real]))
  }

  const putFile = async (source: string, real: string, target: string, found: DiskStat, moved: (bytes: number) => void): Promise<void> => {
    const modes: ModesOfCopy = options.mode === undefined && found.mode !== undefined
      ? await modesOfCopy(names, target, found.mode & 0o777, { preserve, overwrite, signal }) : {}
    const creating = {
      ...createOptions({ ...options, overwrite, ...modes, ...(formatFor && { format: formatFor(source) }) }),
      ...preserve && modes.mode !== undefined && { appearance: withoutList(modes.mode) },
    }
    await putLocal(
      { files, disk },
      { real, target, moved, mtimeMs: preserve ? keptTime(found.mtimeMs) : undefined },
      { ...creating, ...(onAmbiguity && { onAmbiguity: ambiguity => onAmbiguity(source, ambiguity) }) },
    )
  }

  return { steps: walking.tried(from, () => visit(from, to, [])), finish: () => walking.finish() }
}

/**
 * Error for a local path that cannot be found. Node shows bytes that are not UTF-8 as U+FFFD, and a name with it does not exist on
 * disk.
 */
async function missing(disk: Disk, path: string, real: string): Promise<GristmillError> {
  if (basename(path).includes('\ufffd'))
    return refusal('encoding', 'EINVAL', `the local name ${path} is not UTF-8, which names in the cluster are; rename it`, { path })
  if (await disk.stat(real)) return refusal('dangling', 'ENOENT', `the local link ${path} is dangling: its target does not exist`, { path })
  return refusal('missing', 'ENOENT', `there is no local file or directory ${path}`, { path })
}
