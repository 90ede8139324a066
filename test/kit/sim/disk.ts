// Disk port of one simulated process. Each call that a real process would wait for takes a moment of virtual time; a dead process's calls
// have no effect. What a power cut leaves: host.ts.

import type { Disk, DiskEntry, DiskLock, DiskReader, DiskStat, DiskWriter } from '../../../src/ports/disk.ts'
import { contentOf, newFile, type File, type Host } from './host.ts'
import type { Process } from './process.ts'

const fault = (code: string, path: string): NodeJS.ErrnoException => Object.assign(new Error(`${code}: ${path}`), { code, path })

const callMs = 0.05
const syncMs = 1

export class SimDisk implements Disk {
  readonly #process: Process
  readonly #host: Host

  constructor(process: Process, host: Host) {
    this.#process = process
    this.#host = host
  }

  openReadSync(path: string): DiskReader {
    this.#process.must()
    this.#readable(path)
    const file = this.#asFile(path)
    if (file.unreadable) throw fault('EIO', path)
    const bytes = file.length
    const readSync = (target: Uint8Array, position: number): number => {
      this.#process.must()
      this.#readable(path)
      if (file.unreadable) throw fault('EIO', path)
      return file.bytes.copy(target, 0, position, Math.min(file.length, position + target.length))
    }
    return {
      bytes, readSync,
      read: (target, position) => this.#later('read', () => readSync(target, position)),
      close: async () => {},
    }
  }

  openRead(path: string): Promise<DiskReader> { return this.#later('open', () => this.openReadSync(path)) }

  create(path: string, options?: { exclusive?: boolean }): Promise<DiskWriter> {
    return this.#later('create', () => this.createSync(path, options))
  }

  createSync(path: string, { exclusive = true }: { exclusive?: boolean } = {}): DiskWriter {
    this.#process.must()
    this.#writable(path)
    if (this.#host.trouble(path)?.full) throw fault('ENOSPC', path)
    if (this.#host.files.has(path) && exclusive) throw fault('EEXIST', path)
    const file = newFile(this.#process.clock.now())
    this.#host.files.set(path, file)
    return this.#writer(path, file)
  }

  openAppend(path: string): Promise<DiskWriter> {
    const file = this.#host.storeAt(path) ? this.#asFile(path) : this.#host.files.get(path)
    if (!file) return this.create(path)
    return this.#later('append', () => {
      this.#writable(path)
      return this.#writer(path, file)
    })
  }

  readFile(path: string): Promise<Buffer> {
    return this.#later('readFile', () => {
      this.#readable(path)
      const file = this.#file(path)
      if (file.unreadable) throw fault('EIO', path)
      return Buffer.from(contentOf(file))
    })
  }

  writeFileDurable(path: string, bytes: Uint8Array): Promise<void> {
    return this.#later('writeFile', () => {
      this.#writable(path)
      if (this.#host.trouble(path)?.full) throw fault('ENOSPC', path)
      this.#checkSync(path)
      const file = { ...newFile(this.#process.clock.now()), bytes: Buffer.from(bytes), length: bytes.length, synced: bytes.length }
      this.#host.files.set(path, file)
      this.#host.durable.set(path, file)
    }, this.#syncMs(path))
  }

  rename(from: string, to: string): Promise<void> {
    return this.#later('rename', () => {
      this.#writable(from)
      const { files } = this.#host
      const file = files.get(from)
      if (file) {
        files.delete(from)
        files.set(to, file)
        return
      }
      const { stores } = this.#host
      for (const [at, store] of [...stores]) {
        if (at !== from && !at.startsWith(`${from}/`)) continue
        stores.delete(at)
        stores.set(to + at.slice(from.length), store)
      }
      const inside = [...files.keys()].filter(path => path.startsWith(`${from}/`))
      if (inside.length === 0 && !this.#host.directories.has(from)) throw fault('ENOENT', from)
      for (const path of inside) {
        files.set(to + path.slice(from.length), files.get(path)!)
        files.delete(path)
      }
      this.#host.moved(from, to)
      const { directories } = this.#host
      for (const path of [...directories]) {
        if (path !== from && !path.startsWith(`${from}/`)) continue
        directories.delete(path)
        directories.add(to + path.slice(from.length))
      }
    })
  }

  remove(path: string): Promise<void> {
    return this.#later('remove', () => {
      this.#readable(path)
      // A missing name is reported before a read-only disk is, as on a real disk.
      if (this.#host.files.has(path)) this.#writable(path)
      this.#host.files.delete(path)
    })
  }

