// Disk wrapper that injects faults, in a process under test only. A refused operation never reaches the disk below; all others do.
// As with the real disk, a writer whose sync has failed never syncs again.

import type { Disk, DiskReader, DiskSpace, DiskWriter } from '../ports/disk.ts'

/** `at`: a file, or a directory with its contents. */
export type DiskFault =
  /** Writes fail with ENOSPC, and free space is 0. */
  | { readonly kind: 'full'; readonly at: string }
  /** The n-th sync of a file or directory from now on fails. */
  | { readonly kind: 'sync'; readonly at: string; readonly nth: number }
  /** Reads fail with EIO. */
  | { readonly kind: 'unreadable'; readonly at: string }
  /** Writes, renames and removals fail with EROFS. */
  | { readonly kind: 'readOnly'; readonly at: string }
  /** Each sync takes this much longer. */
  | { readonly kind: 'slowSync'; readonly at: string; readonly ms: number }

const isBelow = (path: string, at: string): boolean => path === at || path.startsWith(`${at}/`)

const failure = (code: 'ENOSPC' | 'EIO' | 'EROFS', what: string, path: string): Error =>
  Object.assign(new Error(`${code}: ${what} '${path}' (a fault that a test has made)`), { code, path, syscall: what })

/** Blocks this thread for this time. */
export function standStill(ms: number): void { if (ms > 0) Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, ms) }

export class FaultyDisk implements Disk {
  readonly #disk: Disk
  #faults: DiskFault[] = []

  constructor(disk: Disk) { this.#disk = disk }

  add(fault: DiskFault): void { this.#faults.push(fault) }
  /** Removes all faults except unreadable files, which stay unreadable. */
  heal(): void { this.#faults = this.#faults.filter(fault => fault.kind === 'unreadable') }

  async openRead(path: string): Promise<DiskReader> { this.#readable('open', path); return this.#disk.openRead(path) }
  openReadSync(path: string): DiskReader { this.#readable('open', path); return this.#disk.openReadSync(path) }
  async readFile(path: string): Promise<Buffer> { this.#readable('read', path); return this.#disk.readFile(path) }

  async create(path: string, options?: Parameters<Disk['create']>[1]): Promise<DiskWriter> {
    this.#writable('open', path)
    return this.#watched(await this.#disk.create(path, options), path)
  }

  createSync(path: string, options?: Parameters<Disk['create']>[1]): DiskWriter {
    this.#writable('open', path)
    return this.#watched(this.#disk.createSync(path, options), path)
  }

  async openAppend(path: string): Promise<DiskWriter> {
    this.#writable('open', path)
    return this.#watched(await this.#disk.openAppend(path), path)
  }

  async writeFileDurable(path: string, bytes: Uint8Array, options?: { mode?: number }): Promise<void> {
    this.#writable('open', path)
    this.#room(path)
    this.#sync(path)
    await this.#slow(path)
    await this.#disk.writeFileDurable(path, bytes, options)
  }

  async rename(from: string, to: string): Promise<void> {
    this.#writable('rename', from)
    await this.#disk.rename(from, to)
    // An unreadable file stays unreadable under its new name.
    this.#forget(to)
    this.#faults = this.#faults.map(fault => (fault.kind === 'unreadable' && fault.at === from ? { ...fault, at: to } : fault))
  }

  async remove(path: string): Promise<void> {
    this.#writable('unlink', path)
    await this.#disk.remove(path)
    this.#forget(path)
  }

  async removeTree(path: string): Promise<void> { this.#writable('rm', path); await this.#disk.removeTree(path) }
  async mkdir(path: string, options?: { mode?: number }): Promise<void> {
    this.#writable('mkdir', path)
    await this.#disk.mkdir(path, options)
  }
  async setMode(path: string, mode: number): Promise<void> { this.#writable('chmod', path); await this.#disk.setMode(path, mode) }
  async setModified(path: string, mtimeMs: number): Promise<void> {
    this.#writable('utimes', path)
    await this.#disk.setModified(path, mtimeMs)
  }
  async syncDir(path: string): Promise<void> { this.#sync(path); await this.#slow(path); await this.#disk.syncDir(path) }
  list(path: string): ReturnType<Disk['list']> { return this.#disk.list(path) }
  stat(path: string, options?: { follow?: boolean }): ReturnType<Disk['stat']> { return this.#disk.stat(path, options) }
  lock(directory: string): ReturnType<Disk['lock']> { return this.#disk.lock(directory) }
  async lockHolder(directory: string): Promise<number | undefined> { return this.#disk.lockHolder?.(directory) }

  async space(path: string): Promise<DiskSpace> {
    const space = await this.#disk.space(path)
    return this.#has('full', path) ? { ...space, freeBytes: 0 } : space
  }

  #forget(path: string): void { this.#faults = this.#faults.filter(fault => fault.kind !== 'unreadable' || fault.at !== path) }
  #has(kind: DiskFault['kind'], path: string): boolean { return this.#faults.some(fault => fault.kind === kind && isBelow(path, fault.at)) }
  #readable(what: string, path: string): void { if (this.#has('unreadable', path)) throw failure('EIO', what, path) }
  #writable(what: string, path: string): void { if (this.#has('readOnly', path)) throw failure('EROFS', what, path) }
  #room(path: string): void { if (this.#has('full', path)) throw failure('ENOSPC', 'write', path) }

  /** Additional milliseconds of a sync of this path. */
  #slowMs(path: string): number {
    return this.#faults.reduce((ms, fault) => (fault.kind === 'slowSync' && isBelow(path, fault.at) ? Math.max(ms, fault.ms) : ms), 0)
  }

  async #slow(path: string): Promise<void> {
    const ms = this.#slowMs(path)
    if (ms > 0) await new Promise(resolve => setTimeout(resolve, ms))
  }

  /** Counts this sync; throws if it is the one to fail. */
  #sync(path: string): void {
    for (const [i, fault] of this.#faults.entries()) {
      if (fault.kind !== 'sync' || !isBelow(path, fault.at)) continue
      if (fault.nth > 1) { this.#faults[i] = { ...fault, nth: fault.nth - 1 }; continue }
      this.#faults.splice(i, 1)
      throw failure('EIO', 'fdatasync', path)
    }
  }

  #watched(writer: DiskWriter, path: string): DiskWriter {
    let failed: { error: unknown } | undefined
    const trust = (): void => {
      if (failed) throw failed.error
      try {
        this.#sync(path)
      } catch (error) {
        failed = { error }
        throw error
      }
    }
    return {
      get bytes() { return writer.bytes },
      writeSync: bytes => { this.#writable('write', path); this.#room(path); writer.writeSync(bytes) },
      skipSync: bytes => { this.#writable('write', path); writer.skipSync!(bytes) },
      sync: async () => { trust(); await this.#slow(path); await writer.sync() },
      syncSync: () => { trust(); standStill(this.#slowMs(path)); writer.syncSync() },
      close: () => writer.close(),
    }
  }
}
