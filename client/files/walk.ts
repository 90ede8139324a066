// The one walk over trees that are copied: within the cluster, into it, and out of it. It makes directories as it meets them and hands
// out a step for each file; the caller runs the steps, several at a time if it likes, and then finishes the walk, which gives directories
// the modes and times that they could not have while something was put into them.
// Rules: a copy is never more public than what it is made of (the mask 022 for the cluster, the system's for a local disk); what is
// replaced keeps its mode; with `preserve` modes and times are those of the source. Local links are followed: the cluster has none.

import { basename } from 'node:path'
import { throwIfAborted } from '../../src/base/abort.ts'
import { GristmillError, hasCode } from '../../src/base/errors.ts'
import { isWithin, join, nameOf, parentOf } from '../../src/base/paths.ts'
import type { FileClient } from '../../src/file/client.ts'
import type { Disk, DiskStat } from '../../src/ports/disk.ts'
import type { Random } from '../../src/ports/random.ts'
import type { RecordFormat } from '../../src/protocol/fields.ts'
import type { FileStatus } from '../../src/protocol/namespace.ts'
import { slashed } from '../call/arguments.ts'
import { below, getLocal, putLocal } from './local.ts'
import type { Names } from './names.ts'
import { createOptions, type WriteOptions } from './write.ts'

export interface CopyTools {
  readonly names: Names
  readonly files: FileClient
  readonly disk: Disk
  readonly random: Random
}

export interface WalkOptions extends Pick<WriteOptions, 'replication' | 'blockSize' | 'format' | 'delimiter' | 'parents' | 'mode'> {
  /** Directories with all that is below them. */
  readonly recursive?: boolean | undefined
  readonly overwrite?: boolean | undefined
  /** The target was named as a directory, with a slash at its end: no file is written there. */
  readonly directory?: boolean | undefined
  readonly preserve?: boolean | undefined
  readonly signal?: AbortSignal | undefined
  /** Told of what cannot be copied; the rest is. Without it the walk throws. */
  readonly onSkip?: ((path: string, error: unknown) => void) | undefined
  /** Of a local file, by its name; `format` if there is no such function. */
  readonly formatFor?: ((name: string) => RecordFormat) | undefined
  /** Told of a local CSV file that is stored without a claim about its rows, and why: a sentence without its subject. */
  readonly onDoubt?: ((path: string, doubt: string) => void) | undefined
}

export interface CopyStep {
  readonly from: string
  readonly to: string
  readonly bytes: number
  /** Copies the file; calls `moved` with the bytes that are copied so far. */
  run(moved: (bytes: number) => void): Promise<void>
}

export interface CopyWalk {
  readonly steps: AsyncGenerator<CopyStep, void, undefined>
  /** REQUIRES: all steps have ended. */
  finish(): Promise<void>
}

/** Why something is not copied, for callers who have words of their own: `details.why` of the error. */
export type Why = 'missing' | 'dangling' | 'encoding' | 'special' | 'circle' | 'directory' | 'inside' | 'same'

const refusal = (why: Why, code: 'ENOENT' | 'EINVAL' | 'EISDIR', message: string, details: Record<string, string>): GristmillError =>
  new GristmillError(code, message, { details: { ...details, why } })

const directoryGiven = (path: string): GristmillError =>
  refusal('directory', 'EISDIR', `${path} is a directory; say recursive to copy it with all that is below`, { path })

/** What others may do to what a copy is made of, less writing. */
const publicMask = 0o755

type Visit<T> = (source: T, target: string) => AsyncGenerator<CopyStep, void, undefined>

/** What the three walks share: what fails is told and left out, or thrown; directories are finished from the deepest up. */
class Walking {
  readonly #onSkip: WalkOptions['onSkip']
  readonly #signal: AbortSignal | undefined
  readonly #finishers: { readonly path: string; readonly work: () => Promise<void> }[] = []

  constructor({ onSkip, signal }: WalkOptions) {
    this.#onSkip = onSkip
    this.#signal = signal
  }

