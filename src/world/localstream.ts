// A pipe or device of this machine that a user has named as a target.
// Invariant: a pipe blocks neither this thread nor one of the pool, however long no process reads it: an abort ends the wait at once.

import fs from 'node:fs'
import net from 'node:net'
import { setTimeout as delay } from 'node:timers/promises'
import { promisify } from 'node:util'
import { abortError, throwIfAborted } from '../base/abort.ts'
import { GristmillError } from '../base/errors.ts'
import type { DiskStream } from '../ports/disk.ts'
import { FileWriter } from './file.ts'

const { O_NONBLOCK, O_TRUNC, O_WRONLY } = fs.constants
const open = promisify(fs.open) as (path: string, flags: number) => Promise<number>
const retryMs = 20

/** Follows links. Waits for a process that reads a pipe. */
export async function openStream(path: string, signal: AbortSignal | undefined): Promise<DiskStream> {
  if (!(await fs.promises.stat(path)).isFIFO()) return deviceOf(new FileWriter(await open(path, O_WRONLY | O_TRUNC), path))
  for (;;) {
    throwIfAborted(signal)
    try {
      return new PipeStream(path, fs.openSync(path, O_WRONLY | O_NONBLOCK), signal)
    } catch (error) {
      const isUnread = (error as NodeJS.ErrnoException).code === 'ENXIO' && (await fs.promises.stat(path)).isFIFO()
      if (!isUnread) throw error
    }
    // Its rejection has another code than errors of aborts have here; the next turn throws those.
    await delay(retryMs, undefined, { signal }).catch(() => undefined)
  }
}

const deviceOf = (writer: FileWriter): DiskStream => ({
  write: async bytes => writer.writeSync(bytes),
  close: () => writer.close(),
})

const left = (path: string, cause: Error): GristmillError =>
  new GristmillError('EPIPE', `the process that read ${path} has closed it before the end`, { cause })

class PipeStream implements DiskStream {
  readonly #path: string
  readonly #socket: net.Socket
  readonly #closed: Promise<void>
  readonly #signal: AbortSignal | undefined
  readonly #onAbort = (): void => { this.#socket.destroy() }

  constructor(path: string, fd: number, signal: AbortSignal | undefined) {
    this.#path = path
    this.#signal = signal
    this.#socket = new net.Socket({ fd, readable: false, writable: true })
    this.#closed = new Promise(resolve => { this.#socket.once('close', () => resolve()) })
    // Each failure is also that of the write that waits for it.
    this.#socket.on('error', () => {})
    signal?.addEventListener('abort', this.#onAbort, { once: true })
  }

  write(bytes: Uint8Array): Promise<void> {
    return new Promise((resolve, reject) => {
      this.#socket.write(bytes, error => {
        if (this.#signal?.aborted) reject(abortError(this.#signal))
        else if (error) reject((error as NodeJS.ErrnoException).code === 'EPIPE' ? left(this.#path, error) : error)
        else resolve()
      })
    })
  }

  async close(): Promise<void> {
    this.#signal?.removeEventListener('abort', this.#onAbort)
    if (!this.#socket.destroyed) this.#socket.end()
    await this.#closed
  }
}
