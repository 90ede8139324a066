// Walk over a tree of the cluster that is copied within the cluster.

import { isWithin, join, nameOf } from '../../src/base/paths.ts'
import type { CreateOptions } from '../../src/file/createoptions.ts'
import type { FileStatus } from '../../src/protocol/namespace.ts'
import { slashed } from '../call/arguments.ts'
import { makeDirectory, modesOfCopy, type ModesOfCopy } from './copymodes.ts'
import { appearanceOf, keepAttributes, keepList, modeAlone } from './keep.ts'
import { directoryGiven, refusal, Walking, type CopyTools, type CopyWalk, type Visit, type WalkOptions } from './walk.ts'
import { createOptions } from './write.ts'

/** Walk within the cluster. Default format, block size and replication: those of the source. */
export function walkInside({ names, files }: CopyTools, from: string, to: string, options: WalkOptions): CopyWalk {
  const { signal, recursive, overwrite = true, preserve } = options
  const walking = new Walking(options)

  const visit: Visit<FileStatus> = async function* (source, target) {
    if (source.type === 'file') {
      yield {
        from: source.path, to: target, bytes: source.length, small: source.inlined === true,
        run: moved => copyFile(source, target, moved),
      }
      return
    }
    // Finishers run in reverse: the list is set after the mode.
    if (preserve) walking.later(target, () => keepList(names, source, { path: target, signal }))
    const mode = await modeAlone(names, source, signal)
    await makeDirectory(names, walking, target, { mode, mtimeMs: source.mtimeMs, preserve, signal })
    if (preserve) await keepAttributes(names, source, { path: target, signal })
    for await (const child of names.list(source.path, { signal }))
      yield* walking.tried(child.path, () => visit(child, join(target, nameOf(child.path))))
  }

  const copyFile = async (source: FileStatus, target: string, moved: (bytes: number) => void): Promise<void> => {
    const {
      replication = source.replication, blockSize = source.blockBytes, format = source.format, delimiter = source.delimiter,
      header = source.header,
    } = options
    const modes: ModesOfCopy = options.mode === undefined
      ? await modesOfCopy(names, target, await modeAlone(names, source, signal), { preserve, overwrite, signal }) : {}
    const creating = {
      ...createOptions({ ...options, overwrite, replication, blockSize, format, delimiter, header, ...modes }),
      ...preserve && { appearance: await appearanceOf(names, source, signal) },
    }
    if (await copySmall({ source, target, moved }, creating)) return
    const writer = await files.create(target, creating)
    try {
      for await (const piece of files.read(source.path, { signal, reuse: true })) {
        await writer.write(piece)
        moved(writer.bytes)
      }
      await writer.close(preserve ? { mtimeMs: source.mtimeMs } : {})
    } catch (error) {
      await (signal?.aborted ? writer.drop() : writer.abort())
      throw error
    }
  }

  /** Copies an inlined file in two calls, which it shares with others that are copied at the same time. undefined: it needs a writer. */
  const copySmall = async (
    { source, target, moved }: { source: FileStatus; target: string; moved: (bytes: number) => void },
    creating: CreateOptions,
  ): Promise<FileStatus | undefined> => {
    const bytes = source.inlined && await files.readSmall(source, signal)
    if (!bytes) return undefined
    const written = await files.writeSmall(target, bytes, { ...creating, ...preserve && { mtimeMs: source.mtimeMs } })
    if (written) moved(bytes.length)
    return written
  }

  const start: Visit<undefined> = async function* () {
    const source = await names.status(from, { signal })
    if (source.path === to) throw refusal('same', 'EINVAL', `"${to}" would be copied onto itself`, { path: to })
    if (source.type === 'directory') {
      if (!recursive) throw directoryGiven(from)
      if (isWithin(to, source.path))
        throw refusal('inside', 'EINVAL', `"${source.path}" cannot be copied into itself ("${to}")`, { path: source.path, dest: to })
    } else if (options.directory) throw slashed(to)
    yield* visit(source, to)
  }
  return { steps: walking.tried(from, () => start(undefined, to)), finish: () => walking.finish() }
}
