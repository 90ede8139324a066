// End of a task: waits for work that the program's functions left running, or fails the attempt. Invariant: a record emitted after its
// function has returned is never lost silently: either the late `emit` is seen and fails the attempt, or no `emit` is reachable any more.
// Exception: an unref'd timer that is due in more than 5 s is told in the attempt's log only. Node ends a program without waiting for it,
// and such timers are nearly always time limits; an `emit` that the program keeps in a variable would make each of them a suspect. If it
// calls `emit` all the same while the process lives, the task that runs then fails (`Turns.afterwards`).
//
//   still running, and the program can reach an `emit`     waited for; if it does not end, the attempt fails with its name
//   unref'd, and the program can reach an `emit`           the same for processes and threads. Timers of at most 5 s are waited for, an
//                                                          interval once, and never fail the attempt; the log names one that is due later
//   still running, and no `emit` can be reached            requests and short timers are waited for up to 10 s; the rest is ignored:
//                                                          a connection that is kept open, a time limit that was not needed

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
/** Wait for messages in flight between threads of this process. */
const unseenMs = 200
const lookMs = { first: 1, max: 50 }
/** A garbage collection takes about 10 ms: the first is run early, later ones at growing intervals. */
const collectMs = { first: 0, max: 1_000 }

/** Throws FunctionFailed with a stack of the program. REQUIRES: the last turn has ended. */
export async function untilQuiet(parts: QuietParts, name: 'map' | 'reduce'): Promise<void> {
  const { clock, started, turns } = parts
  turns.release()
  // Lets promises that the program does not await settle or reject first.
  await clock.yield()
  if (started) await settle({ ...parts, started }, name)
  if (turns.late) throw new FunctionFailed(turns.late, {})
}

async function settle({ clock, started, turns, note }: QuietParts & { started: Started }, name: string): Promise<void> {
  const from = clock.mono()
  let busyAt = from
  let waitMs = lookMs.first
  let collectAt = from + collectMs.first
  let everyMs = 100
  for (let held = true; !turns.late;) {
    if (held && clock.mono() >= collectAt && waitMs > lookMs.first) {
      started.collect()
      held = turns.isHeld
      collectAt = clock.mono() + everyMs
      everyMs = Math.min(everyMs * 2, collectMs.max)
    }
    const now = clock.mono()
    const all = started.pending()
    const pending = all.filter(work => (held ? mayEmit(work, now - from) : ends(work)))
    if (pending.length > 0) busyAt = now
    else if (!held || !started.unseen || now - busyAt > unseenMs) {
      const left = held ? all.find(work => isUnrefTimer(work) && work.afterMs > unrefTimerMs) : undefined
      if (left) {
        started.collect()
        if (turns.isHeld) note?.(unwaited(left, name))
      }
      return
    }
    if (!held && now - from > looseMs) return
    if (held && now - from > heldMs) {
      const stuck = pending.find(({ kind, unref }) => kind !== 'timer' || !unref)
      if (!stuck) return
      throw new FunctionFailed(unended(stuck, name), {})
    }
    await clock.sleep(waitMs)
    waitMs = Math.min(waitMs * 2, lookMs.max)
  }
}

/**
 * For work that runs while an `emit` can be reached. An unref'd timer that is due too late is a time limit, or an internal timer of a
 * library.
 */
const mayEmit = (work: StartedWork, passedMs: number): boolean =>
  !isUnrefTimer(work) || (work.afterMs <= unrefTimerMs && (!work.repeats || passedMs <= work.afterMs + lookMs.max))

const isUnrefTimer = ({ kind, unref }: StartedWork): boolean => kind === 'timer' && unref

/** For work that runs while no `emit` can be reached: true if it will end soon. */
const ends = ({ kind, afterMs, unref }: StartedWork): boolean =>
  !unref && (kind === 'request' || (kind === 'timer' && afterMs <= shortTimerMs))

function unwaited({ begun, afterMs }: StartedWork, name: string): Error {
  const told = new Error(
    `the task did not wait for a timer of ${formatDuration(afterMs)} with unref() that ${name} has started, and an emit can still be reached; `
      + 'if the timer uses it, await it; if not, keep no emit in a variable that outlives its call',
  )
  told.name = 'Note'
  told.stack = begun.stack ?? ''
  return told
}

function unended({ what, begun }: StartedWork, name: string): GristmillError {
  const error = new GristmillError(
    'EINVAL',
    `${what} that ${name} has started has not ended ${formatDuration(heldMs)} after the last record, and may still emit; await it, or end it in teardown; and keep no emit in a variable that outlives its call`,
  )
  error.stack = begun.stack ?? ''
  return error
}
