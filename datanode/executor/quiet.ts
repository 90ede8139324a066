// End of a task: waits for work that the program has left running, or fails the attempt. Invariant: a record emitted after its function
// has returned is never lost silently: either the late `emit` is seen and fails the attempt, or no `emit` is reachable any more.
// Exception: for unref'd work that the table does not wait for to its end, the attempt succeeds and a line of its log names the work. Such
// work is nearly always a time limit or a connection that is kept open. If it calls `emit` later in the same process, the task that runs
// then fails (`Turns.taskEnded`, src/operator/turn.ts).
//
//   still running, and the program can reach an `emit`     waited for; if it does not end, the attempt fails with its name
//   unref'd, and the program can reach an `emit`           the same for processes and threads. Timers of at most 5 s are waited for until
//                                                          they have called back once, streams that may get a reply for 5 s; they never
//                                                          fail the attempt, and the log names one that is left
//   still running, and no `emit` can be reached            requests and short timers of this task are waited for up to 10 s; the rest is
//                                                          ignored: a connection that is kept open, a time limit that was not needed
//
// Before the first function of the module, between setup and the first record, and between the last record and teardown, work may still
// fill what the next function reads (`untilSettled`). Work that ends by itself is waited for, and fails the attempt if it does not end; a
// connection is waited for until it is idle, and a process that map or reduce has started for 10 s. Threads, long timers and intervals are
// not: they mostly serve the whole task.
//
// Waits are counted by their own sleeps and not by the clock: a process that was paused, or whose event loop the program has blocked, gets
// the same number of turns to call back.

import { GristmillError } from '../../src/base/errors.ts'
import { formatDuration } from '../../src/base/units.ts'
import { FunctionFailed } from '../../src/operator/operator.ts'
import type { Turns } from '../../src/operator/turn.ts'
import type { Clock } from '../../src/ports/clock.ts'
import type { Started, StartedWork } from '../../src/ports/started.ts'

interface QuietParts {
  readonly clock: Clock
  readonly started: Started | undefined
  readonly turns: Turns
  /** Writes a message, with the place in the program, to the attempt's log. */
  readonly note?: ((told: Error) => void) | undefined
}

/** Longest wait while an `emit` can be reached: enough for a slow remote reply. */
const heldMs = 60_000
/** Longest wait for work that cannot emit any more. */
const looseMs = 10_000
const shortTimerMs = 1_000
/** Longest delay of unref'd timers that are waited for: batches of a client's records, not time limits of its requests. */
const unrefTimerMs = 5_000
/** Longest wait for unref'd streams. */
const unrefStreamMs = 5_000
/** Wait for messages in flight between threads of this process. */
const unseenMs = 200
const lookMs = { first: 1, max: 50 }
/** A garbage collection takes about 10 ms: the first is run early, later ones at growing intervals. */
const collectMs = { first: 100, max: 1_000 }

/** Throws FunctionFailed with a stack of the program. REQUIRES: the last turn has ended. */
export async function untilQuiet(parts: QuietParts, name: 'map' | 'reduce'): Promise<void> {
  const { clock, started, turns } = parts
  turns.release()
  started?.mark()
  // Lets promises that the program does not await settle or reject first.
  await clock.yield()
  if (started) await settle({ ...parts, started }, name)
  if (turns.late) throw new FunctionFailed(turns.late, {})
}

/**
 * Waits for work that the module's top, setup, or the task's map or reduce has left running and that may still change what the next
 * function of the task reads. Throws FunctionFailed for a request that does not end.
 */
export async function untilSettled(
  { clock, started, note }: Pick<QuietParts, 'clock' | 'started' | 'note'>, name: 'the module' | 'setup' | 'map' | 'reduce', next: string,
): Promise<void> {
  if (!started) return
  started.mark()
  await clock.yield()
  let waitMs = lookMs.first
  let busyMs = 0
  for (let waitedMs = 0; ;) {
    const pending = started.pending().filter(work => work.earlier === (name === 'the module') && mayChange(work, name, waitedMs))
    if (pending.length > 0) busyMs = waitedMs
    else if (!started.unseen || waitedMs - busyMs > unseenMs) return
    if (waitedMs > looseMs) {
      const stuck = pending.find(work => work.kind === 'request')
      if (stuck) throw new FunctionFailed(unsettled(stuck, name, next), {})
      if (pending[0]) note?.(unsettled(pending[0], name, next))
      return
    }
    await clock.sleep(waitMs)
    waitedMs += waitMs
    waitMs = nextLook(waitMs, pending)
  }
}

