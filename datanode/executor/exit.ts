// Explains why an executor process ended, from its exit status and the tail of its output. Pure.

import { formatBytes } from '../../src/base/units.ts'

export interface ExitStatus {
  readonly code: number | null
  readonly signal: string | null
}

export const isHeapFull = (output: string): boolean => /heap out of memory|Allocation failed|heap limit/i.test(output)

/** Cause of the end of a process that had taken an attempt. `doing`: what the attempt has told of itself last. */
export function exitCause(end: ExitStatus, output: string, memoryBytes: number, doing?: string): string {
  return `${endOf(end, output, memoryBytes)}${doing === undefined ? '' : `; ${doing}`}`
}

function endOf({ code, signal }: ExitStatus, output: string, memoryBytes: number): string {
  if (isHeapFull(output)) {
    return `the task used more than ${formatBytes(memoryBytes)} of memory: its heap was full; keep less at a time, or give it more (--memory)`
  }
  if (signal === 'SIGKILL')
    return "the task's process was killed from outside: by the system because memory had run out, or by its own program"
  if (signal !== null)
    return `the task's process was ended by ${signal}${signal === 'SIGSEGV' || signal === 'SIGABRT' ? '; a native module of the program may have crashed' : ''}`
  return `the program ended its process with exit code ${code} before the task was done; a task ends by itself when its input does`
}

/** Cause of the end of a process that had not taken any attempt, with the last line of its output that names an error. */
export function startCause({ code, signal }: ExitStatus, output: string): string {
  const lines = output.split('\n').map(line => line.trim()).filter(Boolean)
  const line = lines.findLast(each => /^(\w*Error\b|FATAL ERROR|.*\bnode: )/.test(each)) ?? lines.at(-1)
  const end = signal === null ? `with exit code ${code}` : `by ${signal}`
  return `a new process ended ${end} before it took a task${line === undefined ? ', without output' : `: ${line.slice(0, 500)}`}`
}
