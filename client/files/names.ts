// Everything about names: what node:fs/promises has for them, in its shape, each call one message to the namenode.
// Paths start with `/`; relative ones start at `/` too. Mutations have one effect, however often a lost answer is asked for again.

import { GristmillError, hasCode } from '../../src/base/errors.ts'
import { limits } from '../../src/base/limits.ts'
import { isWithin, normalise } from '../../src/base/paths.ts'
import type { Clock } from '../../src/ports/clock.ts'
import * as namespace from '../../src/protocol/namespace.ts'
import type { FileStatus, LocatedBlock } from '../../src/protocol/namespace.ts'
import type { ReplyOf } from '../../src/protocol/message.ts'
import type { Ask } from '../jobs/ask.ts'
import { within } from '../within.ts'
import { during } from './describe.ts'
import { globPaths } from './glob.ts'
import { Quotas } from './quotas.ts'
import { Snapshots } from './snapshots.ts'
import { Dirent, Stats } from './stats.ts'
import { Trash } from './trash.ts'
import { Xattrs } from './xattrs.ts'

export interface CallOptions {
  /** Gives the call up. A mutation that was sent already may still happen. */
  readonly signal?: AbortSignal | undefined
}

export type Summary = ReplyOf<typeof namespace.summary>

export class Names {
  protected readonly ask: Ask
  protected readonly clock: Clock
  readonly #host: string
  /** What was removed, until it goes for good. */
  readonly trash: Trash
  /** Small values that stay with files and directories. */
  readonly xattrs: Xattrs
  /** Bounds on what is below directories. */
  readonly quotas: Quotas
  /** Directories as they were. */
  readonly snapshots: Snapshots

  constructor({ ask, clock, host }: { ask: Ask; clock: Clock; host: string }) {
    this.ask = ask
    this.clock = clock
    this.#host = host
    this.trash = new Trash(ask)
    this.xattrs = new Xattrs(ask)
    this.quotas = new Quotas(ask)
    this.snapshots = new Snapshots(this, ask)
  }

  /** Facts of a file or directory as the cluster has them. Throws ENOENT, ENOTDIR, EACCES. */
  status(path: string, { signal }: CallOptions = {}): Promise<FileStatus> {
    return during('stat', path, async () => this.ask(namespace.stat, { path: normalise(path) }, signal))
  }

  /** Facts in the shape of node:fs. Throws ENOENT, ENOTDIR, EACCES. */
  async stat(path: string, options: CallOptions = {}): Promise<Stats> {
    return new Stats(await this.status(path, options))
  }

  async exists(path: string, options: CallOptions = {}): Promise<boolean> {
    try {
      await this.status(path, options)
      return true
    } catch (error) {
      if (hasCode(error, 'ENOENT', 'ENOTDIR')) return false
      throw error
    }
  }

  /** Throws unless the path is there and can be looked at; what may be done with it shows when it is done. */
  access(path: string, { signal }: CallOptions = {}): Promise<void> {
    return during('access', path, async () => { await this.ask(namespace.stat, { path: normalise(path) }, signal) })
  }

  /** The entries of a directory with their facts, in byte order of their names, a page at a time. Throws ENOENT, ENOTDIR. */
  async *list(path: string, { signal }: CallOptions = {}): AsyncGenerator<FileStatus, void, undefined> {
    const directory = normalise(path)
    let after: string | undefined
    do {
      const page = await during('scandir', path, async () => {
        const reply = await this.ask(namespace.list, { path: directory, limit: limits.listPageMax, ...after !== undefined && { after } }, signal)
        const [first] = reply.entries
        if (first?.type === 'file' && first.path === directory) throw new GristmillError('ENOTDIR', `"${directory}" is a file, not a directory`, { details: { path: directory } })
        return reply
      })
      yield* page.entries
      after = page.next
    } while (after !== undefined)
  }

  /** Names in a directory, in byte order. With `recursive`, names below it as well, as paths relative to it. Throws ENOENT, ENOTDIR. */
  readdir(path: string, options: CallOptions & { readonly withFileTypes: true; readonly recursive?: boolean }): Promise<Dirent[]>
  readdir(path: string, options?: CallOptions & { readonly withFileTypes?: false; readonly recursive?: boolean }): Promise<string[]>
  async readdir(path: string, { withFileTypes = false, recursive = false, signal }: CallOptions & { withFileTypes?: boolean; recursive?: boolean } = {}): Promise<string[] | Dirent[]> {
    const top = normalise(path)
    const found: FileStatus[] = []
    const gather = async (directory: string): Promise<void> => {
      for await (const entry of this.list(directory, { signal })) {
        found.push(entry)
        if (recursive && entry.type === 'directory') await gather(entry.path)
      }
    }
    await gather(top)
    const skipped = top === '/' ? 1 : top.length + 1
    return withFileTypes ? found.map(entry => new Dirent(entry)) : found.map(entry => entry.path.slice(skipped))
  }

  /**
   * Paths that match a pattern (docs/reference/patterns.md: `*`, `?`, `[a-z]`, `[!a]`, `{a,b}`, `{1..3}`, `**`), each once, in byte order
   * of each directory. Names that begin with a dot match only where the pattern says the dot; a backslash makes the next character itself.
   */
  glob(pattern: string, { signal }: CallOptions = {}): AsyncGenerator<string, void, undefined> {
    return globPaths(pattern, { status: path => this.status(path, { signal }), list: directory => this.list(directory, { signal }) })
  }

