// Runs a script of the simulation in a process of its own: a simulation tolerates no events but its own, and two processes use two cores.

import { execFile } from 'node:child_process'
import { setPriority } from 'node:os'
import { join } from 'node:path'
import { compiledIn } from '../tidy/bundle.ts'

/** Longer than any run takes on a busy machine; a simulation that hangs is killed, and the test fails. */
export const runMs = 3_000_000

// A simulation makes short-lived objects all the time: with more room for them, from its start on, less is spent on collecting them.
// 64 MiB take as long for many seeds and 0.2 s longer for one: the system has to provide the pages.
const flags = ['--max-semi-space-size=32', '--min-semi-space-size=32']
/** Stripping types of the sources takes most of the time in which a simulation starts. */
const env = { ...process.env, NODE_COMPILE_CACHE: compiledIn }

/**
 * Tests of real processes, which run at the same time, have real deadlines; this one has none, and gets a third of their share. With the
 * lowest priority it would get a hundredth beside other programs of a busy machine, and never end.
 */
const niceness = 5

export interface Run { readonly code: number; readonly text: string }

/** `script`: path in this room. */
export function runScript(script: string, ...args: string[]): Promise<Run> {
  return new Promise(resolve => {
    const child = execFile(
      process.execPath, [...flags, join(import.meta.dirname, script), ...args],
      { env, maxBuffer: 16 << 20, timeout: runMs, killSignal: 'SIGKILL' },
      (error, stdout, stderr) => {
        resolve({ code: error === null ? 0 : typeof error.code === 'number' ? error.code : 1, text: `${stdout}${stderr}` })
      },
    )
    setPriority(child.pid!, niceness)
  })
}
