// Walk over a tree to copy: within the cluster, into it, or out of it. Creates directories as it meets them and yields one step per
// file; the caller runs the steps, several at a time if it likes, and then calls `finish`, which sets directory modes and times
// that would have hindered or been changed by the copy.
// Rules: a copy never has more permissions than its source (mask 022 for the cluster, the umask for a local disk); a replaced file
// keeps its mode; with `preserve`, modes, lists and times are those of the source. Local links are followed: the cluster has none.

import { basename } from 'node:path'
import { throwIfAborted } from '../../src/base/abort.ts'
import { GristmillError, hasCode } from '../../src/base/errors.ts'
import type { RecordFormat } from '../../src/base/formats.ts'
import { isWithin, join, nameOf } from '../../src/base/paths.ts'
import type { FileClient } from '../../src/file/client.ts'
import type { CreateOptions } from '../../src/file/open.ts'
import type { Disk, DiskStat } from '../../src/ports/disk.ts'
import type { Random } from '../../src/ports/random.ts'
import type { FileStatus } from '../../src/protocol/namespace.ts'
import { slashed } from '../call/arguments.ts'
import { appearanceOf, dropList, keepAttributes, keepList, modeAlone, withoutList } from './keep.ts'
import { below, getLocal, putLocal } from './local.ts'
import type { Names } from './names.ts'
import { createOptions, type WriteOptions } from './write.ts'

export interface CopyTools {
  readonly names: Names
  readonly files: FileClient
  readonly disk: Disk
  readonly random: Random
}

export interface WalkOptions
  extends Pick<WriteOptions, 'replication' | 'blockSize' | 'format' | 'delimiter' | 'header' | 'parents' | 'mode'> {
  /** Copies directories with their contents. */
  readonly recursive?: boolean | undefined
  readonly overwrite?: boolean | undefined
  /** The target path ended with a slash: no file may be written at it. */
  readonly directory?: boolean | undefined
  readonly preserve?: boolean | undefined
  readonly signal?: AbortSignal | undefined
  /** Called for an entry that cannot be copied; the walk continues. Without it the walk throws. */
  readonly onSkip?: ((path: string, error: unknown) => void) | undefined
  /** Format of a local file, by its name; default: `format`. */
  readonly formatFor?: ((name: string) => RecordFormat) | undefined
  /** Called for a local CSV file that is stored without a claim about its rows, with the reason: a sentence without its subject. */
  readonly onAmbiguity?: ((path: string, ambiguity: string) => void) | undefined
}

export interface CopyStep {
  readonly from: string
  readonly to: string
  readonly bytes: number
  /** True for a file that goes along with others in one call: many such steps may run at a time. */
  readonly small: boolean
  /** Copies the file; calls `moved` with the number of bytes copied so far. */
  run(moved: (bytes: number) => void): Promise<void>
}

export interface CopyWalk {
  readonly steps: AsyncGenerator<CopyStep, void, undefined>
  /** REQUIRES: all steps have ended. */
  finish(): Promise<void>
}

/** Reason why an entry is not copied, for callers with messages of their own: `details.why` of the error. */
type Why = 'missing' | 'dangling' | 'encoding' | 'special' | 'circle' | 'directory' | 'inside' | 'same'

const refusal = (why: Why, code: 'ENOENT' | 'EINVAL' | 'EISDIR', message: string, details: Record<string, string>): GristmillError =>
  new GristmillError(code, message, { details: { ...details, why } })

const directoryGiven = (path: string): GristmillError =>
  refusal('directory', 'EISDIR', `${path} is a directory; set recursive to copy it with its contents`, { path })

/** Permissions that a copy takes from its source for group and others: all but writing. */
const publicMask = 0o755

type Visit<T> = (source: T, target: string) => AsyncGenerator<CopyStep, void, undefined>

/**
 * State shared by the three walks: a failed entry is reported and skipped, or thrown; directories are finished from the deepest
 * up.
 */
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

interface Made {
  readonly mode: number | undefined
  readonly mtimeMs: number
  readonly preserve: boolean | undefined
  readonly signal: AbortSignal | undefined
}

/** The cluster keeps no time before 1970. */
const keptTime = (mtimeMs: number): number => Math.max(0, Math.round(mtimeMs))

/** Creates a directory of the cluster with its missing parents. An existing one is not changed, except with `preserve`. */
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
    // In one call: a default list may keep even their owner from making anything in directories that were just made.
    if (!there) await names.mkdir(path, { recursive: true, ...open, signal })
  }
  if (mode !== undefined && (preserve || (!there && (mode & 0o700) !== 0o700)))
    walking.later(path, () => names.chmod(path, mode, { signal }))
  // Finishers run in reverse: the time is set before the mode, which may forbid it.
  if (preserve) walking.later(path, () => names.utimes(path, keptTime(mtimeMs) / 1000, new Date(keptTime(mtimeMs)), { signal }))
}

interface ModesOfCopy { readonly mode?: number; readonly unmaskedMode?: number }

/**
 * Modes of a copied file. Without a mode a replaced file keeps its own, and a new one has 0644; below a default list it has that of its
 * source in each case, and with `preserve` none but its owner may use it there before it gets the list of its source.
 */
async function modesOfCopy(
  names: Names, target: string, source: number,
  { preserve, overwrite, signal }: { preserve: boolean | undefined; overwrite: boolean; signal: AbortSignal | undefined },
): Promise<ModesOfCopy> {
  if (preserve) return { mode: source, unmaskedMode: source & 0o700 }
  const unmaskedMode = source & publicMask
  if (unmaskedMode === 0o644 || (overwrite && (await names.exists(target, { signal })))) return { unmaskedMode }
  return { mode: unmaskedMode, unmaskedMode }
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