  async *tried(path: string, steps: () => AsyncGenerator<CopyStep, void, undefined>): AsyncGenerator<CopyStep, void, undefined> {
    throwIfAborted(this.#signal)
    try {
      yield* steps()
    } catch (error) {
      this.#skip(path, error)
    }
  }

  later(path: string, work: () => Promise<void>): void { this.#finishers.push({ path, work }) }

  async finish(): Promise<void> {
    for (const { path, work } of this.#finishers.reverse()) {
      try {
        await work()
      } catch (error) {
        this.#skip(path, error)
      }
    }
  }

  #skip(path: string, error: unknown): void {
    if (!this.#onSkip) throw error
    this.#onSkip(path, error)
  }
}

/** Within the cluster. A copy keeps the format, block size and replication of what it is a copy of, unless told. */
export function walkInside({ names, files }: CopyTools, from: string, to: string, options: WalkOptions): CopyWalk {
  const { signal, recursive, overwrite = true, preserve } = options
  const walking = new Walking(options)

  const keepAttributes = async (source: FileStatus, target: string): Promise<void> => {
    if (!preserve) return
    for (const [name, value] of await names.xattrs.list(source.path, { signal })) await names.xattrs.set(target, name, value, { signal })
  }

  const visit: Visit<FileStatus> = async function* (source, target) {
    if (source.type === 'file') {
      yield { from: source.path, to: target, bytes: source.length, run: moved => copyFile(source, target, moved) }
      return
    }
    await makeDirectory(names, walking, target, { mode: source.mode, mtimeMs: source.mtimeMs, preserve, signal })
    await keepAttributes(source, target)
    for await (const child of names.list(source.path, { signal }))
      yield* walking.tried(child.path, () => visit(child, join(target, nameOf(child.path))))
  }

  const copyFile = async (source: FileStatus, target: string, moved: (bytes: number) => void): Promise<void> => {
    const {
      replication = source.replication, blockSize = source.blockBytes, format = source.format, delimiter = source.delimiter,
    } = options
    const mode = options.mode ?? await modeOfCopy(names, target, source.mode, { preserve, overwrite, signal })
    const writer = await files.create(target, createOptions({ ...options, overwrite, replication, blockSize, format, delimiter, mode }))
    try {
      for await (const piece of files.read(source.path, { signal, reuse: true })) {
        await writer.write(piece)
        moved(writer.bytes)
      }
      await writer.close(preserve ? { mtimeMs: source.mtimeMs } : {})
      await keepAttributes(source, target)
    } catch (error) {
      await (signal?.aborted ? writer.drop() : writer.abort())
      throw error
    }
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

/** From the local disk into the cluster. `at` tells where a local path lies. */
export function walkIn(
  { names, files, disk }: CopyTools, from: string, to: string, options: WalkOptions, at = (path: string): string => path,
): CopyWalk {
  const { signal, recursive, overwrite = false, preserve, formatFor, onDoubt } = options
  const walking = new Walking(options)

  /** `above`: the true names of the directories that we are in. */
  const visit = async function* (source: string, target: string, above: readonly string[]): AsyncGenerator<CopyStep, void, undefined> {
    const found = await disk.stat(at(source), { follow: true })
    if (!found) throw await missing(disk, source, at(source))
    if (found.kind === 'other')
      throw refusal('special', 'EINVAL', `${source} is neither a file nor a directory; give what it has to createWriteStream`, {
        path: source, dest: target,
      })
    const real = found.path ?? at(source)
    if (found.kind === 'file') {
      if (above.length === 0 && options.directory) throw slashed(target)
      yield { from: source, to: target, bytes: found.bytes, run: moved => putFile(source, real, target, found, moved) }
      return
    }
    if (above.length === 0 && !recursive) throw directoryGiven(source)
    if (above.includes(real))
      throw refusal('circle', 'EINVAL', `the local link ${source} leads to a directory that it lies in (${real}); remove it`, {
        path: source, real,
      })
    await makeDirectory(names, walking, target, { mode: found.mode, mtimeMs: found.mtimeMs, preserve, signal })
    const children = (await disk.list(at(source))).map(entry => entry.name).sort((a, b) => Buffer.compare(Buffer.from(a), Buffer.from(b)))
    for (const name of children)
      yield* walking.tried(below(source, name), () => visit(below(source, name), join(target, name), [...above, real]))
  }

  const putFile = async (source: string, real: string, target: string, found: DiskStat, moved: (bytes: number) => void): Promise<void> => {
    const mode =
      options.mode
      ?? (found.mode === undefined ? undefined : await modeOfCopy(names, target, found.mode & 0o777, { preserve, overwrite, signal }))
    const creating = createOptions({ ...options, overwrite, mode, ...(formatFor && { format: formatFor(source) }) })
    await putLocal(
      { files, disk },
      { real, target, moved, mtimeMs: preserve ? Math.round(found.mtimeMs) : undefined },
      { ...creating, ...(onDoubt && { onDoubt: doubt => onDoubt(source, doubt) }) },
    )
  }

  return { steps: walking.tried(from, () => visit(from, to, [])), finish: () => walking.finish() }
}

/** Out of the cluster onto the local disk. */
export function walkOut({ names, files, disk, random }: CopyTools, from: string, to: string, options: WalkOptions): CopyWalk {
  const { signal, recursive, overwrite = false, preserve = false } = options
  const walking = new Walking(options)

  const visit: Visit<FileStatus> = async function* (source, target) {
    if (source.type === 'file') {
      yield {
        from: source.path, to: target, bytes: source.length,
        run: moved => getLocal({ files, disk, random }, { source, target, moved }, { overwrite, preserve, signal }),
      }
      return
    }
    const mode = source.mode & 0o777
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

interface Made {
  readonly mode: number | undefined
  readonly mtimeMs: number
  readonly preserve: boolean | undefined
  readonly signal: AbortSignal | undefined
}

/** A directory of the cluster with its missing parents. One that is there stays as it is, unless `preserve` says otherwise. */
async function makeDirectory(
  names: Names, walking: Walking, path: string, { mode: given, mtimeMs, preserve, signal }: Made,
): Promise<void> {
  const mode = given === undefined ? undefined : given & (preserve ? 0o1777 : publicMask)
  const open = mode === undefined ? {} : { mode: mode | 0o700 }
  let there = false
  try {
    await names.mkdir(path, { ...open, signal })
  } catch (error) {
    if (!hasCode(error, 'ENOENT', 'EEXIST')) throw error
    there = error.code === 'EEXIST'
    if (there && (await names.status(path, { signal })).type === 'file')
      throw new GristmillError('ENOTDIR', `"${path}" is a file, not a directory`, { cause: error, details: { path } })
    if (!there) {
      await names.mkdir(parentOf(path), { recursive: true, signal })
      await names.mkdir(path, { recursive: true, ...open, signal })
    }
  }
  if (mode !== undefined && (preserve || (!there && (mode & 0o700) !== 0o700)))
    walking.later(path, () => names.chmod(path, mode, { signal }))
  // Before its mode, which may forbid it: the last of these is done first.
  if (preserve) walking.later(path, () => names.utimes(path, mtimeMs / 1000, new Date(Math.round(mtimeMs)), { signal }))
}

/** undefined: what is replaced keeps its mode, and what everybody may read needs no word. */
async function modeOfCopy(
  names: Names, target: string, source: number,
  { preserve, overwrite, signal }: { preserve: boolean | undefined; overwrite: boolean; signal: AbortSignal | undefined },
): Promise<number | undefined> {
  if (preserve) return source
  const mode = source & publicMask
  if (mode === 0o644 || (overwrite && (await names.exists(target, { signal })))) return undefined
  return mode
}

/** A name that Node could not read as UTF-8 has U+FFFD where its odd bytes were, and is not found under what it seems to be. */
async function missing(disk: Disk, path: string, real: string): Promise<GristmillError> {
  if (basename(path).includes('\ufffd'))
    return refusal('encoding', 'EINVAL', `the local name ${path} is not UTF-8, which names in the cluster are; rename it`, { path })
  if (await disk.stat(real)) return refusal('dangling', 'ENOENT', `the local link ${path} leads to what is not there`, { path })
  return refusal('missing', 'ENOENT', `there is no local file or directory ${path}`, { path })
}
