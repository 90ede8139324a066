// Local files. Paths here are paths of the operating system, below a directory that the process owns.
// Writes reach the page cache at once; they survive a power cut only after `sync` (file) and `syncDir` (names).
// Errors are Node's own (`ENOENT`, `ENOSPC`, `EIO`… in `error.code`); each room translates at its border.

export interface Disk {
  /**
   * Opens a file for reading. Never follows a symbolic link at the last part; never waits for a pipe: what is no file is EISDIR or EFTYPE.
   */
  openRead(path: string): Promise<DiskReader>
  /** Opens for reading without leaving the thread; for small hot files. Same errors, thrown. */
  openReadSync(path: string): DiskReader
  /**
   * Creates a file for writing; `exclusive` (default) fails with EEXIST if it is there, else it is truncated. `follow`: through links,
   * into whatever they lead to, a device or a pipe too: only where a person has named the path.
   */
  create(path: string, options?: { exclusive?: boolean; mode?: number; follow?: boolean }): Promise<DiskWriter>
  /** Opens an existing file, or a new one, for appending at its end. */
  openAppend(path: string): Promise<DiskWriter>
  readFile(path: string): Promise<Buffer>
  /** Writes a small file whole and durably: temporary name, sync, rename over, sync of the directory. */
  writeFileDurable(path: string, bytes: Uint8Array, options?: { mode?: number }): Promise<void>
  rename(from: string, to: string): Promise<void>
  /** Missing files are not an error. */
  remove(path: string): Promise<void>
  /** A directory with all that is below it; missing is not an error. */
  removeTree(path: string): Promise<void>
  /** With parents; existing is not an error. The owner's alone, unless `mode` says otherwise (less the process's mask). */
  mkdir(path: string, options?: { mode?: number }): Promise<void>
  /** Names with their kinds, in no order. Throws ENOENT. */
  list(path: string): Promise<DiskEntry[]>
  /** undefined if there is nothing. Follows symbolic links only if told, and then says where they led. */
  stat(path: string, options?: { follow?: boolean }): Promise<DiskStat | undefined>
  /** Sets the permission bits of a file or directory to exactly these. */
  setMode(path: string, mode: number): Promise<void>
  /** Sets the modification time of a file or directory. */
  setModified(path: string, mtimeMs: number): Promise<void>
  /** Makes names created, renamed or removed in this directory durable. */
  syncDir(path: string): Promise<void>
  /** Space of the filesystem that holds `path`. */
  space(path: string): Promise<{ capacityBytes: number; freeBytes: number }>
  /** Takes the directory for this process until it ends or `release` is called; undefined if another process holds it. */
  lock(directory: string): Promise<DiskLock | undefined>
}

export interface DiskEntry { readonly name: string; readonly kind: 'file' | 'directory' | 'other' }
export interface DiskStat {
  readonly kind: 'file' | 'directory' | 'other'
  readonly bytes: number
  readonly mtimeMs: number
  /** Permission bits, where the disk has them. */
  readonly mode?: number
  /** Where the links led, if they were followed. */
  readonly path?: string
}
export interface DiskLock { release(): Promise<void> }

export interface DiskReader {
  /** Bytes in the file when it was opened. */
  readonly bytes: number
  /** Fills `target` from `position` as far as the file goes; returns the bytes read. Blocks the thread: meant for the page cache. */
  readSync(target: Uint8Array, position: number): number
  /** The same through the thread pool: for large cold reads. */
  read(target: Uint8Array, position: number): Promise<number>
  close(): Promise<void>
}

export interface DiskWriter {
  /** Bytes written so far, including what the file held when opened for appending. */
  readonly bytes: number
  /** Appends all of `bytes`, or throws. Blocks the thread for a copy into the page cache. */
  writeSync(bytes: Uint8Array): void
  /** Returns when everything written is on the disk (fdatasync). A failure is final: the caller must stop trusting the file. */
  sync(): Promise<void>
  /** The same, blocking the thread; only for the journal, whose callers all wait for it anyway. */
  syncSync(): void
  close(): Promise<void>
}
