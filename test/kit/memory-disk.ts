// In-memory disk that tracks synced state, for unit tests; sim/host.ts is that of a simulation. `cut()` simulates a power cut: files keep
// their synced bytes and, of bytes written after that, as many as `tear` returns; unsynced names are lost, those of directories with
// everything in them. Tests can make writes and syncs fail; data that a failed sync should have written is lost for every later sync, as
// on Linux.

import type { Disk, DiskEntry, DiskReader, DiskWriter } from '../../src/ports/disk.ts'

interface File {
  bytes: Buffer
  synced: number
  /** [from, to): bytes that a failed sync has dropped. Reads return them until the power is cut; then they are zeros. */
  dropped?: Array<readonly [number, number]>
}

const parentOf = (path: string): string => path.slice(0, Math.max(0, path.lastIndexOf('/')))

const fault = (code: string, what: string): Error => Object.assign(new Error(`${code}: ${what}`), { code })

export class MemoryDisk implements Disk {
  /** Names as processes see them; `#durable`: as they are after a power cut. */
  readonly files = new Map<string, File>()
  readonly #durable = new Map<string, File>()
  /** Created directories, and whether their names are durable. Files may also lie in directories never created: those are durable. */
  readonly directories = new Map<string, boolean>()
  /** Bytes that can be written before ENOSPC; the write that exceeds it is torn. */
  freeBytes = Infinity
  /** Called before each write and sync; a throw makes that call fail. */
  onWrite: ((path: string) => void) | undefined
  onSync: ((path: string) => void) | undefined

  /** State after a power cut, as a new disk. `tear`: number of unsynced bytes of a file that remain. */
  cut(tear: (path: string, unsynced: number) => number = () => 0): MemoryDisk {
    const left = new MemoryDisk()
    for (const path of this.directories.keys()) if (this.#reachable(path)) left.directories.set(path, true)
    for (const [path, { bytes, synced, dropped = [] }] of this.#durable) {
      if (!this.#reachable(parentOf(path))) continue
      const length = synced + Math.min(bytes.length - synced, tear(path, bytes.length - synced))
      const kept = Buffer.from(bytes.subarray(0, length))
      for (const [from, to] of dropped) kept.fill(0, from, Math.min(to, length))
      for (const names of [left.files, left.#durable]) names.set(path, left.files.get(path) ?? { bytes: kept, synced: length })
    }
    return left
  }

  /** True if the directory and all directories above it are durable. */
  #reachable(directory: string): boolean {
    return directory === '' || (this.directories.get(directory) !== false && this.#reachable(parentOf(directory)))
  }

  #file(path: string): File {
    const file = this.files.get(path)
    if (!file) throw fault('ENOENT', path)
    return file
  }

  openReadSync(path: string): DiskReader {
    const { bytes } = this.#file(path)
    const readSync = (target: Uint8Array, position: number): number => bytes.copy(target, 0, position)
    return { bytes: bytes.length, readSync, read: async (target, position) => readSync(target, position), close: async () => {} }
  }

  async openRead(path: string): Promise<DiskReader> { return this.openReadSync(path) }

  async create(path: string, options?: { exclusive?: boolean }): Promise<DiskWriter> { return this.createSync(path, options) }

  createSync(path: string, { exclusive = true }: { exclusive?: boolean } = {}): DiskWriter {
    if (this.freeBytes <= 0) throw fault('ENOSPC', path)
    const there = this.files.get(path)
    if (there && exclusive) throw fault('EEXIST', path)
    this.files.set(path, { bytes: Buffer.alloc(0), synced: 0 })
    return this.#writer(path)
  }

  async openAppend(path: string): Promise<DiskWriter> {
    if (!this.files.has(path)) return this.create(path)
    return this.#writer(path)
  }

  #writer(path: string): DiskWriter {
    const file = this.#file(path)
    const syncSync = (): void => {
      const from = file.synced
      file.synced = file.bytes.length
      try {
        this.onSync?.(path)
      } catch (error) {
        if (file.synced > from) (file.dropped ??= []).push([from, file.synced])
        throw error
      }
    }
    return {
      get bytes() { return file.bytes.length },
      writeSync: bytes => {
        const part = Math.min(bytes.length, this.freeBytes)
        this.onWrite?.(path)
        file.bytes = Buffer.concat([file.bytes, bytes.subarray(0, part)])
        this.freeBytes -= part
        if (part < bytes.length) throw fault('ENOSPC', path)
      },
      syncSync,
      sync: async () => syncSync(),
      close: async () => {},
    }
  }

  async readFile(path: string): Promise<Buffer> { return Buffer.from(this.#file(path).bytes) }
  async writeFileDurable(path: string, bytes: Uint8Array): Promise<void> {
    const file = { bytes: Buffer.from(bytes), synced: bytes.length }
    for (const names of [this.files, this.#durable]) names.set(path, file)
  }
  async rename(from: string, to: string): Promise<void> {
    this.files.set(to, this.#file(from))
    this.files.delete(from)
  }
  async remove(path: string): Promise<void> { this.files.delete(path) }
  async removeTree(path: string): Promise<void> {
    for (const names of [this.files, this.directories])
      for (const name of [...names.keys()]) if (name === path || name.startsWith(`${path}/`)) names.delete(name)
  }
  async mkdir(path: string): Promise<void> {
    for (let at = path; at !== ''; at = parentOf(at)) if (!this.directories.has(at)) this.directories.set(at, false)
  }
  async list(path: string): Promise<DiskEntry[]> {
    const of = (names: Iterable<string>, kind: 'file' | 'directory'): DiskEntry[] =>
      [...names].filter(name => parentOf(name) === path).map(name => ({ name: name.slice(path.length + 1), kind }))
    return [...of(this.files.keys(), 'file'), ...of(this.directories.keys(), 'directory')]
  }
  async stat(path: string): Promise<{ kind: 'file' | 'directory'; bytes: number; mtimeMs: number } | undefined> {
    const file = this.files.get(path)
    if (file) return { kind: 'file', bytes: file.bytes.length, mtimeMs: 0 }
    return this.directories.has(path) ? { kind: 'directory', bytes: 0, mtimeMs: 0 } : undefined
  }
  async setMode(): Promise<void> {}
  async setModified(): Promise<void> {}
  async syncDir(path: string): Promise<void> {
    this.onSync?.(path)
    const directory = path === '/' ? '' : path
    for (const name of this.#durable.keys()) if (parentOf(name) === directory && !this.files.has(name)) this.#durable.delete(name)
    for (const [name, file] of this.files) if (parentOf(name) === directory) this.#durable.set(name, file)
    for (const name of this.directories.keys()) if (parentOf(name) === directory) this.directories.set(name, true)
  }
  async space(): Promise<{ capacityBytes: number; freeBytes: number }> { return { capacityBytes: 2 ** 40, freeBytes: this.freeBytes } }
  async lock(): Promise<{ release(): Promise<void> }> { return { release: async () => {} } }
}
