// Kills strays: processes started by a child that are no longer in its group (a daemon, `setsid`, `detached: true`). They are found
// by what they inherited: its TMPDIR in their environment, or its working directory if they have no terminal (an operator's shell
// has one). Linux only, by /proc. A process that has neither, and whose parents have ended, is not found.

import fs from 'node:fs'
import { sep } from 'node:path'
import { setImmediate } from 'node:timers/promises'
import { kill } from './kill.ts'

/** Rounds of the search, since a process may start another one meanwhile. */
const roundsMax = 5
/**
 * Processes looked at in one turn of the event loop, in about 1 ms. The files of /proc wait for no disk: reading them in place takes a
 * quarter of the processor time of reading them in the thread pool.
 */
const turnProcesses = 50

/** Sends SIGKILL to the strays of children whose scratch directory is `directory` or below it. Returns their number. */
export async function endStrays(directory: string): Promise<number> {
  const real = realOf(directory)
  const directories = [...new Set([directory, real])]
  const ended = new Set<number>()
  for (let round = 0; round < roundsMax; round++) {
    const found = await straysOf(directories)
    for (const pid of found) {
      ended.add(pid)
      kill(pid)
    }
    if (found.length === 0) break
  }
  return ended.size
}

function realOf(directory: string): string {
  try {
    return fs.realpathSync(directory)
  } catch {
    return directory
  }
}

async function straysOf(directories: readonly string[]): Promise<number[]> {
  let names: string[]
  try {
    names = fs.readdirSync('/proc')
  } catch {
    return [] // no /proc
  }
  const pids = names.map(Number).filter(pid => Number.isInteger(pid) && pid !== process.pid)
  const found: number[] = []
  for (const [i, pid] of pids.entries()) {
    if (i > 0 && i % turnProcesses === 0) await setImmediate()
    if (isStray(pid, directories)) found.push(pid)
  }
  return found
}

function isStray(pid: number, directories: readonly string[]): boolean {
  const isOurs = (path: string): boolean => directories.some(each => path === each || path.startsWith(each + sep))
  try {
    // First, for it fails at once for a thread of the kernel and for a process of another user.
    const cwd = fs.readlinkSync(`/proc/${pid}/cwd`).replace(/ \(deleted\)$/, '')
    const environment = fs.readFileSync(`/proc/${pid}/environ`, 'latin1').split('\0')
    const temporary = environment.find(each => each.startsWith('TMPDIR='))?.slice('TMPDIR='.length)
    if (temporary !== undefined && isOurs(Buffer.from(temporary, 'latin1').toString())) return true
    return isOurs(cwd) && !hasTerminal(pid)
  } catch {
    return false // just ended, or of another user
  }
}

function hasTerminal(pid: number): boolean {
  const stat = fs.readFileSync(`/proc/${pid}/stat`, 'latin1')
  // The name in parentheses may contain anything. After it: state, parent, group, session, terminal.
  return stat.slice(stat.lastIndexOf(')') + 2).split(' ')[4] !== '0'
}
