// A disk in memory that knows what was synced. `cut()` is a power cut: files keep their synced bytes and, of what was
// written after, as much as `tear` says; names that were not synced may go. Writes and syncs can be made to fail.

import type { Disk, DiskEntry, DiskReader, DiskWriter } from '../../src/ports/disk.ts'

interface File { bytes: Buffer; synced: number; named: boolean }

const fault = (code: string, what: string): Error => Object.assign(new Error(`${code}: ${what}`), { code })

export class MemoryDisk implements Disk {
  readonly files = new Map<string, File>()
  /** Bytes that can still be written before ENOSPC; the write that hits it is torn. */
  freeBytes = Infinity
  /** Called before each write and sync; throws to make it fail. */
  onWrite: ((path: string) => void) | undefined
  onSync: ((path: string) => void) | undefined

  /** What a power cut leaves, as a new disk. `tear`: of the bytes of a file that were not synced, how many remain. */
  cut(tear: (path: string, unsynced: number) => number = () => 0): MemoryDisk {
    const left = new MemoryDisk()
    for (const [path, { bytes, synced, named }] of this.files) {
      if (!named) continue
      const length = synced + Math.min(bytes.length - synced, tear(path, bytes.length - synced))
      left.files.set(path, { bytes: Buffer.from(bytes.subarray(0, length)), synced: length, named: true })
    }
    return left
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

  async create(path: string, { exclusive = true }: { exclusive?: boolean } = {}): Promise<DiskWriter> {
    if (this.freeBytes <= 0) throw fault('ENOSPC', path)
    const there = this.files.get(path)
    if (there && exclusive) throw fault('EEXIST', path)
    this.files.set(path, { bytes: Buffer.alloc(0), synced: 0, named: there?.named ?? false })
    return this.#writer(path)
  }

  async openAppend(path: string): Promise<DiskWriter> {
    if (!this.files.has(path)) return this.create(path)
    return this.#writer(path)
  }

  #writer(path: string): DiskWriter {
    const file = this.#file(path)
    const syncSync = (): void => {
      this.onSync?.(path)
      file.synced = file.bytes.length
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
  async writeFileDurable(path: string, bytes: Uint8Array): Promise<void> { this.files.set(path, { bytes: Buffer.from(bytes), synced: bytes.length, named: true }) }
  async rename(from: string, to: string): Promise<void> {
    this.files.set(to, this.#file(from))
    this.files.delete(from)
  }
  async remove(path: string): Promise<void> { this.files.delete(path) }
  async removeTree(path: string): Promise<void> { for (const name of [...this.files.keys()]) if (name.startsWith(`${path}/`)) this.files.delete(name) }
  async mkdir(): Promise<void> {}
  async list(path: string): Promise<DiskEntry[]> {
    return [...this.files.keys()].filter(name => name.startsWith(`${path}/`) && !name.slice(path.length + 1).includes('/')).map(name => ({ name: name.slice(path.length + 1), kind: 'file' as const }))
  }
  async stat(path: string): Promise<{ kind: 'file'; bytes: number; mtimeMs: number } | undefined> {
    const file = this.files.get(path)
    return file && { kind: 'file', bytes: file.bytes.length, mtimeMs: 0 }
  }
  async setModified(): Promise<void> {}
  async syncDir(path: string): Promise<void> { for (const [name, file] of this.files) if (name.startsWith(`${path}/`)) file.named = true }
  async space(): Promise<{ capacityBytes: number; freeBytes: number }> { return { capacityBytes: 2 ** 40, freeBytes: this.freeBytes } }
  async lock(): Promise<{ release(): Promise<void> }> { return { release: async () => {} } }
}
