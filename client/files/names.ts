// Namespace API in the shape of node:fs/promises; each call is one message to the namenode. Relative paths start at `/`, like
// absolute ones. Mutations take effect once, however often they are retried. Arguments take the forms that node:fs/promises
// documents; an unsupported form throws EINVAL before any call is sent.

import { throwIfAborted } from '../../src/base/abort.ts'
import { GristmillError, hasCode } from '../../src/base/errors.ts'
import { limits } from '../../src/base/limits.ts'
import { endsInDots, isWithin } from '../../src/base/paths.ts'
import type { Clock } from '../../src/ports/clock.ts'
import * as namespace from '../../src/protocol/namespace.ts'
import type { FileStatus, LocatedBlock } from '../../src/protocol/namespace.ts'
import type { ReplyOf } from '../../src/protocol/message.ts'
import type { CallMessage } from '../call/cluster.ts'
import {
  callOptions, checkNamed, encodedOptionsOf, flagsOf, instantOf, modeOf, namesDirectory, optionsOf, pathOf, shown, textOf, timeOf,
  type CallOptions, type Path,
} from '../call/arguments.ts'
import { checkInteger } from '../call/integers.ts'
import { paged } from '../call/pages.ts'
import { described, during, perform } from '../call/perform.ts'
import { globPaths } from './glob.ts'
import { placed, statusOf } from './resolve.ts'
import { Quotas } from './quotas.ts'
import { Snapshots } from './snapshots.ts'
import { Dirent, Stats } from './stats.ts'
import { Trash } from './trash.ts'
import { Versions } from './versions.ts'
import { Acls } from './acls.ts'
import { Xattrs } from './xattrs.ts'

export type { CallOptions } from '../call/arguments.ts'

interface ListOptions extends CallOptions {
  /** Include names in subdirectories. */
  readonly recursive?: boolean | undefined
  /** Names are strings: `utf8`, or undefined. */
  readonly encoding?: BufferEncoding | null | undefined
}

interface ListPageOptions extends CallOptions {
  /** Names after this one only. */
  readonly after?: string | undefined
  /** Default, and at most: 1000. */
  readonly limit?: number | undefined
}

interface MkdirOptions extends CallOptions {
  readonly recursive?: boolean | undefined
  readonly mode?: number | string | undefined
  /** Permission bits where the directory above has a default list, which they bound; default: `mode`. */
  readonly unmaskedMode?: number | string | undefined
}

interface RmOptions extends CallOptions {
  readonly recursive?: boolean | undefined
  readonly force?: boolean | undefined
  readonly skipTrash?: boolean | undefined
  /** As in node:fs; no effect, because calls are retried until their deadline anyway. */
  readonly maxRetries?: number | undefined
  readonly retryDelay?: number | undefined
}

interface SummaryOptions extends CallOptions { readonly versions?: boolean | undefined }

/** Owner and group for `chown`. */
interface Ownership { readonly owner?: string | undefined; readonly group?: string | undefined }

export type Summary = ReplyOf<typeof namespace.summary>

export class Names {
  protected readonly ask: CallMessage
  protected readonly clock: Clock
  readonly #host: string
  /** Removed entries that can be restored. */
  readonly trash: Trash
  /** Extended attributes of files and directories. */
  readonly xattrs: Xattrs
  /** Access control lists. */
  readonly acls: Acls
  /** Limits on names and bytes below directories. */
  readonly quotas: Quotas
  /** Read-only views of directories at earlier times. */
  readonly snapshots: Snapshots
  /** Histories of outputs of jobs. */
  readonly versions: Versions

  constructor({ ask, clock, host }: { ask: CallMessage; clock: Clock; host: string }) {
    this.ask = ask
    this.clock = clock
    this.#host = host
    this.trash = new Trash(ask)
    this.xattrs = new Xattrs(ask)
    this.acls = new Acls(ask)
    this.quotas = new Quotas(ask)
    this.snapshots = new Snapshots(this, ask)
    this.versions = new Versions(ask)
  }

  /** Status of a file or directory in the cluster's own form. Throws ENOENT, ENOTDIR, EACCES. */
  status(path: Path, options?: CallOptions | null): Promise<FileStatus> {
    return perform('stat', path, callOptions('status', options), ({ signal }) => statusOf(this.ask, path, signal))
  }

  /** Status in the shape of node:fs. Throws ENOENT, ENOTDIR, EACCES. */
  stat(path: Path, options?: CallOptions & { readonly bigint?: false | undefined } | null): Promise<Stats> {
    return perform(
      'stat', path, callOptions('stat', options, { bigint: false }),
      async ({ signal }) => new Stats(await statusOf(this.ask, path, signal)),
    )
  }

