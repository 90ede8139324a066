// Kills strays: processes started by a child that are no longer in its group (a daemon, `setsid`, `detached: true`). They are found
// by what they inherited: its TMPDIR in their environment, or its working directory if they have no terminal (an operator's shell
// has one). Linux only, by /proc. A process that has neither, and whose parents have ended, is not found.

import fs from 'node:fs/promises'
import { sep } from 'node:path'

/** Rounds of the search, since a process may start another one meanwhile. */
const roundsMax = 5

/** Sends SIGKILL to the strays of children whose scratch directory is `directory` or below it. Returns their number. */
export async function endStrays(directory: string): Promise<number> {
  const real = await fs.realpath(directory).catch(() => directory)
  const directories = [...new Set([directory, real])]
  const ended = new Set<number>()
  for (let round = 0; round < roundsMax; round++) {
    const found = await straysOf(directories)
    for (const pid of found) {
      ended.add(pid)
      try {
        process.kill(pid, 'SIGKILL')
      } catch (error) {
        // Ended, or of another user.
        const { code } = error as NodeJS.ErrnoException
        if (code !== 'ESRCH' && code !== 'EPERM') throw error
      }
    }
    if (found.length === 0) break
  }
  return ended.size
}

async function straysOf(directories: readonly string[]): Promise<number[]> {
  let names: string[]
  try {
    names = await fs.readdir('/proc')
  } catch {
    return [] // no /proc
  }
  const found: number[] = []
  for (const name of names) {
    const pid = Number(name)
    if (Number.isInteger(pid) && pid !== process.pid && await isStray(pid, directories)) found.push(pid)
  }
  return found
}

async function isStray(pid: number, directories: readonly string[]): Promise<boolean> {
  const isOurs = (path: string): boolean => directories.some(each => path === each || path.startsWith(each + sep))
  try {
    const environment = (await fs.readFile(`/proc/${pid}/environ`, 'latin1')).split('\0')
    const temporary = environment.find(each => each.startsWith('TMPDIR='))?.slice('TMPDIR='.length)
    if (temporary !== undefined && isOurs(Buffer.from(temporary, 'latin1').toString())) return true
    return isOurs((await fs.readlink(`/proc/${pid}/cwd`)).replace(/ \(deleted\)$/, '')) && !await hasTerminal(pid)
  } catch {
    return false // just ended, or of another user
  }
}

async function hasTerminal(pid: number): Promise<boolean> {
  const stat = await fs.readFile(`/proc/${pid}/stat`, 'latin1')
  // The name in parentheses may contain anything. After it: state, parent, group, session, terminal.
  return stat.slice(stat.lastIndexOf(')') + 2).split(' ')[4] !== '0'
}
