// Shared by tests of operators: batches without files, an in-memory file, a recording sink.

import type { Emit, Key } from '../../../../src/base/pair.ts'
import type { Batch } from '../../../../src/record/records.ts'
import type { Sink } from '../../../../src/operator/operator.ts'
import type { KeyGroup } from '../../../../src/shuffle/groups.ts'
import type { SinkFile } from '../../../../src/operator/filesink.ts'

/** Record i is said to start at byte 10 × i. */
export const batchOf = (values: readonly unknown[], path = '/in'): Batch => ({ values, path, offset: index => index * 10 })

export const groupOf = (key: Key, values: readonly unknown[]): KeyGroup => ({ key, values, end() {} })

export class MemorySink implements Sink<[Key, unknown][]> {
  readonly got: [Key, unknown][] = []
  readonly events: string[] = []
  readonly emit: Emit = (key, value) => { this.got.push([key, value]) }
  get records(): number { return this.got.length }
  isUnsettled = false
  settle(): undefined { this.events.push(`settle ${this.got.length}`); return undefined }
  async finish(): Promise<[Key, unknown][]> { return this.got }
  async discard(): Promise<void> {}
}

export class MemoryFile implements SinkFile<string> {
  text = ''
  writes = 0
  state: 'open' | 'closed' | 'aborted' = 'open'
  async write(bytes: Uint8Array): Promise<void> {
    const copy = Buffer.from(bytes)
    await null // reveals a caller that reuses the buffer too early
    this.text += copy.toString('latin1')
    this.writes++
  }
  async close(): Promise<string> { this.state = 'closed'; return this.text }
  async abort(): Promise<void> { this.state = 'aborted' }
}
