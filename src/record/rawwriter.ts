// Writer of output files whose records are bytes already: the lines that a command has written. Values are pieces of lines, and are written
// as they are.

import { assert } from '../base/assert.ts'
import { newlinesIn } from './raw.ts'
import type { RecordWriter } from './writer.ts'

export class RawWriter implements RecordWriter {
  #pieces: Buffer[] = []
  pendingBytes = 0
  /** Lines. */
  records = 0

  /** REQUIRES: the caller leaves the bytes unchanged. */
  write(_key: unknown, value: unknown): void {
    assert(Buffer.isBuffer(value), 'the output of a command is bytes')
    this.#pieces.push(value)
    this.pendingBytes += value.length
    this.records += newlinesIn(value)
  }

  take(): Buffer {
    const taken = this.#pieces.length === 1 ? this.#pieces[0]! : Buffer.concat(this.#pieces)
    this.#pieces = []
    this.pendingBytes = 0
    return taken
  }
}
