// Disk of the local filesystem. Symbolic links at the last component are not followed by default, new files are accessible to the
// owner only by default (0600, directories 0700), and nothing is durable before a sync. Opens plain files only: a pipe would block
// a pool thread until another process opens its other end, and four of them block the whole pool.

import fs from 'node:fs'
import path from 'node:path'
import { promisify } from 'node:util'
import type { Disk, DiskEntry, DiskStat } from '../ports/disk.ts'
import { makeDirectories } from './directories.ts'
import { FileAppender, FileReader, FileWriter } from './file.ts'
import { openStream } from './localstream.ts'
import { lockDirectory, lockHolder } from './lock.ts'

const { O_APPEND, O_CREAT, O_DIRECTORY, O_EXCL, O_NOFOLLOW, O_NONBLOCK, O_RDONLY, O_TRUNC, O_WRONLY } = fs.constants
const open = promisify(fs.open) as (path: string, flags: number, mode?: number) => Promise<number>
const fsync = promisify(fs.fsync)
const closeFile = promisify(fs.close)

/** O_NONBLOCK has no effect on files; with it, opening a pipe or a device returns at once, and it is refused. */
const plain = O_NOFOLLOW | O_NONBLOCK
const readFlags = O_RDONLY | plain
const fileMode = 0o600
const directoryMode = 0o700

/** Makes temporary names unique within this process; the pid makes them unique between processes. */
let temporaries = 0

export const localDisk: Disk = Object.freeze({
  openRead: async (file: string) => new FileReader(checked(await open(file, readFlags), file)),
  openReadSync: (file: string) => new FileReader(checked(fs.openSync(file, readFlags), file)),

  async create(file: string, { exclusive = true, mode = fileMode }: { exclusive?: boolean; mode?: number } = {}) {
    return new FileWriter(await openToWrite(file, createFlags(exclusive), mode), file)
  },

  createSync(file: string, { exclusive = true, mode = fileMode }: { exclusive?: boolean; mode?: number } = {}) {
    try {
      return new FileWriter(checked(fs.openSync(file, createFlags(exclusive), mode), file), file)
    } catch (error) {
      throw openError(error, file)
    }
  },

  openStream: (file: string, signal?: AbortSignal) => openStream(file, signal),

  openAppend: async (file: string) => new FileAppender(await openToWrite(file, O_WRONLY | O_CREAT | O_APPEND | plain, fileMode), file),

  async readFile(file: string) {
    const fd = checked(await open(file, readFlags), file)
    try {
      return await promisify(fs.readFile)(fd)
    } finally {
      await closeFile(fd)
    }
  },

  async writeFileDurable(file: string, bytes: Uint8Array, { mode = fileMode }: { mode?: number } = {}) {
    const directory = path.dirname(file)
    const temporary = path.join(directory, `.${path.basename(file)}.${process.pid}.${++temporaries}.tmp`)
    const writer = await localDisk.create(temporary, { mode })
    try {
      try {
        writer.writeSync(bytes)
        await writer.sync()
      } finally {
        await writer.close()
      }
      await fs.promises.rename(temporary, file)
    } catch (error) {
      await localDisk.remove(temporary).catch(() => {}) // the first failure is the one to report
      throw error
    }
    await localDisk.syncDir(directory)
  },

  rename: (from: string, to: string) => fs.promises.rename(from, to),

  link: (file: string, name: string) => fs.promises.link(file, name),

  async remove(file: string) {
    try {
      await fs.promises.unlink(file)
    } catch (error) {
      if (codeOf(error) !== 'ENOENT') throw error
    }
  },

  removeTree: (directory: string) => fs.promises.rm(directory, { recursive: true, force: true }),

  mkdir: (directory: string, { mode = directoryMode }: { mode?: number } = {}) => makeDirectories(directory, mode),

  async list(directory: string): Promise<DiskEntry[]> {
    const entries = await fs.promises.readdir(directory, { withFileTypes: true })
    return entries.map(entry => ({ name: entry.name, kind: kindOf(entry) }))
  },

  async stat(file: string, { follow = false }: { follow?: boolean } = {}): Promise<DiskStat | undefined> {
    try {
      const found = follow ? await fs.promises.stat(file) : await fs.promises.lstat(file)
      const path = follow && (found.isFile() || found.isDirectory()) ? await fs.promises.realpath(file) : undefined
      return {
        kind: kindOf(found), bytes: found.size, mtimeMs: found.mtimeMs, mode: found.mode & 0o7777, ...(path !== undefined && { path }),
      }
    } catch (error) {
      if (codeOf(error) === 'ENOENT' || codeOf(error) === 'ENOTDIR') return undefined
      throw error
    }
  },

  setMode: (file: string, mode: number) => fs.promises.chmod(file, mode),

  setModified: (file: string, mtimeMs: number) => fs.promises.utimes(file, mtimeMs / 1000, mtimeMs / 1000),

  async syncDir(directory: string) {
    const fd = await open(directory, O_RDONLY | O_DIRECTORY)
    try {
      await fsync(fd)
    } finally {
      await closeFile(fd)
    }
  },

  async space(file: string) {
    const [{ blocks, bavail, bsize }, { dev }] = await Promise.all([fs.promises.statfs(file), fs.promises.stat(file)])
    return { capacityBytes: blocks * bsize, freeBytes: bavail * bsize, filesystem: String(dev) }
  },

  lock: lockDirectory,
  lockHolder,
})

async function openToWrite(file: string, flags: number, mode: number): Promise<number> {
  try {
    return checked(await open(file, flags, mode), file)
  } catch (error) {
    throw openError(error, file)
  }
}

const createFlags = (exclusive: boolean): number => O_WRONLY | O_CREAT | (exclusive ? O_EXCL : O_TRUNC) | plain

/** ENXIO: a pipe without a reader, or a missing device. */
const openError = (error: unknown, file: string): unknown =>
  codeOf(error) === 'ENXIO' && !fs.lstatSync(file, { throwIfNoEntry: false })?.isFile() ? noFile(file) : error

/** Returns the descriptor if it is a plain file's; otherwise closes it and throws. */
export function checked(fd: number, file: string): number {
  let kind: fs.Stats | undefined
  try {
    kind = fs.fstatSync(fd)
    if (kind.isFile()) return fd
  } catch (error) {
    fs.closeSync(fd)
    throw error
  }
  fs.closeSync(fd)
  throw kind.isDirectory() ? Object.assign(new Error(`EISDIR: ${file} is a directory`), { code: 'EISDIR', path: file }) : noFile(file)
}

/** EFTYPE: the code of BSD for this error. */
const noFile = (file: string): Error =>
  Object.assign(new Error(`EFTYPE: ${file} is not a file, but a pipe, a socket or a device`), { code: 'EFTYPE', path: file })

function kindOf(entry: { isFile(): boolean; isDirectory(): boolean }): DiskEntry['kind'] {
  return entry.isFile() ? 'file' : entry.isDirectory() ? 'directory' : 'other'
}

const codeOf = (error: unknown): unknown => (error as NodeJS.ErrnoException | null)?.code
