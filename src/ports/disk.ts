// Port: local files, under paths of the operating system, below a directory that the process owns. Writes reach the page cache at
// once; they survive a power cut only after `sync` (file) and `syncDir` (names). Errors are Node's own (`ENOENT`, `ENOSPC`, `EIO`…
// in `error.code`); callers translate them.

export interface Disk {
  /**
   * Opens a file for reading. Never follows a symbolic link at the last component, never waits for a pipe: a path that is no file
   * is EISDIR or EFTYPE.
   */
  openRead(path: string): Promise<DiskReader>
  /** Opens for reading without leaving the thread; for small hot files. Throws the same errors. */
  openReadSync(path: string): DiskReader
  /**
   * Creates a file for writing; `exclusive` (default) fails with EEXIST if it exists, else it is truncated.
   */
  create(path: string, options?: { exclusive?: boolean; mode?: number }): Promise<DiskWriter>
  /** The same without leaving the thread; for callers that cannot wait. */
  createSync(path: string, options?: { exclusive?: boolean; mode?: number }): DiskWriter
  /**
   * Opens a pipe or a device for writing, and follows links: only for paths that a user named. Waits for a process that reads a pipe.
   * Missing on a disk that has none of them.
   */
  openStream?(path: string, signal?: AbortSignal): Promise<DiskStream>
  /** Opens an existing file, or a new one, for appending at its end. */
  openAppend(path: string): Promise<DiskWriter>
  readFile(path: string): Promise<Buffer>
  /** Writes a small file completely and durably: temporary name, sync, rename over, sync of the directory. */
  writeFileDurable(path: string, bytes: Uint8Array, options?: { mode?: number }): Promise<void>
  rename(from: string, to: string): Promise<void>
  /**
   * Gives a file a second name, which leads to it also when the first one is gone. Throws EXDEV for a name on another filesystem. Missing
   * on a disk without such names.
   */
  link?(file: string, name: string): Promise<void>
  /** Missing files are not an error. */
  remove(path: string): Promise<void>
  /** Removes a directory with its contents; a missing one is no error. */
  removeTree(path: string): Promise<void>
  /**
   * Creates a directory with its parents; an existing one is no error. Accessible to the owner only, unless `mode` is given
   * (reduced by the umask).
   */
  mkdir(path: string, options?: { mode?: number }): Promise<void>
  /** Names with their kinds, in no order. Throws ENOENT. */
  list(path: string): Promise<DiskEntry[]>
  /** undefined if the path does not exist. Follows symbolic links only with `follow`, and then returns the target in `path`. */
  stat(path: string, options?: { follow?: boolean }): Promise<DiskStat | undefined>
  /** Sets the permission bits of a file or directory to exactly these. */
  setMode(path: string, mode: number): Promise<void>
  /** Sets the modification time of a file or directory. */
  setModified(path: string, mtimeMs: number): Promise<void>
  /** Makes creations, renames and removals of names in this directory durable. */
  syncDir(path: string): Promise<void>
  /** Space of the filesystem that holds `path`. */
  space(path: string): Promise<DiskSpace>
  /** Locks the directory for this process until it ends or `release` is called; undefined if another process holds the lock. */
  lock(directory: string): Promise<DiskLock | undefined>
  /** Pid of the process that holds the lock; undefined if there is none, it is in another container, or the disk cannot tell. */
  lockHolder?(directory: string): Promise<number | undefined>
}

export interface DiskSpace {
  readonly capacityBytes: number
  readonly freeBytes: number
  /** Name of the filesystem on this host; undefined if the disk has none. */
  readonly filesystem?: string
}

export interface DiskEntry { readonly name: string; readonly kind: 'file' | 'directory' | 'other' }
export interface DiskStat {
  readonly kind: 'file' | 'directory' | 'other'
  readonly bytes: number
  readonly mtimeMs: number
  /** Permission bits, if the disk has them. */
  readonly mode?: number
  /** Target of the links, if they were followed. */
  readonly path?: string
}
export interface DiskLock { release(): Promise<void> }

export interface DiskReader {
  /** File size at opening. */
  readonly bytes: number
  /**
   * Fills `target` from `position` up to the end of the file; returns the bytes read. Blocks the thread: meant for data in the
   * page cache.
   */
  readSync(target: Uint8Array, position: number): number
  /** Like readSync, through the thread pool: for large cold reads. */
  read(target: Uint8Array, position: number): Promise<number>
  close(): Promise<void>
}

export interface DiskStream {
  /** Resolves when the pipe or device has the bytes, which may then be changed. Rejects on an abort of the signal it was opened with. */
  write(bytes: Uint8Array): Promise<void>
  close(): Promise<void>
}

export interface DiskWriter {
  /** Bytes written so far. Of a file opened for appending: its size now, with what others have appended. */
  readonly bytes: number
  /** Appends all of `bytes`, or throws. Blocks the thread for a copy into the page cache. */
  writeSync(bytes: Uint8Array): void
  /**
   * Appends this many zero bytes, which take no space. Missing on a disk without sparse files. REQUIRES: the file was opened by `create`.
   */
  skipSync?(bytes: number): void
  /** Resolves when everything written is on disk (fdatasync). A failure is final: the caller must stop trusting the file. */
  sync(): Promise<void>
  /** Like sync, blocking the thread; only for the journal, whose callers all wait for it anyway. */
  syncSync(): void
  close(): Promise<void>
}
