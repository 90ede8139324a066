// Open files of the local disk. Invariant: a descriptor is closed exactly once, and never while a thread-pool call still uses it,
// because its number could then belong to another file.

import fs from 'node:fs'
import { promisify } from 'node:util'
import { assert } from '../base/assert.ts'
import type { DiskReader, DiskWriter } from '../ports/disk.ts'

const readAsync = promisify(fs.read) as (
  fd: number, target: Uint8Array, offset: number, length: number, position: number,
) => Promise<{ bytesRead: number }>
const fdatasync = promisify(fs.fdatasync)
const closeAsync = promisify(fs.close)

/** A descriptor with the number of thread-pool calls that use it. */
class Descriptor {
  readonly fd: number
  #busy = 0
  #closing: Promise<void> | undefined
  #idle: (() => void) | undefined

  constructor(fd: number) { this.fd = fd }

  /** The number, for a call that does not leave the thread. */
  get open(): number {
    assert(!this.#closing, 'the file is closed')
    return this.fd
  }

  async use<T>(work: (fd: number) => Promise<T>): Promise<T> {
    const fd = this.open
    this.#busy++
    try {
      return await work(fd)
    } finally {
      this.#busy--
      if (this.#busy === 0) this.#idle?.()
    }
  }

  close(): Promise<void> {
    this.#closing ??= (async () => {
      if (this.#busy > 0) await new Promise<void>(resolve => { this.#idle = resolve })
      await closeAsync(this.fd)
    })()
    return this.#closing
  }
}

export class FileReader implements DiskReader {
  readonly bytes: number
  readonly #file: Descriptor

  constructor(fd: number) {
    this.#file = new Descriptor(fd)
    this.bytes = sizeOrClose(fd)
  }

  readSync(target: Uint8Array, position: number): number {
    const fd = this.#file.open
    let done = 0
    while (done < target.length) {
      const count = fs.readSync(fd, target, done, target.length - done, position + done)
      if (count === 0) break
      done += count
    }
    return done
  }

  read(target: Uint8Array, position: number): Promise<number> {
    return this.#file.use(async fd => {
      let done = 0
      while (done < target.length) {
        const { bytesRead } = await readAsync(fd, target, done, target.length - done, position + done)
        if (bytesRead === 0) break
        done += bytesRead
      }
      return done
    })
  }

  close(): Promise<void> { return this.#file.close() }
}

export class FileWriter implements DiskWriter {
  readonly #file: Descriptor
  readonly #path: string
  #bytes: number
  /** It has holes, behind which the descriptor's own position does not move. */
  #isSparse = false
  /** The first failed sync. The kernel may have dropped the dirty pages, so a later success would be wrong. */
  #failed: { error: unknown } | undefined

  /** `path`: for errors, which the system gives without it for a descriptor. */
  constructor(fd: number, path: string) {
    this.#file = new Descriptor(fd)
    this.#path = path
    this.#bytes = sizeOrClose(fd)
  }

  get bytes(): number { return this.#bytes }

  protected get fd(): number { return this.#file.open }

  writeSync(bytes: Uint8Array): void {
    const fd = this.#file.open
    let done = 0
    while (done < bytes.length) {
      // No position: writes always append, and O_APPEND ignores positions.
      let count
      try {
        count = fs.writeSync(fd, bytes, done, bytes.length - done, this.#isSparse ? this.#bytes : null)
      } catch (error) {
        throw withPath(error, this.#path)
      }
      done += count
      this.#bytes += count
    }
  }

  skipSync(bytes: number): void {
    this.#isSparse = true
    fs.ftruncateSync(this.#file.open, this.#bytes + bytes)
    this.#bytes += bytes
  }

  async sync(): Promise<void> {
    this.#trusted()
    try {
      await this.#file.use(fd => fdatasync(fd))
    } catch (error) {
      this.#failed ??= { error: withPath(error, this.#path) }
      throw error
    }
  }

  syncSync(): void {
    this.#trusted()
    try {
      fs.fdatasyncSync(this.#file.open)
    } catch (error) {
      this.#failed ??= { error: withPath(error, this.#path) }
      throw error
    }
  }

  close(): Promise<void> { return this.#file.close() }

  #trusted(): void {
    if (this.#failed) throw this.#failed.error
  }
}

/** Writer of a file to which other processes may append as well. */
export class FileAppender extends FileWriter {
  override get bytes(): number { return fs.fstatSync(this.fd).size }
}

/** The system's error, with the path as errors of calls that are given one have it. */
function withPath(error: unknown, path: string): unknown {
  if (!(error instanceof Error) || !('syscall' in error) || 'path' in error) return error
  error.message += ` '${path}'`
  return Object.assign(error, { path })
}

function sizeOrClose(fd: number): number {
  try {
    return fs.fstatSync(fd).size
  } catch (error) {
    fs.closeSync(fd)
    throw error
  }
}
