// Child processes with their own process group, exactly the given environment, a bound on their heap, and messages by structured clone.
// `onExit` is called once, after the last message and output, even if a grandchild still holds the pipes.

import { spawn, type ChildProcess } from 'node:child_process'
import fs from 'node:fs'
import type { Socket } from 'node:net'
import { fileURLToPath } from 'node:url'
import { GristmillError } from '../base/errors.ts'
import { MiB } from '../base/units.ts'
import type { Child, ChildOptions, Processes } from '../ports/process.ts'
import { parentFlag } from './child.ts'
import { kill } from './kill.ts'
import { endStrays } from './strays.ts'
import { GroupWatch } from './watch.ts'

/** Time for output and messages to arrive after the process ended; only a grandchild can need it. */
const lastWordsMs = 500
/** A grandchild may write for ever. */
const lastWordsRounds = 20

/**
 * Node's permission model: everything but writing is allowed. Not a security boundary, as the suppressed warning says. No
 * measurable cost.
 */
const seatBelt = [
  '--permission', '--allow-fs-read=*', '--allow-addons', '--allow-worker', '--allow-child-process', '--disable-warning=SecurityWarning',
]

export const childProcesses: Processes = Object.freeze({
  start: (options: ChildOptions): Child => new NodeChild(options),
  endStrays,
})

const groupWatch = new GroupWatch('/bin/sh')

class NodeChild implements Child {
  readonly pid: number
  readonly #process: ChildProcess
  #running = true

  constructor({ main, args, env, cwd, heapBytesMax, writable, onOutput, onMessage, onExit }: ChildOptions) {
    const heap = `--max-old-space-size=${Math.max(16, Math.floor(heapBytesMax / MiB))}`
    const belt = writable ? [...seatBelt, ...writable.map(directory => `--allow-fs-write=${directory}/`)] : []
    groupWatch.begin()
    // Passed by the parent: when the child checks, its parent may have ended and its pid been reused.
    const child = spawn(process.execPath, [heap, ...belt, fileURLToPath(main), `${parentFlag}${process.pid}`, ...args], {
      cwd,
      env: { ...env },
      detached: true, // a process group of its own: a kill reaches what the user's code started
      serialization: 'advanced',
      stdio: ['ignore', 'pipe', 'pipe', 'ipc'],
    })
    this.#process = child
    // Reported by the missing pid below; without a listener the event would end this process.
    child.on('error', () => {})
    if (child.pid === undefined) {
      throw new GristmillError(
        'INTERNAL',
        `cannot start ${main.pathname} in ${cwd}: check that the directory is there, that processes may be started, and that this one may open more files (ulimit -n, ulimit -u)`,
        { details: { cwd } },
      )
    }
    this.pid = child.pid
    groupWatch.add(child.pid)

    child.on('message', onMessage)
    child.stdout!.on('data', (bytes: Buffer) => onOutput(bytes, 'stdout'))
    child.stderr!.on('data', (bytes: Buffer) => onOutput(bytes, 'stderr'))
    child.once('exit', (code, signal) => {
      this.#killGroup()
      this.#running = false
      groupWatch.remove(this.pid)
      void settled(child).then(() => onExit({ code, signal }))
    })
  }

  send(message: unknown): void {
    // The end of a child is reported through onExit; a message to an ended child is dropped.
    if (this.#process.connected) this.#process.send(message as never, () => {})
  }

  kill(): void {
    if (this.#running) this.#killGroup()
  }

  residentBytes(): number {
    if (!this.#running) return 0
    try {
      // VmRSS is in KiB whatever the page size.
      const found = /^VmRSS:\s+(\d+) kB/m.exec(fs.readFileSync(`/proc/${this.pid}/status`, 'latin1'))
      return found ? Number(found[1]) * 1024 : 0
    } catch {
      return 0 // no /proc, or just ended
    }
  }

  /**
   * Kills the group, and descendants that left it (`detached`), found by their parents while those live; endStrays finds the rest.
   */
  #killGroup(): void {
    const descendants = this.#running ? descendantsOf(this.pid) : []
    kill(-this.pid)
    for (const pid of descendants) {
      kill(-pid)
      kill(pid)
    }
  }
}

/** Descendants of a process, parents first; empty if the system does not report them (no /proc). */
function descendantsOf(pid: number): number[] {
  const found: number[] = []
  for (let next: number | undefined = pid, seen = 0; next !== undefined; next = found[seen++]) {
    try {
      for (const thread of fs.readdirSync(`/proc/${next}/task`)) {
        found.push(...fs.readFileSync(`/proc/${next}/task/${thread}/children`, 'latin1').split(' ').filter(Boolean).map(Number))
      }
    } catch {
      // Just ended.
    }
  }
  return found
}

/** Bytes of output that were read. */
const bytesOf = ({ stdout, stderr }: ChildProcess): number =>
  [stdout, stderr].reduce((sum, stream) => sum + ((stream as Socket | null)?.bytesRead ?? 0), 0)

/**
 * Resolves when all output and messages of an ended process have arrived, or when none has come for 500 ms: then another process holds its
 * pipes.
 */
async function settled(child: ChildProcess): Promise<void> {
  let timer: NodeJS.Timeout | undefined
  const closed = new Promise<void>(resolve => { child.once('close', () => resolve()) })
  const disconnected = child.connected ? new Promise<void>(resolve => { child.once('disconnect', () => resolve()) }) : Promise.resolve()
  const late = new Promise<void>(resolve => {
    const wait = (before: number, rounds: number): void => {
      // This process may have been too busy to read: what has arrived is read before it is counted.
      timer = setTimeout(() => setImmediate(() => {
        const read = bytesOf(child)
        if (read === before || rounds === 1) resolve()
        else wait(read, rounds - 1)
      }), lastWordsMs)
    }
    wait(bytesOf(child), lastWordsRounds)
  })
  await Promise.race([Promise.all([closed, disconnected]), late])
  clearTimeout(timer)
  child.stdout?.destroy()
  child.stderr?.destroy()
  if (child.connected) child.disconnect()
}
