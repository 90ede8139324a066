// `mill.objects`: files as objects of a store: written aside and published under a condition together with their attributes, joined from
// parts without moving bytes, listed in the order of their keys below a directory. Gateways for clients of object stores use it.

import { limits } from '../../src/base/limits.ts'
import { GristmillError, hasCode } from '../../src/base/errors.ts'
import type { RecordFormat } from '../../src/base/formats.ts'
import type { FileClient } from '../../src/file/client.ts'
import type { ClusterFileWriter } from '../../src/file/writer.ts'
import type { Random } from '../../src/ports/random.ts'
import type { FileStatus } from '../../src/protocol/namespace.ts'
import * as protocol from '../../src/protocol/object.ts'
import { uploadsDirectory, type Expected, type StoredStatus } from '../../src/protocol/object.ts'
import type { CallMessage } from '../call/cluster.ts'
import { flagsOf, optionsOf, pathOf, shown, type CallOptions, type Path } from '../call/arguments.ts'
import { checkInteger } from '../call/integers.ts'
import { perform } from '../call/perform.ts'
import {
  aboveOf, attributesOf, checkKeyTexts, expectedOf, namesOf, partsOf, publishing, valuesOf, type AttributeOptions, type ObjectAttributes,
  type ObjectParts, type PublishObjectOptions,
} from './objectarguments.ts'
import { ObjectVersions, type ObjectEntry } from './objectversions.ts'
import { createOptions } from './write.ts'

export type { ObjectAttributes, ObjectEntry, PublishObjectOptions }

interface GetOptions extends AttributeOptions {
  /** Also the bytes of a small file, whose bytes the namenode has; default: false. */
  readonly content?: boolean | undefined
}

export interface FoundObject {
  readonly status: FileStatus
  readonly attributes: ObjectAttributes
  /** Set for a directory: whether it is a key itself, because it is empty or has one of the attributes. */
  readonly isKey?: boolean | undefined
  /** Bytes of a small file, if they were asked for; undefined: `open` reads the file. */
  readonly bytes?: Buffer | undefined
}

interface ListObjectsOptions extends AttributeOptions {
  /** Only keys that begin with it. */
  readonly prefix?: string | undefined
  /** Keys that have it behind the prefix are rolled up into one common prefix. */
  readonly delimiter?: string | undefined
  /** Only keys behind this one. */
  readonly after?: string | undefined
  /** Entries of a page, at most 1,000. */
  readonly limit?: number | undefined
}

interface ObjectPage { readonly entries: readonly ObjectEntry[]; readonly next?: string | undefined }

type PutObjectOptions = PublishObjectOptions & CallOptions

interface JoinOptions extends PublishObjectOptions, CallOptions {
  /** Files in the directory of the upload, in the order of the object. */
  readonly parts: ObjectParts
}

interface OpenOptions extends CallOptions {
  /** Length of the object, if it is known: a small one needs no block. */
  readonly bytes?: number | undefined
  /** Path at which the caller will publish, or of the part: whether so many bytes fit into the quotas there is looked at once. */
  readonly to?: Path | undefined
  /** Directory above `to`: the bucket. */
  readonly base?: Path | undefined
  /** As for files: where blocks end, and their replicas and size. */
  readonly format?: RecordFormat | undefined
  readonly delimiter?: string | undefined
  readonly header?: boolean | undefined
  readonly replication?: number | undefined
  readonly blockSize?: number | undefined
}

interface BeginOptions extends CallOptions {
  readonly attributes: ObjectAttributes
  /** Path at which the caller will publish: whether the caller may do so is checked at once. */
  readonly to?: Path | undefined
  /** Directory above `to` that must exist. */
  readonly base?: Path | undefined
}

interface MkdirOptions extends CallOptions {
  readonly attributes?: ObjectAttributes | undefined
  /** Attributes that the directory has no longer unless they are given. */
  readonly replaces?: readonly string[] | undefined
  /** State of the key that the caller has seen: no object, or the directory, or the file with its content, with this id. */
  readonly expect?: Expected | undefined
  /** Directory above the path that must exist. */
  readonly base?: Path | undefined
}

interface RemoveOptions extends CallOptions {
  /** True to remove an empty directory, false for a file; the other kind is ENOENT. Default: false. */
  readonly directory?: boolean | undefined
  /**
   * Attributes that make a directory a key: one that is not empty loses them, in place of ENOTEMPTY. With the path of the content of such
   * a key the key is removed, whether it is that file or the directory, and `expect` is about the key.
   */
  readonly attributes?: readonly string[] | undefined
  /** Directory above the object that stays; default: the object's own. */
  readonly keep?: string | undefined
  readonly expect?: Expected | undefined
}

interface ObjectsDeps { readonly ask: CallMessage; readonly files: FileClient; readonly random: Random }

