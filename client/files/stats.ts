// File status in the shape of node:fs. Fields that this filesystem lacks (inode times other than the modification, device numbers)
// are absent rather than invented. Facts are own fields, as in Node, so that printing, spreading and comparing work.

import type { RecordFormat } from '../../src/base/formats.ts'
import { nameOf, parentOf } from '../../src/base/paths.ts'
import type { FileStatus } from '../../src/protocol/namespace.ts'

const directoryType = 0o040000
const fileType = 0o100000

export class Stats {
  readonly #status: FileStatus
  readonly path: string
  readonly type: 'file' | 'directory'
  /** Inode number, unique in this cluster for all time. */
  readonly ino: number
  /** Length in bytes. */
  readonly size: number
  /** Permission bits and type bits, as in POSIX. */
  readonly mode: number
  readonly mtimeMs: number
  readonly mtime: Date
  readonly owner: string
  readonly group: string
  /** Target replication of each block; 0 for a directory. */
  readonly replication: number
  /** Maximum size of a block of this file. */
  readonly blksize: number
  /** Number of blocks of the cluster, not of 512 bytes. */
  readonly blocks: number
  /** Record format at whose boundaries blocks end; `bytes`: anywhere. */
  readonly format: RecordFormat
  /** csv: field separator given by the writer. */
  declare readonly delimiter?: string
  /** csv: the first row names the columns, or it does not, as the writer has said; missing: its writer has not said. */
  declare readonly header?: boolean

  constructor(status: FileStatus) {
    this.#status = status
    const { path, type, id, length, mode, mtimeMs, owner, group, replication, blockBytes, blocks, format, delimiter, header } = status
    this.path = path
    this.type = type
    this.ino = id
    this.size = length
    this.mode = mode | (type === 'directory' ? directoryType : fileType)
    this.mtimeMs = mtimeMs
    this.mtime = new Date(mtimeMs)
    this.owner = owner
    this.group = group
    this.replication = replication
    this.blksize = blockBytes
    this.blocks = blocks
    this.format = format
    if (delimiter !== undefined) this.delimiter = delimiter
    if (header !== undefined) this.header = header
  }

  isFile(): boolean { return this.#status.type === 'file' }
  isDirectory(): boolean { return this.#status.type === 'directory' }
  isSymbolicLink(): boolean { return false }

  toJSON(): FileStatus { return this.#status }
}

/** Directory entry, returned by `readdir` with `withFileTypes`. */
export class Dirent {
  readonly name: string
  /** Path of the directory that contains the entry. */
  readonly parentPath: string
  readonly type: 'file' | 'directory'
  readonly #status: FileStatus

  constructor(status: FileStatus) {
    this.#status = status
    this.name = nameOf(status.path)
    this.parentPath = parentOf(status.path)
    this.type = status.type
  }

  isFile(): boolean { return this.#status.type === 'file' }
  isDirectory(): boolean { return this.#status.type === 'directory' }
  isSymbolicLink(): boolean { return false }
  /** Status of the entry, which the listing already fetched: no further call. */
  stats(): Stats { return new Stats(this.#status) }
}
