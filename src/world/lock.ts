// A directory belongs to one process at a time. The kernel must give the lock back when its holder dies, however it dies;
// a file with a process id cannot do that: ids are reused, and two containers on one volume both hold process 1.
// Node has no flock, but its SQLite takes a POSIX record lock for an exclusive transaction: so the lock is an empty
// database with one transaction that is never committed. It holds between containers, and within one process too.

import fs from 'node:fs'
import path from 'node:path'
import type { DatabaseSync } from 'node:sqlite'
import type { DiskLock } from '../ports/disk.ts'

export const lockName = 'lock'

/** SQLITE_BUSY: another connection has the lock. */
const busy = 5

/** Keeps the databases reachable: one that is collected would be closed, and its lock lost. */
const held = new Set<DatabaseSync>()

export async function lockDirectory(directory: string): Promise<DiskLock | undefined> {
  // Loaded when needed: a client that never locks a directory need not load an engine.
  const { DatabaseSync } = await import('node:sqlite')
  // Errors of the directory in Node's own words. The lock file itself is never opened by us: closing any descriptor of it
  // would drop every record lock that this process holds on it.
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
