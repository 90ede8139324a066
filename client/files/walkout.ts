// Walk over a tree of the cluster that is copied to the local disk. The umask of the process bounds the modes of what is made there.

import { nameOf } from '../../src/base/paths.ts'
import type { FileStatus } from '../../src/protocol/namespace.ts'
import { slashed } from '../call/arguments.ts'
import { below, getLocal } from './local.ts'
import { directoryGiven, Walking, type CopyTools, type CopyWalk, type Visit, type WalkOptions } from './walk.ts'

/** Walk from the cluster to the local disk. */
export function walkOut({ names, files, disk, random }: CopyTools, from: string, to: string, options: WalkOptions): CopyWalk {
  const { signal, recursive, overwrite = false, preserve = false } = options
  const walking = new Walking(options)

  const visit: Visit<FileStatus> = async function* (source, target) {
    if (source.type === 'file') {
      yield {
        from: source.path, to: target, bytes: source.length, small: source.inlined === true,
        run: moved => getLocal({ files, disk, random }, { source, target, moved }, { overwrite, preserve, signal }),
      }
      return
    }
    const mode = source.mode & (preserve ? 0o1777 : 0o777)
    await disk.mkdir(target, { mode: mode | 0o700 })
    if (preserve) {
      walking.later(target, async () => {
        await disk.setMode(target, mode)
        await disk.setModified(target, source.mtimeMs)
      })
    }
    for await (const child of names.list(source.path, { signal }))
      yield* walking.tried(child.path, () => visit(child, below(target, nameOf(child.path))))
  }

  const start: Visit<undefined> = async function* () {
    const source = await names.status(from, { signal })
    if (source.type === 'directory' && !recursive) throw directoryGiven(from)
    if (source.type === 'file' && options.directory) throw slashed(to, 'local ')
    yield* visit(source, to)
  }
  return { steps: walking.tried(from, () => start(undefined, to)), finish: () => walking.finish() }
}