  removeTree(path: string): Promise<void> {
    return this.#later('removeTree', () => {
      if (this.#host.directories.has(path)) this.#writable(path)
      for (const name of [...this.#host.files.keys()]) if (name === path || name.startsWith(`${path}/`)) this.#host.files.delete(name)
      for (const name of [...this.#host.directories]) if (name === path || name.startsWith(`${path}/`)) this.#host.directories.delete(name)
      for (const name of [...this.#host.stores.keys()]) if (name === path || name.startsWith(`${path}/`)) this.#host.stores.delete(name)
    })
  }

  mkdir(path: string): Promise<void> {
    return this.#later('mkdir', () => {
      this.#readable(path)
      if (!this.#host.directories.has(path)) this.#writable(path)
      const parts = path.split('/')
      for (let i = 2; i <= parts.length; i++) this.#host.directories.add(parts.slice(0, i).join('/'))
    })
  }

  list(path: string): Promise<DiskEntry[]> {
    return this.#later('list', () => {
      this.#readable(path)
      const entries = new Map<string, DiskEntry>()
      const inside = `${path}/`
      const see = (name: string, leaf: 'file' | 'directory'): void => {
        if (!name.startsWith(inside)) return
        const [first, ...rest] = name.slice(path.length + 1).split('/')
        const kind = rest.length > 0 ? 'directory' : leaf
        if (first && entries.get(first)?.kind !== 'directory') entries.set(first, { name: first, kind })
      }
      for (const name of this.#host.files.keys()) see(name, 'file')
      for (const name of this.#host.directories) see(name, 'directory')
      if (entries.size === 0 && !this.#host.directories.has(path)) throw fault('ENOENT', path)
      return [...entries.values()]
    })
  }

  stat(path: string): Promise<DiskStat | undefined> {
    return this.#later('stat', () => {
      this.#readable(path)
      const file = this.#host.files.get(path)
      if (file) return { kind: 'file' as const, bytes: file.length, mtimeMs: file.mtimeMs, mode: 0o600 }
      const inside = `${path}/`
      const directory = this.#host.directories.has(path) || this.#host.files.keys().some(name => name.startsWith(inside))
      return directory ? { kind: 'directory' as const, bytes: 0, mtimeMs: 0, mode: 0o700 } : undefined
    })
  }

  setMode(path: string, _mode: number): Promise<void> {
    return this.#later('chmod', () => {
      this.#writable(path)
      this.#file(path)
    })
  }

  setModified(path: string, mtimeMs: number): Promise<void> {
    return this.#later('utimes', () => {
      this.#writable(path)
      this.#file(path).mtimeMs = mtimeMs
    })
  }

  syncDir(path: string): Promise<void> {
    return this.#later('syncDir', () => {
      this.#checkSync(path)
      this.#host.syncNames(path)
    }, this.#syncMs(path))
  }

  space(path: string): Promise<{ capacityBytes: number; freeBytes: number }> {
    return this.#later('space', () => {
      this.#readable(path)
      return { capacityBytes: 2 ** 36, freeBytes: this.#host.trouble(path)?.full ? 0 : 2 ** 35 }
    })
  }

  lock(directory: string): Promise<DiskLock | undefined> {
    return this.#later('lock', () => {
      this.#readable(directory)
      const { locks } = this.#host
      if (locks.has(directory)) return undefined
      locks.set(directory, this.#process)
      return { release: async () => { if (locks.get(directory) === this.#process) locks.delete(directory) } }
    })
  }

  /** The store's file can be read, copied and synced like any file; writes to it do not reach the store. */
  #asFile(path: string): File {
    const store = this.#host.storeAt(path)
    if (!store) return this.#file(path)
    const bytes = store.bytes()
    return { ...newFile(0), bytes, length: bytes.length, synced: bytes.length }
  }

  #file(path: string): File {
    const file = this.#host.files.get(path)
    if (!file) throw fault('ENOENT', path)
    return file
  }

  #readable(path: string): void { if (this.#host.trouble(path)?.dead) throw fault('EIO', path) }

  #writable(path: string): void {
    this.#readable(path)
    if (this.#host.trouble(path)?.readOnly) throw fault('EROFS', path)
  }

  #syncMs(path: string): number { return syncMs + (this.#host.trouble(path)?.slowSyncMs ?? 0) }

  #checkSync(path: string): void {
    const trouble = this.#host.trouble(path)
    if (trouble?.dead) throw fault('EIO', path)
    if (trouble && trouble.failSyncIn > 0 && --trouble.failSyncIn === 0) throw fault('EIO', path)
  }

  #writer(path: string, file: File): DiskWriter {
    let closed = false
    const syncSync = (): void => {
      this.#process.must()
      try {
        this.#checkSync(path)
      } catch (error) {
        // As on Linux: after a failed sync the lost data counts as written, and the next sync has nothing to do.
        if (file.length > file.synced) file.dropped = [...file.dropped, [file.synced, file.length]]
        file.synced = file.length
        throw error
      }
      file.synced = file.length
    }
    return {
      get bytes() { return file.length },
      writeSync: bytes => {
        this.#process.must()
        if (closed) throw fault('EBADF', path)
        this.#writable(path)
        if (this.#host.trouble(path)?.full) throw fault('ENOSPC', path)
        if (file.length + bytes.length > file.bytes.length) {
          const grown = Buffer.alloc(Math.max(2 * file.bytes.length, file.length + bytes.length, 4096))
          file.bytes.copy(grown, 0, 0, file.length)
          file.bytes = grown
        }
        file.bytes.set(bytes, file.length)
        file.length += bytes.length
      },
      sync: () => this.#later('sync', syncSync, this.#syncMs(path)),
      syncSync: () => {
        syncSync()
        const slowMs = this.#host.trouble(path)?.slowSyncMs ?? 0
        // A blocking call: the rest of the process waits meanwhile.
        if (slowMs > 0) void this.#process.stall(slowMs)
      },
      close: async () => { closed = true },
    }
  }

  /** Done a moment later, if the process is still alive then. */
  #later<T>(label: string, work: () => T, ms = callMs): Promise<T> {
    return this.#process.later(ms, `disk.${label}`, work)
  }
}