  exists(path: Path, options?: CallOptions | null): Promise<boolean> {
    return perform('stat', path, callOptions('exists', options), async ({ signal }) => {
      try {
        await statusOf(this.ask, path, signal)
        return true
      } catch (error) {
        if (hasCode(error, 'ENOENT', 'ENOTDIR')) return false
        throw error
      }
    })
  }

  /**
   * Throws unless the path exists and its status can be read. Of the modes of node:fs only F_OK (0) is supported: permissions are
   * checked by the operation itself. Throws ENOENT, ENOTDIR, EACCES, EINVAL.
   */
  access(path: Path, mode?: number | CallOptions | null, options?: CallOptions | null): Promise<void> {
    const [wanted, given] = typeof mode === 'object' && mode !== null ? [0, options ?? mode] : [mode ?? 0, options]
    return perform('access', path, callOptions('access', given), async ({ signal }) => {
      if (wanted !== 0)
        throw new GristmillError(
          'EINVAL',
          `the mode of access is ${shown(wanted)}; it can be 0 (F_OK): permissions to read or write are checked by the operation itself`,
        )
      await statusOf(this.ask, path, signal)
    })
  }

  /** Entries of a directory with their status, in byte order of their names, fetched page by page. Throws ENOENT, ENOTDIR. */
  async *list(path: Path, options?: CallOptions | null): AsyncGenerator<FileStatus, void, undefined> {
    const [directory, { signal }] = await during('scandir', path, async () => [pathOf(path), callOptions('list', options)()] as const)
    const ask = async (after?: string) => {
      const page = await this.ask(
        namespace.list,
        { path: directory, limit: limits.listPageMax, ...(after !== undefined && { after }) },
        signal,
      )
      const [first] = page.entries
      if (first?.type === 'file' && first.path === directory)
        throw new GristmillError('ENOTDIR', `"${directory}" is a file, not a directory`, { details: { path: directory } })
      return page
    }
    for await (const page of paged((after?: string) => during('scandir', path, () => ask(after), signal))) {
      for (const entry of page.entries) {
        throwIfAborted(signal)
        yield entry
      }
    }
  }

  /**
   * One page of a directory, in byte order of names; of a file, the file itself. `next` is the value of `after` for the next page;
   * undefined: there is none. Throws ENOENT, ENOTDIR, EACCES.
   */
  listPage(path: Path, options?: ListPageOptions | null): Promise<{ entries: FileStatus[]; next?: string | undefined }> {
    const read = () => optionsOf<ListPageOptions>(options, 'listPage', { after: true, limit: true, signal: true })
    return perform('scandir', path, read, async ({ after, limit, signal }) => {
      checkInteger('limit on entries', limit, 1, limits.listPageMax)
      const request = { ...after !== undefined && { after: textOf(after, 'name to list after') }, ...limit !== undefined && { limit } }
      return this.ask(namespace.list, { path: pathOf(path), ...request }, signal)
    })
  }

  /** Names in a directory, in byte order. With `recursive` also names below it, as relative paths. Throws ENOENT, ENOTDIR. */
  readdir(path: Path, options: ListOptions & { readonly withFileTypes: true }): Promise<Dirent[]>
  readdir(path: Path, options?: BufferEncoding | ListOptions & { readonly withFileTypes?: false | undefined } | null): Promise<string[]>
  readdir(
    path: Path,
    options?: BufferEncoding | (ListOptions & { readonly withFileTypes?: boolean | undefined }) | null,
  ): Promise<string[] | Dirent[]> {
    type Options = ListOptions & { readonly withFileTypes?: boolean | undefined }
    const read = (): Partial<Options> => {
      const given = encodedOptionsOf<Options>(options, 'readdir', { withFileTypes: true, recursive: true, encoding: true, signal: true })
      flagsOf(given, 'withFileTypes', 'recursive')
      if (typeof given.encoding === 'string' && !/^utf-?8$/i.test(given.encoding))
        throw new GristmillError(
          'EINVAL',
          `readdir gives names as strings, which are Unicode; its encoding can be "utf8", not ${shown(given.encoding)}`,
        )
      return given
    }
    return perform('scandir', path, read, async ({ withFileTypes, recursive, signal }) => {
      const top = pathOf(path)
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
    })
  }

