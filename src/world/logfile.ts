// File of lines that does not grow without end. When it is larger than `maxBytes`, its content is copied to FILE.1, earlier copies become
// FILE.2 and so on, and the file is emptied. It is emptied, not replaced, because the process's stderr may lead to the same file: what
// Node itself writes there when it crashes must not go to a copy that is deleted later.
// INVARIANTS: a line is in the file when `write` returns, or not at all: what a full disk took of it is removed again. A line begins on a
// line of its own, also after one that a killed process left unfinished. A failure of the disk is not reported: it must not stop the
// process that logs.

import fs from 'node:fs'
import path from 'node:path'
import { makeDirectoriesSync } from './directories.ts'

export interface LogFileOptions {
  readonly file: string
  /** Default: 16 MiB. A copy of as much takes some milliseconds, in which the process does nothing else. */
  readonly maxBytes?: number | undefined
  /** Number of copies that are kept; default: 5. 0: the file is emptied without a copy. */
  readonly copies?: number | undefined
}

const newline = Buffer.from('\n')

export const logDefaults = { maxBytes: 16 * 2 ** 20, copies: 5 } as const

export class LogFile {
  readonly #file: string
  readonly #maxBytes: number
  readonly #copies: number
  readonly #fd: number
  #bytes: number
  /** The file ends with a part of a line that is not to be removed. */
  #torn = false

  /** Creates the file and its directory. Throws the error of the disk if it cannot be opened. */
  constructor({ file, maxBytes = logDefaults.maxBytes, copies = logDefaults.copies }: LogFileOptions) {
    this.#file = file
    this.#maxBytes = maxBytes
    this.#copies = copies
    makeDirectoriesSync(path.dirname(file), 0o700)
    this.#fd = fs.openSync(file, 'a', 0o600)
    this.#bytes = fs.fstatSync(this.#fd).size
    this.#torn = this.#end(1)?.equals(newline) === false
  }

  /** Appends `line`, which ends with a newline. */
  write(line: string): void {
    if (this.#bytes >= this.#maxBytes) this.#rotate()
    const bytes = Buffer.from(this.#torn ? `\n${line}` : line)
    let written = 0
    try {
      while (written < bytes.length) written += fs.writeSync(this.#fd, bytes, written)
      this.#bytes += written
      this.#torn = false
    } catch {
      // A full disk: the line is lost, the process continues.
      if (written > 0) this.#takeBack(bytes.subarray(0, written))
    }
  }

  /** Removes the part of a line at the end of the file. Where that is impossible (a pipe, an append-only file), the next line ends it. */
  #takeBack(part: Buffer): void {
    try {
      // Not if something else was appended to the file meanwhile.
      if (this.#end(part.length)?.equals(part)) return fs.ftruncateSync(this.#fd, fs.fstatSync(this.#fd).size - part.length)
    } catch {
      // The part stays.
    }
    this.#torn = true
  }

  /** The last bytes of the file; undefined if it has fewer, is not a plain file, or cannot be read. */
  #end(count: number): Buffer | undefined {
    const status = fs.fstatSync(this.#fd)
    if (status.size < count || !status.isFile()) return undefined
    let fd: number | undefined
    try {
      // By its name, because it was opened for appending only: a log that may be written and not read is one, too.
      fd = fs.openSync(this.#file, 'r')
      const end = Buffer.alloc(count)
      return fs.fstatSync(fd).ino === status.ino && fs.readSync(fd, end, 0, count, status.size - count) === count ? end : undefined
    } catch {
      return undefined
    } finally {
      if (fd !== undefined) fs.closeSync(fd)
    }
  }

  #rotate(): void {
    // Counted from 0 also if a step fails: the next try comes after as many bytes again, not with every line.
    this.#bytes = 0
    try {
      if (!fs.fstatSync(this.#fd).isFile()) return
      for (let number = this.#copies - 1; number > 0; number--) {
        if (fs.existsSync(`${this.#file}.${number}`)) fs.renameSync(`${this.#file}.${number}`, `${this.#file}.${number + 1}`)
      }
      if (this.#copies > 0) fs.copyFileSync(this.#file, `${this.#file}.1`, fs.constants.COPYFILE_FICLONE)
      fs.ftruncateSync(this.#fd, 0)
      this.#torn = false
    } catch {
      // No space for the copy: the file grows on.
    }
  }
}
