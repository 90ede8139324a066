// Machine of the operating system. A process is distinguished from a later one with the same pid by its start time: from /proc on
// Linux, from ps elsewhere.

import { execFileSync, spawn } from 'node:child_process'
import fs from 'node:fs'
import net from 'node:net'
import os from 'node:os'
import type { Writable } from 'node:stream'
import { GristmillError } from '../base/errors.ts'
import type { Launched, LaunchOptions, Machine } from '../ports/machine.ts'

export const localMachine: Machine = {
  pid: process.pid,
  get userDirectory() { return os.homedir() },
  get user() { return userName() },
  get hostName() { return os.hostname() },
  get cores() { return os.availableParallelism() },
  get memoryBytes() { return Math.min(os.totalmem(), process.constrainedMemory() || Infinity) },
  get environment() { return process.env },
  get workingDirectory() { return process.cwd() },
  born,
  signal(pid, name) {
    try {
      process.kill(pid, name)
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code !== 'ESRCH') throw error
    }
  },
  isPortFree,
  launch,
}

function isPortFree(host: string, port: number): Promise<boolean> {
  const server = net.createServer()
  return new Promise(resolve => {
    server.once('error', () => resolve(false))
    server.listen({ host, port, exclusive: true }, () => server.close(() => resolve(true)))
  })
}

function userName(): string {
  try {
    return os.userInfo().username
  } catch {
    // In a container the user id may have no name.
    return String(process.getuid?.() ?? 'unknown')
  }
}

function born(pid: number): string | undefined {
  if (process.platform === 'linux') return bornOnLinux(pid)
  try {
    return (
      execFileSync('ps', ['-o', 'lstart=', '-p', String(pid)], { encoding: 'utf8', stdio: ['ignore', 'pipe', 'ignore'] }).trim()
      || undefined
    )
  } catch {
    return undefined
  }
}

/** Start time in clock ticks since boot, with the boot id, since a reboot restarts the count. */
function bornOnLinux(pid: number): string | undefined {
  let stat: string
  try {
    stat = fs.readFileSync(`/proc/${pid}/stat`, 'latin1')
  } catch {
    return undefined
  }
  // The name in parentheses may contain anything, so fields are counted from its end: the first is the state.
  const fields = stat.slice(stat.lastIndexOf(')') + 2).split(' ')
  if (fields[0] === 'Z' || fields[0] === 'X') return undefined
  return `${bootId()}:${fields[19]}`
}

let boot: string | undefined

function bootId(): string {
  try {
    boot ??= fs.readFileSync('/proc/sys/kernel/random/boot_id', 'latin1').trim()
  } catch {
    boot = 'boot'
  }
  return boot
}

function launch({ main, args, env, cwd, stdoutFile, stderrFile }: LaunchOptions): Launched {
  const out = fs.openSync(stdoutFile, 'w', 0o600)
  const err = fs.openSync(stderrFile, 'a', 0o600)
  try {
    const child = spawn(process.execPath, [main, ...args], {
      cwd, env: { ...env } as NodeJS.ProcessEnv, detached: true, stdio: ['ignore', out, err, 'pipe'],
    })
    child.on('error', () => {}) // reported by the missing pid below
    if (child.pid === undefined)
      throw new GristmillError('INTERNAL', `cannot start ${process.execPath} ${main} in ${cwd}: check that processes may be started there`)
    const ended = new Promise<{ code: number | null; signal: string | null }>(resolve => {
      child.once('exit', (code, signal) => resolve({ code, signal }))
    })
    const held = child.stdio[3] as Writable
    held.on('error', () => {}) // it has ended: `ended` tells
    return { pid: child.pid, ended, begin: () => { held.end('\n', () => held.destroy()) }, release: () => child.unref() }
  } finally {
    fs.closeSync(out)
    fs.closeSync(err)
  }
}