  /**
   * Paths that match a pattern (docs/reference/patterns.md: `*`, `?`, `[a-z]`, `[!a]`, `{a,b}`, `{1..3}`, `**`), each once, in
   * byte order within each directory. Names that begin with a dot match only if the pattern has the dot; a backslash quotes the
   * next character.
   */
  async *glob(pattern: string, options?: CallOptions | null): AsyncGenerator<string, void, undefined> {
    const { signal } = await during('glob', pattern, async () => {
      if (typeof pattern !== 'string')
        throw new GristmillError('EINVAL', `the pattern of glob is a string, not ${shown(pattern)}; call it once for each of several`)
      return callOptions('glob', options)()
    })
    yield* globPaths(pattern, { status: path => this.status(path, { signal }), list: directory => this.list(directory, { signal }) })
  }

  /**
   * With `recursive`, missing parents are created and an existing directory is no error. Throws EEXIST, ENOENT, ENOTDIR, EACCES.
   */
  mkdir(path: Path, options?: number | string | MkdirOptions | null): Promise<void> {
    const read = (): Partial<MkdirOptions> => {
      const given =
        typeof options === 'number' || typeof options === 'string'
          ? { mode: options }
          : optionsOf<MkdirOptions>(options, 'mkdir', { recursive: true, mode: true, unmaskedMode: true, signal: true })
      flagsOf(given, 'recursive')
      return given
    }
    return perform('mkdir', path, read, async ({ recursive = false, mode, unmaskedMode, signal }) => {
      await this.ask(namespace.mkdir, {
        path: pathOf(path), parents: recursive, ...mode !== undefined && { mode: modeOf(mode) },
        ...unmaskedMode !== undefined && { unmasked: modeOf(unmaskedMode, 'unmasked mode') },
      }, signal)
    })
  }

  /**
   * Removes a file or an empty directory; with `recursive` also a directory with its contents, in one step, however large. With
   * `force` a missing path is no error. The entry goes to the trash (see `trash`), unless the cluster keeps no trash or
   * `skipTrash` is set; then its space is freed. Throws ENOENT, ENOTEMPTY, EACCES.
   */
  rm(path: Path, options?: RmOptions | null): Promise<void> {
    const read = (): Partial<RmOptions> => {
      const given = optionsOf<RmOptions>(options, 'rm', {
        recursive: true, force: true, skipTrash: true, maxRetries: true, retryDelay: true, signal: true,
      })
      flagsOf(given, 'recursive', 'force', 'skipTrash')
      checkInteger('number of retries', given.maxRetries, 0)
      checkInteger('delay between retries', given.retryDelay, 0)
      return given
    }
    return perform('rm', path, read, async ({ recursive = false, force = false, skipTrash = false, signal }) => {
      try {
        const target = await placed(this.ask, path, signal)
        const given = typeof path === 'string' ? path : Buffer.from(path).toString()
        if (endsInDots(given)) {
          throw new GristmillError('EINVAL', `${given}: "." and ".." are not removed; name the directory itself`, {
            details: { path: given },
          })
        }
        await this.ask(namespace.remove, { path: target, recursive, skipTrash }, signal)
      } catch (error) {
        if (!(force && hasCode(error, 'ENOENT', 'ENOTDIR'))) throw error
      }
    })
  }

  /**
   * Renames a file or directory atomically. An existing file at the new path is replaced, as in POSIX, unless `overwrite` is
   * false. Throws ENOENT, EEXIST, EISDIR, ENOTEMPTY, and EINVAL for a directory into itself.
   */
  rename(from: Path, to: Path, options?: CallOptions & { readonly overwrite?: boolean | undefined } | null): Promise<void> {
    type Options = CallOptions & { readonly overwrite?: boolean | undefined }
    return perform(
      'rename', from,
      () => optionsOf<Options>(options, 'rename', { overwrite: true, signal: true }),
      async ({ overwrite = true, signal }) => {
        flagsOf({ overwrite }, 'overwrite')
        const [source, target] = [await placed(this.ask, from, signal, 'old path'), pathOf(to, 'new path')]
        if (namesDirectory(to)) checkNamed(to, await statusOf(this.ask, source, signal))
        if (source !== target && isWithin(target, source)) {
          throw new GristmillError('EINVAL', `"${source}" cannot be moved into itself ("${target}")`, {
            details: { path: source, dest: target },
          })
        }
        await this.ask(namespace.rename, { from: source, to: target, overwrite }, signal)
      },
    )
  }