/** Pause before the next look. A callback that is due at once may start the next one: each link of a chain gets a look. */
const nextLook = (waitMs: number, pending: readonly StartedWork[]): number =>
  pending.some(({ kind, afterMs }) => kind === 'timer' && afterMs === 0) ? lookMs.first : Math.min(waitMs * 2, lookMs.max)

/** For work that was left running between two functions of a task. Unref'd timers are time limits. */
function mayChange({ kind, unref, repeats, afterMs, idle }: StartedWork, name: string, waitedMs: number): boolean {
  switch (kind) {
    case 'request': return true
    case 'timer': return !unref && !repeats && afterMs <= shortTimerMs
    case 'stream': return !idle && waitedMs <= unrefStreamMs
    // A process of the module or of setup mostly serves the whole task.
    case 'process': return !unref && (name === 'map' || name === 'reduce')
    case 'handle': return false
  }
}

async function settle({ clock, started, turns, note }: QuietParts & { started: Started }, name: string): Promise<void> {
  let waitedMs = 0
  let busyMs = 0
  let waitMs = lookMs.first
  let collectAt = 0
  let everyMs = collectMs.first
  for (let held = true; !turns.late;) {
    if (held && waitedMs > 0 && waitedMs >= collectAt) {
      started.collect()
      held = turns.isHeld
      collectAt = waitedMs + everyMs
      everyMs = Math.min(everyMs * 2, collectMs.max)
    }
    const all = started.pending()
    const pending = all.filter(work => (held ? mayEmit(work, waitedMs) : ends(work)))
    if (pending.length > 0) busyMs = waitedMs
    const isOver = pending.length === 0 && (!held || !started.unseen || waitedMs - busyMs > unseenMs)
    if (isOver || waitedMs > (held ? heldMs : looseMs)) {
      const stuck = held ? pending.find(work => !isIdler(work)) : undefined
      if (stuck) throw new FunctionFailed(unended(stuck, name), {})
      const left = held ? all.find(isIdler) : undefined
      if (!left) return
      started.collect()
      if (turns.isHeld) note?.(unwaited(left, name))
      return
    }
    await clock.sleep(waitMs)
    waitedMs += waitMs
    waitMs = nextLook(waitMs, pending)
  }
}

/** For work that runs while an `emit` can be reached. */
function mayEmit(work: StartedWork, waitedMs: number): boolean {
  if (!isIdler(work)) return true
  return work.kind === 'timer' ? work.afterMs <= unrefTimerMs && !work.fired : waitedMs <= unrefStreamMs
}

/** True for work that may be let go while an `emit` can be reached: a time limit, an idle check of a library, a connection that is kept. */
const isIdler = ({ kind, unref }: StartedWork): boolean => unref && (kind === 'timer' || kind === 'stream')

/** For work that runs while no `emit` can be reached: true if it will end soon. Work of the module and of earlier tasks may never end. */
const ends = ({ kind, afterMs, repeats, unref, earlier }: StartedWork): boolean =>
  !unref && !earlier && (kind === 'request' || (kind === 'timer' && !repeats && afterMs <= shortTimerMs))

const starterOf = ({ earlier }: StartedWork, name: string): string =>
  earlier ? 'the program has started at the top of its module, in setup or in an earlier task' : `${name} has started`

function unwaited(work: StartedWork, name: string): Error {
  const { what, kind, afterMs, begun } = work
  const told = new Error(
    `the task did not wait for ${what}${kind === 'timer' ? ` of ${formatDuration(afterMs)}` : ''} with unref() that `
      + `${starterOf(work, name)}, `
      + 'and an emit can still be reached; if it calls emit, await it; if not, keep no emit in a variable that outlives its call',
  )
  told.name = 'Note'
  told.stack = begun.stack ?? ''
  return told
}

function unsettled(work: StartedWork, name: string, next: string): GristmillError {
  const error = new GristmillError(
    'EINVAL',
    `${work.what} that ${name} has started has not ended ${formatDuration(looseMs)} after ` +
    `${name === 'the module' ? 'it was loaded' : `${name} had returned`}, and ${next} may read what it leaves; await it`,
  )
  error.stack = work.begun.stack ?? ''
  return error
}

function unended(work: StartedWork, name: string): GristmillError {
  const error = new GristmillError(
    'EINVAL',
    `${work.what} that ${starterOf(work, name)} has not ended ${formatDuration(heldMs)} after the last record, and may still emit; await it, or end it in teardown; and keep no emit in a variable that outlives its call`,
  )
  error.stack = work.begun.stack ?? ''
  return error
}
