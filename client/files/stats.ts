// What is known of a file or directory, with the names that node:fs gives to such facts. Those that a filesystem of blocks
// does not have (inode times other than the modification, device numbers) are missing rather than made up. Facts are fields, as they
// are in Node: what prints, spreads or compares an object sees them.

import { nameOf, parentOf } from '../../src/base/paths.ts'
import type { RecordFormat } from '../../src/protocol/fields.ts'
import type { FileStatus } from '../../src/protocol/namespace.ts'

const directoryType = 0o040000
const fileType = 0o100000

export class Stats {
  readonly #status: FileStatus
  readonly path: string
  readonly type: 'file' | 'directory'
  /** A number that this file has and no other in this cluster ever had. */
  readonly ino: number
  /** Bytes. */
  readonly size: number
  /** Permission bits with the type, as in POSIX. */
  readonly mode: number
  readonly mtimeMs: number
  readonly mtime: Date
  readonly owner: string
  readonly group: string
  /** Wanted replicas of each block; 0 for a directory. */
  readonly replication: number
  /** Most bytes that a block of this file has. */
  readonly blksize: number
  /** Number of blocks of the cluster, not of 512 bytes. */
  readonly blocks: number
  /** Where its blocks were cut: at records of this format, or anywhere. */
  readonly format: RecordFormat
  /** csv: what its writer said separates its fields. */
  declare readonly delimiter?: string

  constructor(status: FileStatus) {
    this.#status = status
    const { path, type, id, length, mode, mtimeMs, owner, group, replication, blockBytes, blocks, format, delimiter } = status
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
  }

  isFile(): boolean { return this.#status.type === 'file' }
  isDirectory(): boolean { return this.#status.type === 'directory' }
  isSymbolicLink(): boolean { return false }

  toJSON(): FileStatus { return this.#status }
}

/** An entry of a directory, as `readdir` gives it with `withFileTypes`. */
export class Dirent {
  readonly name: string
  /** The directory that it is in. */
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
  /** Its facts, which the listing brought along: no further call. */
  stats(): Stats { return new Stats(this.#status) }
}