/** An object that is being written. REQUIRES: one call at a time; finally `publish` or `abort`. */
export class ObjectWriter {
  readonly #writer: ClusterFileWriter

  constructor(writer: ClusterFileWriter) { this.#writer = writer }

  /** Takes the bytes; waits while two blocks are in flight. */
  write(bytes: Uint8Array): Promise<void> { return this.#writer.write(bytes) }

  /**
   * Makes the object visible at a path; a file there is replaced. Throws EEXIST, ESTALE or ENOENT if the path is not as expected, EISDIR,
   * ENOTDIR, EACCES, EDQUOT, EBUSY while another writer has the path.
   */
  publish(path: Path, options: PublishObjectOptions = {}): Promise<StoredStatus> {
    return perform('open', path, () => ({}), () => this.#writer.publish({ to: pathOf(path), ...publishing(options) }))
  }

  /** Nothing of the object remains. Never rejects. */
  abort(): Promise<void> { return this.#writer.abort() }
}

export class Objects extends ObjectVersions {
  readonly #deps: ObjectsDeps

  constructor(deps: ObjectsDeps) {
    super(deps)
    this.#deps = deps
  }

  /**
   * Status and attributes of a path that the caller may read, in one call with others that are asked for at the same time. Throws ENOENT,
   * ENOTDIR, EACCES.
   */
  get(path: Path, options?: GetOptions | null): Promise<FoundObject> {
    const read = () => optionsOf<GetOptions>(options, 'get', { attributes: true, content: true, signal: true })
    return perform('stat', path, read, async given => {
      flagsOf(given, 'content')
      const wanted = { path: pathOf(path), attributes: namesOf(given.attributes), ...given.content && { content: true } }
      const { status, attributes, isKey, bytes } = await this.#deps.files.objects.read(wanted, given.signal)
      return { status, attributes: attributesOf(attributes), ...isKey !== undefined && { isKey }, ...bytes && { bytes } }
    })
  }

  /**
   * A page of the keys below a directory, in the order of their UTF-8 bytes. A key is the path below the directory; its parts may be empty,
   * `.` or `..`. Throws ENOENT, ENOTDIR, EACCES.
   */
  list(path: Path, options?: ListObjectsOptions | null): Promise<ObjectPage> {
    const read = () => optionsOf<ListObjectsOptions>(options, 'list', {
      prefix: true, delimiter: true, after: true, limit: true, attributes: true, signal: true,
    })
    return perform('scandir', path, read, async ({ prefix = '', delimiter, after, limit = limits.listPageMax, attributes, signal }) => {
      checkInteger('number of keys in a page', limit, 1, limits.listPageMax)
      checkKeyTexts({ prefix, delimiter, start: after })
      const { entries, next } = await this.#deps.ask(protocol.list, {
        path: pathOf(path), prefix, limit, attributes: namesOf(attributes),
        ...delimiter !== undefined && { delimiter }, ...after !== undefined && { after },
      }, signal)
      return {
        entries: entries.map(({ key, rolled = false, status, attributes: found = [] }) => ({
          key, rolled, attributes: attributesOf(found), ...status && { status },
        })),
        ...next !== undefined && { next },
      }
    })
  }

  /** Length up to which `put` writes an object in one call, as far as is known. */
  get smallBytes(): number { return this.#deps.files.objects.bytesMax }

  /** Writes a whole object: a small one in one call with others that are written at the same time. Throws what `publish` throws. */
  put(path: Path, bytes: Uint8Array, options?: PutObjectOptions | null): Promise<StoredStatus> {
    const read = () => optionsOf<PutObjectOptions>(options, 'put', {
      base: true, parents: true, attributes: true, expect: true, keyAttributes: true, mtimeMs: true, signal: true,
    })
    return perform('open', path, read, async ({ signal, ...more }) => {
      if (!(bytes instanceof Uint8Array)) throw new GristmillError('EINVAL', `the bytes of an object are a Uint8Array, not ${shown(bytes)}`)
      const status = await this.#deps.files.objects.publish(bytes, { to: pathOf(path), ...publishing(more) }, signal)
      if (status) return status
      const writer = await this.open({ bytes: bytes.length, signal })
      try {
        await writer.write(bytes)
        return await writer.publish(path, more)
      } catch (error) {
        await writer.abort()
        throw error
      }
    })
  }

  /** Begins an object, or a part of one. It is visible once it is published. Throws UNAVAILABLE, ENOSPC, EDQUOT. */
  open(options?: OpenOptions | null): Promise<ObjectWriter> {
    const read = () => optionsOf<OpenOptions>(options, 'open', {
      bytes: true, to: true, base: true, format: true, delimiter: true, header: true, replication: true, blockSize: true,
      signal: true,
    })
    return perform('open', undefined, read, async ({ bytes, to, base, signal, ...blocks }) => {
      checkInteger('length of the object', bytes, 0, Number.MAX_SAFE_INTEGER)
      const { files, random } = this.#deps
      const eager = bytes === undefined || !files.small.takes(bytes)
      const publishes = to === undefined ? undefined
        : { to: pathOf(to), bytes: bytes ?? 0, ...base !== undefined && { base: pathOf(base) } }
      const creating = { ...createOptions(blocks), eager, bytes, publishes, overwrite: false, signal }
      return this.#prepared(signal, async () => new ObjectWriter(await files.create(`${uploadsDirectory}/${random.id()}`, creating)))
    })
  }

  /**
   * Begins a multipart upload: a directory in `/.gristmill/uploads`, with attributes, that only its user may use. Throws EEXIST, and what
   * publishing at `to` would throw now.
   */
  begin(upload: Path, options: BeginOptions): Promise<void> {
    const read = () => optionsOf<BeginOptions>(options, 'begin', { attributes: true, to: true, base: true, signal: true })
    return perform('mkdir', upload, read, async ({ attributes = {}, to, base, signal }) => {
      const request = {
        upload: pathOf(upload), attributes: valuesOf(attributes), ...to !== undefined && { to: pathOf(to) },
        ...base !== undefined && { base: pathOf(base) },
      }
      await this.#prepared(signal, () => this.#deps.ask(protocol.begin, request, signal))
    })
  }

  /**
   * Makes a directory, and those above it, or finds it, and gives it these attributes in place of those that `replaces` names, in one step.
   * Throws ENOENT for a missing `base`, ENOTDIR if a file is in the way, EACCES, EDQUOT, and EEXIST, ENOENT or ESTALE if the key is not as
   * expected.
   */
  mkdir(path: Path, options?: MkdirOptions | null): Promise<FileStatus> {
    const read = () => optionsOf<MkdirOptions>(options, 'mkdir', {
      attributes: true, replaces: true, base: true, expect: true, signal: true,
    })
    return perform('mkdir', path, read, ({ attributes = {}, replaces, base, expect, signal }) => this.#deps.ask(protocol.directory, {
      path: pathOf(path), attributes: valuesOf(attributes), replaces: namesOf(replaces), ...base !== undefined && { base: pathOf(base) },
      ...expect !== undefined && { expect: expectedOf(expect) },
    }, signal))
  }

  /** Runs work that needs the directory of uploads; creates the directory if it is missing. */
  async #prepared<T>(signal: AbortSignal | undefined, work: () => Promise<T>): Promise<T> {
    try {
      return await work()
    } catch (error) {
      if (!hasCode(error, 'ENOENT')) throw error
      await this.#deps.ask(protocol.prepare, {}, signal)
      return work()
    }
  }

