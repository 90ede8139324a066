// Lock of a directory by one process. The kernel must release it however the holder dies; a pid file cannot do that: pids are
// reused, and two containers on one volume both have pid 1. Node has no flock, but its SQLite takes a POSIX record lock for an
// exclusive transaction: so the lock is an empty database with one transaction that never commits. It also works between
// containers, and within one process. The rollback journal of the transaction is in memory: the lock needs no space on the disk.

import { execFile } from 'node:child_process'
import fs from 'node:fs'
import path from 'node:path'
import type { DatabaseSync } from 'node:sqlite'
import { setTimeout } from 'node:timers/promises'
import { promisify } from 'node:util'
import type { DiskLock } from '../ports/disk.ts'

const lockName = 'lock'

/** SQLITE_BUSY: another connection has the lock. */
const busy = 5
/** Primary result codes of SQLite (READONLY, IOERR, FULL) and what the system calls them. */
const systemCodes: Readonly<Record<number, string>> = { 8: 'EROFS', 10: 'EIO', 13: 'ENOSPC' }

/**
 * SQLite takes the lock in two steps. Of two processes that are between them at the same moment each refuses the other: 6 of 400 pairs
 * that began in one millisecond. A refusal therefore counts after some more tries at random times; a holder refuses all of them.
 */
const tries = 4
const pauseMsMax = 20

/** Keeps the databases reachable: a collected database is closed, and its lock released. */
const held = new Set<DatabaseSync>()

/** Undefined if another process, or this one, holds the lock. */
export async function lockDirectory(directory: string): Promise<DiskLock | undefined> {
  for (let left = tries; ; left--) {
    const lock = await tryToLock(directory)
    if (lock || left === 1) return lock
    await setTimeout(Math.random() * pauseMsMax)
  }
}

async function tryToLock(directory: string): Promise<DiskLock | undefined> {
  // Imported on demand: a client that never locks a directory does not load SQLite.
  const { DatabaseSync } = await import('node:sqlite')
  // Checks the directory first, for Node's own errors. This code never opens the lock file itself: closing any descriptor of it
  // would release all record locks of this process on it.
  await fs.promises.access(directory, fs.constants.W_OK | fs.constants.X_OK)
  const file = path.join(directory, lockName)
  const database = new DatabaseSync(file, { timeout: 0 })
  try {
    database.exec('PRAGMA journal_mode = MEMORY; BEGIN EXCLUSIVE')
  } catch (error) {
    database.close()
    const { errcode = 0, message } = error as Error & { errcode?: number }
    const primary = errcode & 0xff
    if (primary === busy) return undefined
    const code = systemCodes[primary]
    throw code === undefined ? error : Object.assign(new Error(`${code}: ${message}`, { cause: error }), { code, path: file })
  }
  held.add(database)
  return {
    async release() {
      if (held.delete(database)) database.close()
    },
  }
}

/** Process that holds the lock of the directory, from the kernel's list of locks on Linux and from lsof elsewhere. */
export async function lockHolder(directory: string): Promise<number | undefined> {
  const file = path.join(directory, lockName)
  try {
    if (process.platform === 'linux') {
      const { ino, dev } = await fs.promises.stat(file)
      return holderIn(await fs.promises.readFile('/proc/locks', 'latin1'), { ino, dev })
    }
    const { stdout } = await promisify(execFile)('lsof', ['-t', file])
    return Number(stdout.split('\n')[0]) || undefined
  } catch {
    return undefined // no such file, list or program: the holder is not known
  }
}

/** The list has lines such as `1: POSIX  ADVISORY  WRITE 4242 fe:00:10316816 1073741824 1073742335`; a pid of another container is 0. */
export function holderIn(locks: string, { ino, dev }: { ino: number; dev: number }): number | undefined {
  for (const line of locks.split('\n')) {
    const [, pid, major, minor, inode] = /^\d+: POSIX +ADVISORY +WRITE +(-?\d+) ([0-9a-f]+):([0-9a-f]+):(\d+) /.exec(line) ?? []
    if (Number(inode) === ino && deviceOf(parseInt(major!, 16), parseInt(minor!, 16)) === dev && Number(pid) > 0) return Number(pid)
  }
  return undefined
}

/** `dev_t` of Linux: 12 bits of the major number between the low 8 and the other bits of the minor one. */
const deviceOf = (major: number, minor: number): number => (minor & 0xff) + (major & 0xfff) * 0x100 + (minor >>> 8) * 0x100000