  /** With `recursive`, missing parents are made and an existing directory is fine. Throws EEXIST, ENOENT, ENOTDIR, EACCES. */
  mkdir(path: string, { recursive = false, mode, signal }: CallOptions & { readonly recursive?: boolean; readonly mode?: number } = {}): Promise<void> {
    return during('mkdir', path, async () => {
      await this.ask(namespace.mkdir, { path: normalise(path), parents: recursive, ...mode !== undefined && { mode } }, signal)
    })
  }

  /**
   * Removes a file or an empty directory; with `recursive` whatever is there, in one step, however large. With `force` a missing
   * path is no error. It goes to the trash (see `trash`), unless the cluster keeps none or `skipTrash` says so: then its space
   * comes back. Throws ENOENT, ENOTEMPTY, EACCES.
   */
  rm(path: string, { recursive = false, force = false, skipTrash = false, signal }: CallOptions & { readonly recursive?: boolean; readonly force?: boolean; readonly skipTrash?: boolean } = {}): Promise<void> {
    return during('rm', path, async () => {
      try {
        await this.ask(namespace.remove, { path: normalise(path), recursive, skipTrash }, signal)
      } catch (error) {
        if (!(force && hasCode(error, 'ENOENT', 'ENOTDIR'))) throw error
      }
    })
  }

  /**
   * Gives a file or directory another name, in one step. A file that has that name already is replaced, as POSIX has it,
   * unless `overwrite` is false. Throws ENOENT, EEXIST, EISDIR, ENOTEMPTY, EINVAL for a directory into itself.
   */
  rename(from: string, to: string, { overwrite = true, signal }: CallOptions & { readonly overwrite?: boolean } = {}): Promise<void> {
    return during('rename', from, async () => {
      const [source, target] = [normalise(from), normalise(to)]
      if (source !== target && isWithin(target, source)) {
        throw new GristmillError('EINVAL', `"${source}" cannot be moved into itself ("${target}")`, { details: { path: source, dest: target } })
      }
      await this.ask(namespace.rename, { from: source, to: target, overwrite }, signal)
    })
  }

  /** Permission bits, as a number or in octal. Throws ENOENT, EACCES. */
  chmod(path: string, mode: number | string, { signal }: CallOptions = {}): Promise<void> {
    const bits = typeof mode === 'number' ? mode : Number.parseInt(mode, 8)
    return this.#set('chmod', path, { mode: bits }, signal)
  }

  /** Owner and group by name. Throws ENOENT, EACCES. */
  chown(path: string, { owner, group }: { readonly owner?: string; readonly group?: string }, { signal }: CallOptions = {}): Promise<void> {
    return this.#set('chown', path, { ...owner !== undefined && { owner }, ...group !== undefined && { group } }, signal)
  }

  /** Sets the modification time, in seconds or as a Date. There is no access time: `atime` is there for the shape, and has no effect. */
  utimes(path: string, _atime: number | Date, mtime: number | Date, { signal }: CallOptions = {}): Promise<void> {
    return this.#set('utime', path, { mtimeMs: Math.round(typeof mtime === 'number' ? mtime * 1000 : mtime.getTime()) }, signal)
  }

  /** Makes an empty file, or sets the modification time (now, unless told) of what is there. */
  touch(path: string, { mtimeMs, signal }: CallOptions & { readonly mtimeMs?: number } = {}): Promise<void> {
    return during('touch', path, async () => {
      await this.ask(namespace.touch, { path: normalise(path), mtimeMs: Math.round(mtimeMs ?? this.clock.now()) }, signal)
    })
  }

  /** How many replicas the blocks of a file shall have; copies are made and removed in the background. Throws ENOENT, EISDIR. */
  async setReplication(path: string, replication: number, { signal }: CallOptions = {}): Promise<void> {
    within('number of replicas', replication, 1, limits.replicationMax)
    return this.#set('setrep', path, { replication }, signal)
  }

  /** Files, directories and bytes at and below a path. `stored` counts replicas. */
  summary(path: string, { signal }: CallOptions = {}): Promise<Summary> {
    return during('summary', path, async () => this.ask(namespace.summary, { path: normalise(path) }, signal))
  }

  /** The blocks of a file in order, with the nodes that hold them now. Throws ENOENT, EISDIR. */
  async *locate(path: string, { signal }: CallOptions = {}): AsyncGenerator<LocatedBlock, void, undefined> {
    const file = normalise(path)
    let offset: number | undefined = 0
    while (offset !== undefined) {
      const from: number = offset
      const page: ReplyOf<typeof namespace.locate> = await during('locate', path, async () => this.ask(namespace.locate, { path: file, offset: from, host: this.#host }, signal))
      if (page.status.type === 'directory') throw new GristmillError('EISDIR', `"${file}" is a directory`, { details: { path: file, syscall: 'locate' } })
      yield* page.blocks
      offset = page.next
    }
  }

  #set(syscall: string, path: string, change: { mode?: number; owner?: string; group?: string; mtimeMs?: number; replication?: number }, signal: AbortSignal | undefined): Promise<void> {
    return during(syscall, path, async () => { await this.ask(namespace.setAttributes, { path: normalise(path), ...change }, signal) })
  }
}