  /**
   * Makes an object of the parts of an upload, a directory below `/.gristmill/uploads`, in one step, and removes the upload. Throws what
   * `ObjectWriter.publish` throws, ESTALE if a part was replaced, ENOENT if the upload has ended, TOO_LARGE for too many blocks.
   */
  join(upload: string, path: Path, options: JoinOptions): Promise<StoredStatus> {
    const read = () => optionsOf<JoinOptions>(options, 'join', {
      parts: true, base: true, parents: true, attributes: true, expect: true, keyAttributes: true, mtimeMs: true, signal: true,
    })
    return perform('open', path, read, async ({ parts, signal, ...more }) => {
      const request = { upload: pathOf(upload), parts: partsOf(parts), to: pathOf(path), ...publishing(more) }
      return this.#deps.ask(protocol.join, request, signal)
    })
  }

  /**
   * Removes a file or an empty directory, without trash, and the directories above it, up to `keep`, that became empty and that writing the
   * key again would make the same. If `keep` has versioning, a file stays as an older version, and the answer names the delete marker that
   * the key has got. Throws ENOENT, ENOTEMPTY, ESTALE, EACCES.
   */
  rm(path: Path, given?: RemoveOptions | null): Promise<{ readonly marker?: string | undefined }> {
    const read = () => optionsOf<RemoveOptions>(given, 'rm', { directory: true, attributes: true, keep: true, expect: true, signal: true })
    return perform('rm', path, read, async options => {
      const { directory = false, attributes, keep, expect, signal } = options
      flagsOf(options, 'directory')
      const at = pathOf(path)
      const above = keep === undefined ? aboveOf(at) : pathOf(keep)
      return this.#deps.ask(protocol.remove, {
        path: at, keep: above, directory, ...attributes !== undefined && { attributes: namesOf(attributes) },
        ...expect !== undefined && { expect: expectedOf(expect) },
      }, signal)
    })
  }
}
