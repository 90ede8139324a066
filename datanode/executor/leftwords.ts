// Errors and notes about work that a program has left running. Each has the stack of the place that started the work.

import { GristmillError } from '../../src/base/errors.ts'
import { formatDuration } from '../../src/base/units.ts'
import type { StartedWork } from '../../src/ports/started.ts'

/** Function of a program, or its top level, after which a task waits. */
export type Part = 'the module' | 'setup' | 'map' | 'reduce' | 'check'

const workOf = ({ what, kind, afterMs }: StartedWork): string =>
  (kind === 'timer' && afterMs > 0 ? `${what} of ${formatDuration(afterMs)}` : what)

const starterOf = ({ earlier }: StartedWork, name: string): string =>
  earlier ? 'the program has started at the top of its module, in setup or in an earlier task' : `${name} has started`

const endOf = (name: Part, next: string | undefined): string => {
  if (next === undefined) return 'the last function had returned'
  return name === 'the module' ? 'it was loaded' : `${name} had returned`
}

/** For an `emit` or a counter that can still be reached. */
export function unwaited(work: StartedWork, name: Part, reached: 'emit' | 'count'): Error {
  const [held, act, object] = reached === 'emit' ? ['an emit', 'calls emit', 'emit'] : ['a counter', 'counts', 'context']
  return noteOf(
    work,
    `the task did not wait for ${workOf(work)}${work.unref ? ' with unref()' : ''} that ${starterOf(work, name)}, `
      + `and ${held} can still be reached; if it ${act}, await it; if not, keep no ${object} in a variable that outlives its call`,
  )
}

/** For work that was let go. `next`: the function that begins now; undefined at the end of the task. */
export function leftNote(work: StartedWork, name: Part, next: string | undefined): Error {
  const from = work.earlier ? 'the program has written to' : `${name} has started`
  return noteOf(
    work,
    `the task did not wait for ${workOf(work)}${work.unref ? ' with unref()' : ''} that ${from}; `
      + (next === undefined
        ? 'it may be cut off by the end of the job; if it has something to do still, await it'
        : `if ${next} needs what it leaves, await it`),
  )
}

function noteOf({ begun }: StartedWork, text: string): Error {
  const told = new Error(text)
  told.name = 'Note'
  told.stack = begun.stack ?? ''
  return told
}

/** For work that ends by itself and has not ended. */
export function unsettled(
  work: StartedWork, { name, next, waitedMs }: { name: Part; next: string | undefined; waitedMs: number },
): GristmillError {
  const after = `${formatDuration(waitedMs)} after ${endOf(name, next)}`
  const why = next === undefined ? '' : `, and ${next} may read what it leaves`
  const text = work.kind === 'stream'
    ? `no reply has come over ${work.what} that ${work.earlier ? 'the program has written to' : starterOf(work, name)} ${after}${why}; `
      + 'await it; if its peer does not reply, call unref() of it'
    : `${workOf(work)} that ${starterOf(work, name)} has not ended ${after}${why}; await it${adviceOf(work)}`
  return withPlace(new GristmillError('EINVAL', text), work)
}

function adviceOf({ kind }: StartedWork): string {
  switch (kind) {
    case 'process': case 'thread': return ', end it, or start it with unref() if it serves later tasks'
    case 'timer': return ', clear it, or call unref() of it if nothing depends on it'
    default: return ''
  }
}

/** For work that runs while an `emit` can be reached. */
export function unended(work: StartedWork, name: Part, waitedMs: number): GristmillError {
  return withPlace(new GristmillError(
    'EINVAL',
    `${workOf(work)} that ${starterOf(work, name)} has not ended ${formatDuration(waitedMs)} after the last record, and may still emit; await it, or end it in teardown; and keep no emit in a variable that outlives its call`,
  ), work)
}

function withPlace(error: GristmillError, { begun }: StartedWork): GristmillError {
  error.stack = begun.stack ?? ''
  return error
}