  /** Sets permission bits: a number, or octal digits (`'640'`). Throws ENOENT, EACCES, EINVAL. */
  chmod(path: Path, mode: number | string, options?: CallOptions | null): Promise<void> {
    return this.#set('chmod', path, () => ({ mode: modeOf(mode) }), options)
  }

  /** Sets owner and group by name; there are no user numbers. Throws ENOENT, EACCES, EINVAL. */
  chown(path: Path, ownership: Ownership, options?: CallOptions | null): Promise<void> {
    return this.#set('chown', path, () => {
      if (typeof ownership !== 'object')
        throw new GristmillError(
          'EINVAL',
          `chown takes names, for instance { owner: "ada", group: "staff" }, not ${shown(ownership)}: users have no numbers in a cluster`,
        )
      const { owner, group } = optionsOf<Ownership>(ownership, 'chown', { owner: true, group: true })
      if (owner === undefined && group === undefined)
        throw new GristmillError('EINVAL', 'chown changes nothing: give an owner, a group, or both')
      return { ...owner !== undefined && { owner: textOf(owner, 'owner') }, ...group !== undefined && { group: textOf(group, 'group') } }
    }, options)
  }

  /**
   * Sets the modification time: seconds as a number or a string, or a Date. There is no access time: `atime` is checked, and has
   * no effect.
   */
  utimes(path: Path, atime: number | string | Date, mtime: number | string | Date, options?: CallOptions | null): Promise<void> {
    return this.#set('utime', path, () => {
      timeOf(atime, 'access time')
      return { mtimeMs: timeOf(mtime, 'modification time') }
    }, options)
  }

  /** Creates an empty file, or sets the modification time (default: now) of an existing path. */
  touch(path: Path, options?: CallOptions & { readonly mtimeMs?: number | undefined } | null): Promise<void> {
    type Options = CallOptions & { readonly mtimeMs?: number | undefined }
    return perform(
      'touch', path,
      () => optionsOf<Options>(options, 'touch', { mtimeMs: true, signal: true }),
      async ({ mtimeMs, signal }) => {
        const time = mtimeMs === undefined ? Math.round(this.clock.now()) : instantOf(mtimeMs, 'modification time')
        await this.ask(namespace.touch, { path: await placed(this.ask, path, signal), mtimeMs: time }, signal)
      },
    )
  }

  /** Sets the number of replicas of a file's blocks; replicas are made and deleted in the background. Throws ENOENT, EISDIR. */
  setReplication(path: Path, replication: number, options?: CallOptions | null): Promise<void> {
    return this.#set('setrep', path, () => {
      checkInteger('number of replicas', replication ?? Number.NaN, 1, limits.replicationMax)
      return { replication }
    }, options)
  }

  /**
   * Number of files, directories and bytes at and below a path. `stored` counts the bytes of all replicas. With `versions`, also those of
   * the older versions of outputs and objects there, which the totals do not include.
   */
  summary(path: Path, options?: SummaryOptions | null): Promise<Summary> {
    const read = (): Partial<SummaryOptions> => {
      const given = optionsOf<SummaryOptions>(options, 'summary', { versions: true, signal: true })
      flagsOf(given, 'versions')
      return given
    }
    return perform('summary', path, read, async ({ versions, signal }) =>
      this.ask(namespace.summary, { path: await placed(this.ask, path, signal), ...versions && { versions } }, signal),
    )
  }

  /** Blocks of a file in order, with the nodes that hold replicas now. Throws ENOENT, EISDIR. */
  async *locate(path: Path, options?: CallOptions | null): AsyncGenerator<LocatedBlock, void, undefined> {
    const [file, { signal }] = await during('locate', path, async () => [pathOf(path), callOptions('locate', options)()] as const)
    const ask = (offset = 0) => this.ask(namespace.locate, { path: file, offset, host: this.#host }, signal)
    for await (const page of paged((offset?: number) => during('locate', path, () => ask(offset), signal))) {
      await during('locate', path, async () => checkNamed(path, page.status))
      if (page.status.type === 'directory')
        throw described(new GristmillError('EISDIR', `"${file}" is a directory`, { details: { path: file } }), 'locate', file)
      yield* page.blocks
    }
  }

  #set(
    syscall: string, path: Path,
    change: () => { mode?: number; owner?: string; group?: string; mtimeMs?: number; replication?: number },
    options: CallOptions | null | undefined,
  ): Promise<void> {
    return perform(syscall, path, callOptions(syscall, options), async ({ signal }) => {
      const changed = change()
      await this.ask(namespace.setAttributes, { path: await placed(this.ask, path, signal), ...changed }, signal)
    })
  }
}
