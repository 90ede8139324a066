// Processes that a child has started and that are in its group no more: a daemon, `setsid`, `detached: true`. They are found by what
// they have got from it: its TMPDIR in their environment, or its working directory, without a terminal (an operator's shell that
// stands there has one). Linux only, by /proc; elsewhere none are found. What has left both, and both its parents, is not found.

import fs from 'node:fs/promises'
import { sep } from 'node:path'

/** A process may start another one while it is looked for. */
const roundsMax = 5

/** Sends SIGKILL to the strays of children whose scratch is `directory` or lies below it. How many there were. */
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
        // Gone, or another user's.
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
    return [] // no such thing here
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
    return false // gone this moment, or another user's
  }
}

async function hasTerminal(pid: number): Promise<boolean> {
  const stat = await fs.readFile(`/proc/${pid}/stat`, 'latin1')
  // The name in parentheses may hold anything. After it: state, parent, group, session, terminal.
  return stat.slice(stat.lastIndexOf(')') + 2).split(' ')[4] !== '0'
}
