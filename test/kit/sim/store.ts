// Ordered store of a simulated process: in memory, durable at each commit, as the real one is.

import { GristmillError } from '../../../src/base/errors.ts'
import type { RowCheck, Store, StoreSnapshot, Table } from '../../../src/ports/store.ts'
import { MemoryStore } from '../memory-store.ts'
import { contentOf, storeFile } from './host.ts'
import type { Process } from './process.ts'

export class SimStore implements Store {
  readonly #process: Process
  readonly #directory: string

  constructor(process: Process, directory: string) {
    this.#process = process
    this.#directory = directory
  }

  /** Looked up each time: after a power cut the host has another one. */
  get #store() { return this.#process.host.store(this.#directory) }

  table(name: string): Table {
    const table = this.#store.table(name)
    const process = this.#process
    const alive = <T extends unknown[], R>(work: (...args: T) => R) => (...args: T): R => {
      process.must()
      return work(...args)
    }
    return {
      get: alive(key => table.get(key)), put: alive((key, value) => table.put(key, value)), remove: alive(key => table.remove(key)),
      range: alive(bounds => table.range(bounds)),
    }
  }

  transact<T>(work: () => T): T {
    this.#process.must()
    const trouble = this.#process.host.trouble(this.#directory)
    return this.#store.transact(() => {
      const result = work()
      this.#process.must()
      if (trouble?.dead || trouble?.readOnly)
        throw Object.assign(new Error(trouble.dead ? 'Input/output error' : 'Read-only file system'), {
          code: trouble.dead ? 'EIO' : 'EROFS',
        })
      if (trouble?.full)
        throw new GristmillError('ENOSPC', `the disk under ${this.#directory} is full, nothing was written; free some space there`)
      if (trouble && trouble.failSyncIn > 0 && --trouble.failSyncIn === 0)
        throw Object.assign(new Error('Input/output error'), { code: 'EIO' })
      return result
    })
  }

  snapshot(): StoreSnapshot {
    this.#process.must()
    return this.#store.snapshot()
  }

  relax(): void {}

  async backup(directory: string): Promise<void> {
    const { host } = this.#process
    host.directories.add(directory)
    host.stores.set(directory, this.#store.reopened())
  }

  async close(): Promise<void> {}
}

/** A store file that was copied into the directory as a file becomes its store. */
export function openSimStore(process: Process, directory: string): SimStore {
  const { host } = process
  const path = storeFile(directory)
  const file = host.files.get(path)
  if (file && !host.stores.has(directory)) host.stores.set(directory, MemoryStore.from(contentOf(file)))
  for (const names of [host.files, host.durable]) names.delete(path)
  return new SimStore(process, directory)
}

/** All rows of all tables, in key order. */
export async function inspectSimStore(process: Process, directory: string, row?: RowCheck): Promise<void> {
  process.must()
  const store = process.host.stores.get(directory)
  if (!store || !row) return
  for (const name of store.names) {
    for (const { key, value } of store.table(name).range({}))
      row(name, Buffer.concat([key, value]), 0, key.length, key.length + value.length)
  }
}
