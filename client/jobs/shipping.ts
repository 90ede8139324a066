// Values that a program broadcasts, on their way from its process to the cluster. A small one is part of the history of the program. A
// larger one is a file among the uploads of the cluster, which its user alone may read; it is removed when the program ends, and by the
// namenode some time after a program that was killed (uploadKeep).

import { GristmillError, hasCode } from '../../src/base/errors.ts'
import { limits } from '../../src/base/limits.ts'
import { formatBytes } from '../../src/base/units.ts'
import type { FileClient } from '../../src/file/client.ts'
import type { HistoryEntry } from '../../src/plan/history.ts'
import { shippedHash } from '../../src/plan/shipped.ts'
import type { Disk } from '../../src/ports/disk.ts'
import { remove } from '../../src/protocol/namespace.ts'
import { prepare, uploadsDirectory } from '../../src/protocol/object.ts'
import type { Cluster } from '../call/cluster.ts'
import type { ShippedValue } from '../load/driving.ts'

interface ShippingDeps {
  readonly cluster: Pick<Cluster, 'ask' | 'random'>
  readonly files: Pick<FileClient, 'create' | 'read'>
  readonly disk: Disk
}

/** Share of a task's memory for all values that a program broadcasts: each process that runs tasks holds them. */
const memoryShare = 0.25

export class Shipping {
  readonly #deps: ShippingDeps
  readonly #bytesMax: number
  readonly #paths: string[] = []
  #bytes = 0

  /** `memoryBytes`: of a task; 0: the default. */
  constructor(deps: ShippingDeps, memoryBytes = 0) {
    this.#deps = deps
    this.#bytesMax = (memoryBytes === 0 ? limits.taskMemoryBytesDefault : memoryBytes) * memoryShare
  }

  /** Throws the failure of the value's computation, TOO_LARGE, and errors of writing. */
  async ship(value: ShippedValue): Promise<HistoryEntry['result']> {
    if ('failed' in value) {
      const { code, message, details } = value.failed
      throw new GristmillError(code, message, { details: { ...details } })
    }
    const { disk } = this.#deps
    try {
      const bytes = 'file' in value ? value.bytes : Math.ceil(value.base64.length * 3 / 4)
      if (this.#bytes + bytes > this.#bytesMax)
        throw new GristmillError(
          'TOO_LARGE',
          `broadcast was given a value of ${formatBytes(bytes)}${this.#bytes > 0 ? `, after others of ${formatBytes(this.#bytes)}` : ''}; `
          + `all values that a program broadcasts may have ${formatBytes(this.#bytesMax)}, a quarter of the memory of a task (--memory): `
          + 'give tasks more, or save the value as a file and join with a Dataset of it',
        )
      this.#bytes += bytes
      if (!('file' in value)) return { kind: 'lines', lines: [value.base64] }
      const content = await disk.readFile(value.file)
      return { kind: 'file', path: await this.#store(content), hash: shippedHash(content) }
    } finally {
      if ('file' in value) await disk.remove(value.file)
    }
  }

  /** A value that was shipped in an earlier process of the same run: the new computation of it is not used. */
  async again(value: ShippedValue, before: HistoryEntry['result']): Promise<void> {
    if ('file' in value) await this.#deps.disk.remove(value.file)
    if (before.kind === 'file') this.#paths.push(before.path)
  }

  /** Bytes of a value that was shipped. Throws CORRUPT. */
  async read({ path, hash }: Extract<HistoryEntry['result'], { kind: 'file' }>): Promise<Buffer> {
    const pieces: Buffer[] = []
    for await (const piece of this.#deps.files.read(path)) pieces.push(piece)
    const bytes = Buffer.concat(pieces)
    if (shippedHash(bytes) === hash) return bytes
    throw new GristmillError('CORRUPT', `the value that the program has broadcast in ${path} has changed; run the program again`)
  }

  async #store(bytes: Uint8Array): Promise<string> {
    const { cluster: { ask, random }, files } = this.#deps
    const path = `${uploadsDirectory}/${random.id()}`
    const write = async (): Promise<void> => {
      await using writer = await files.create(path, { mode: 0o600, overwrite: false })
      await writer.write(bytes)
      await writer.close()
    }
    try {
      await write()
    } catch (error) {
      if (!hasCode(error, 'ENOENT')) throw error
      await ask(prepare, {})
      await write()
    }
    this.#paths.push(path)
    return path
  }

  /** Removes the files. One that cannot be removed now goes by itself. */
  async close(): Promise<void> {
    const { ask } = this.#deps.cluster
    await Promise.allSettled(this.#paths.splice(0).map(path => ask(remove, { path, skipTrash: true })))
  }
}
