// Lock of a directory by one process. The kernel must release it however the holder dies; a pid file cannot do that: pids are
// reused, and two containers on one volume both have pid 1. Node has no flock, but its SQLite takes a POSIX record lock for an
// exclusive transaction: so the lock is an empty database with one transaction that never commits. It also works between
// containers, and within one process.

import fs from 'node:fs'
import path from 'node:path'
import type { DatabaseSync } from 'node:sqlite'
import type { DiskLock } from '../ports/disk.ts'

const lockName = 'lock'

/** SQLITE_BUSY: another connection has the lock. */
const busy = 5

/** Keeps the databases reachable: a collected database is closed, and its lock released. */
const held = new Set<DatabaseSync>()

export async function lockDirectory(directory: string): Promise<DiskLock | undefined> {
  // Imported on demand: a client that never locks a directory does not load SQLite.
  const { DatabaseSync } = await import('node:sqlite')
  // Checks the directory first, for Node's own errors. This code never opens the lock file itself: closing any descriptor of it
  // would release all record locks of this process on it.
  await fs.promises.access(directory, fs.constants.W_OK | fs.constants.X_OK)
  const file = path.join(directory, lockName)
  const database = new DatabaseSync(file, { timeout: 0 })
  try {
    database.exec('BEGIN EXCLUSIVE')
  } catch (error) {
    database.close()
    if ((error as { errcode?: number }).errcode === busy) return undefined
    throw error
  }
  held.add(database)
  return {
    async release() {
      if (held.delete(database)) database.close()
    },
  }
}
