// File of lines that does not grow without end. When it is larger than `maxBytes`, its content is copied to FILE.1, earlier copies become
// FILE.2 and so on, and the file is emptied. It is emptied, not replaced, because the process's stderr may lead to the same file: what
// Node itself writes there when it crashes must not go to a copy that is deleted later.
// INVARIANT: a line is in the file when `write` returns. A failure of the disk is not reported: it must not stop the process that logs.

import fs from 'node:fs'
import path from 'node:path'

export interface LogFileOptions {
  readonly file: string
  /** Default: 16 MiB. A copy of as much takes some milliseconds, in which the process does nothing else. */
  readonly maxBytes?: number | undefined
  /** Number of copies that are kept; default: 5. 0: the file is emptied without a copy. */
  readonly copies?: number | undefined
}

export const logDefaults = { maxBytes: 16 * 2 ** 20, copies: 5 } as const

export class LogFile {
  readonly #file: string
  readonly #maxBytes: number
  readonly #copies: number
  readonly #fd: number
  #bytes: number

  /** Creates the file and its directory. Throws the error of the disk if it cannot be opened. */
  constructor({ file, maxBytes = logDefaults.maxBytes, copies = logDefaults.copies }: LogFileOptions) {
    this.#file = file
    this.#maxBytes = maxBytes
    this.#copies = copies
    fs.mkdirSync(path.dirname(file), { recursive: true, mode: 0o700 })
    this.#fd = fs.openSync(file, 'a', 0o600)
    this.#bytes = fs.fstatSync(this.#fd).size
  }

  /** Appends `line`, which ends with a newline. */
  write(line: string): void {
    if (this.#bytes >= this.#maxBytes) this.#rotate()
    try {
      const bytes = Buffer.from(line)
      for (let at = 0; at < bytes.length;) at += fs.writeSync(this.#fd, bytes, at)
      this.#bytes += bytes.length
    } catch {
      // A full disk: the line is lost, the process continues.
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
    } catch {
      // No space for the copy: the file grows on.
    }
  }
}
