// What is known of a file or directory, with the names that node:fs gives to such facts. Those that a filesystem of blocks
// does not have (inode times other than the modification, device numbers) are missing rather than made up.

import { nameOf, parentOf } from '../../src/base/paths.ts'
import type { RecordFormat } from '../../src/protocol/fields.ts'
import type { FileStatus } from '../../src/protocol/namespace.ts'

const directoryType = 0o040000
const fileType = 0o100000

export class Stats {
  readonly #status: FileStatus

  constructor(status: FileStatus) { this.#status = status }

  get path(): string { return this.#status.path }
  /** A number that this file has and no other in this cluster ever had. */
  get ino(): number { return this.#status.id }
  /** Bytes. */
  get size(): number { return this.#status.length }
  /** Permission bits with the type, as in POSIX. */
  get mode(): number { return this.#status.mode | (this.isDirectory() ? directoryType : fileType) }
  get mtime(): Date { return new Date(this.#status.mtimeMs) }
  get mtimeMs(): number { return this.#status.mtimeMs }
  get owner(): string { return this.#status.owner }
  get group(): string { return this.#status.group }
  /** Wanted replicas of each block; 0 for a directory. */
  get replication(): number { return this.#status.replication }
  /** Most bytes that a block of this file has. */
  get blksize(): number { return this.#status.blockBytes }
  /** Number of blocks of the cluster, not of 512 bytes. */
  get blocks(): number { return this.#status.blocks }
  /** Where its blocks were cut: at records of this format, or anywhere. */
  get format(): RecordFormat { return this.#status.format }
  /** csv: what its writer said separates its fields. */
  get delimiter(): string | undefined { return this.#status.delimiter }

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
  readonly #status: FileStatus

  constructor(status: FileStatus) {
    this.#status = status
    this.name = nameOf(status.path)
    this.parentPath = parentOf(status.path)
  }

  isFile(): boolean { return this.#status.type === 'file' }
  isDirectory(): boolean { return this.#status.type === 'directory' }
  isSymbolicLink(): boolean { return false }
  /** Its facts, which the listing brought along: no further call. */
  stats(): Stats { return new Stats(this.#status) }
}
