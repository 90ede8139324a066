// Waits for work that the program has left running: before the first function of the module, between setup and the first record, between
// the last record and teardown (`untilSettled`), and at the end of the task (`untilQuiet`).
//
//   ends by itself             requests; one-shot timers of at most 5 s; what was written to a connection until the reply has come; a
//                              process or thread that map, reduce or teardown has started. Waited for; if it does not end within 10 s the
//                              attempt fails, with its place
//   replies that go on         over HTTP, and connections that have never been read: waited for as well, and then the log names them. The
//                              program may have no use for the rest of the reply, and the connection may be one that only sends
//   unref'd                    is no work that ends by itself. Between two functions an unref'd connection that was written to gets 5 s,
//                              and so do the further parts of a reply and sockets of datagrams; then the log names it
//   processes and threads      of setup and of the module serve the whole task: the log names those that run when the next function begins,
//                              and unref'd ones of map, reduce and teardown
//   longer timers              time limits that were not needed, or idle limits of pools: the log names those that run when the next
//                              function begins
//   chains of short timers     of setup and of the module may be the heartbeat of a client: waited for, and then the log names them
//   intervals, servers, idle connections            serve the whole task, and nothing is said
//
// At the end of the task work may also reach an `emit` or a counter (table of `settle`). Invariants: a record that is emitted, or a count
// that is made, after its function has returned is never lost silently; and work is never left out of a wait without an error or a note.
// If work that was let go calls `emit` or `counter` later in the same process, the task that runs then fails (`Turns.taskEnded`,
// `TaskContext.taskEnded`).
//
// Waits are counted by their own sleeps and not by the clock: a process that was paused, or whose event loop the program has blocked, gets
// the same number of turns to call back.

import { FunctionFailed } from '../../src/operator/operator.ts'
import type { Turns } from '../../src/operator/turn.ts'
import type { Clock } from '../../src/ports/clock.ts'
import type { Started, StartedWork } from '../../src/ports/started.ts'
import { leftNote, unended, unsettled, unwaited, type Part } from './leftwords.ts'

interface QuietParts {
  readonly clock: Clock
  readonly started: Started | undefined
  readonly turns: Turns
  /** The task's counters, which the program may still hold. */
  readonly counts?: { readonly isHeld: boolean; release(): void } | undefined
  /** Writes a message, with the place in the program, to the attempt's log. */
  readonly note?: ((told: Error) => void) | undefined
}

type Settling = Pick<QuietParts, 'clock' | 'started' | 'note'>

/** Longest wait while an `emit` can be reached: enough for a slow remote reply. */
const heldMs = 60_000
/** Longest wait for work that cannot emit any more. */
const looseMs = 10_000
/** Longest delay of timers that are waited for: pauses between two tries, batches of a client's records; not time limits of requests. */
const shortTimerMs = 5_000
/** Longest wait for streams that may or may not get a reply. */
const streamMs = 5_000
/** Wait for messages in flight between threads of this process. */
const unseenMs = 200
const lookMs = { first: 1, max: 50 }
/** A garbage collection takes about 10 ms: the first is run early, later ones at growing intervals. */
const collectMs = { first: 100, max: 1_000 }
/** Streams that were waited for and not read: senders of logs and measurements. The next tasks do not wait for them. */
const oneWay = new WeakSet<Error>()

/** Throws FunctionFailed with a stack of the program. REQUIRES: the last turn has ended. */
export async function untilQuiet(parts: QuietParts, name: 'map' | 'reduce' | 'check'): Promise<void> {
  const { clock, started, turns, counts } = parts
  turns.release()
  counts?.release()
  started?.mark()
  // Lets promises that the program does not await settle or reject first.
  await clock.yield()
  if (started) await settle({ ...parts, started }, name)
  if (turns.late) throw new FunctionFailed(turns.late, {})
}

/**
 * Waits for work that the module's top, setup, or the task's map or reduce has left running and that may still change what the next
 * function of the task reads. Throws FunctionFailed for work that ends by itself and has not ended.
 */
export async function untilSettled({ clock, started, note }: Settling, name: Part, next: string): Promise<void> {
  if (!started) return
  started.mark()
  await clock.yield()
  let waitMs = lookMs.first
  let busyMs = 0
  for (let waitedMs = 0; ;) {
    const all = started.pending()
    const pending = all.filter(work => ends(work, name) || (mayReply(work) && waitedMs <= streamMs))
    if (pending.length > 0) busyMs = waitedMs
    const isOver = pending.length === 0 && (!started.unseen || waitedMs - busyMs > unseenMs)
    if (isOver || waitedMs > looseMs) {
      failFor(pending, name, next)
      return noteLeft(all, { note, name, next })
    }
    await clock.sleep(waitMs)
    waitedMs += waitMs
    waitMs = nextLook(waitMs, pending)
  }
}

/** Pause before the next look. A callback that is due at once may start the next one: each link of a chain gets a look. */
const nextLook = (waitMs: number, pending: readonly StartedWork[]): number =>
  pending.some(({ kind, afterMs }) => kind === 'timer' && afterMs === 0) ? lookMs.first : Math.min(waitMs * 2, lookMs.max)

/** Work that ends by itself. What was begun before this part has been waited for in its own. */
function ends({ kind, unref, repeats, afterMs, asked, earlier, begun }: StartedWork, name: Part): boolean {
  switch (kind) {
    // A connection that an earlier task has opened counts too, if this task has written to it.
    case 'stream': return !unref && asked && !oneWay.has(begun)
    case 'request': case 'reply': return !earlier
    case 'timer': return !earlier && !unref && !repeats && afterMs <= shortTimerMs
    case 'process': case 'thread': return !earlier && !unref && !isBefore(name)
    case 'handle': return false
  }
}

const isBefore = (name: Part): boolean => name === 'the module' || name === 'setup'

/** Streams that get some time between two functions: unref'd ones that were written to, further parts of a reply, sockets of datagrams. */
const mayReply = ({ kind, unref, asked, idle, fired, earlier, begun }: StartedWork): boolean =>
  kind === 'stream' && !oneWay.has(begun) && (unref ? asked : !asked && !idle && !(earlier && !fired))

/**
 * Throws FunctionFailed for the first work that had to end, and could serve nothing else. A connection that has never been read may be one
 * that only sends; the rest of a reply may be of no interest; a chain of timers of setup may be the heartbeat of a client.
 */
function failFor(pending: readonly StartedWork[], name: Part, next: string | undefined): void {
  const stuck = pending.find(work => ends(work, name) && !mayServe(work, name))
  if (stuck) throw new FunctionFailed(unsettled(stuck, { name, next, waitedMs: looseMs }), {})
}

function mayServe({ kind, heard }: StartedWork, name: Part): boolean {
  return kind === 'reply' || (kind === 'stream' && !heard) || (kind === 'timer' && isBefore(name))
}

/** Names work that was let go, and that `next`, or the end of the task, may come too early for. */
function noteLeft(
  all: readonly StartedWork[], { note, name, next }: { note: QuietParts['note']; name: Part; next: string | undefined },
): void {
  const named = new Set<Error>()
  for (const work of all) {
    const { kind, earlier, unref, repeats, begun } = work
    const replies = next !== undefined && mayReply(work)
    const isHelper = !earlier && (kind === 'process' || kind === 'thread')
    const isLong = next !== undefined && !earlier && kind === 'timer' && !unref && !repeats
    if (named.has(begun) || !(replies || isHelper || isLong || ends(work, name))) continue
    if ((replies && !work.fired) || (kind === 'stream' && !work.heard)) oneWay.add(begun)
    named.add(begun)
    note?.(leftNote(work, name, next))
  }
}

/**
 * The end of a task.
 *
 *   an `emit` can be reached       all but unref'd timers and streams: waited for up to a minute, then fails the attempt. Unref'd timers of
 *                                  at most 5 s are waited for until they have called back once, streams that may get a reply for 5 s; the
 *                                  log names one that is left
 *   only a counter can be reached  processes and threads of this or an earlier task, and unref'd timers and streams as above, are waited
 *                                  for up to 10 s, and the log names one that is left; work that ends by itself as in the head
 *   neither                        work that ends by itself
 */
async function settle({ clock, started, turns, counts, note }: QuietParts & { started: Started }, name: Part): Promise<void> {
  let waitedMs = 0
  let busyMs = 0
  let waitMs = lookMs.first
  let collectAt = 0
  let everyMs = collectMs.first
  const reach = (): Reach => (turns.isHeld ? 'emit' : counts?.isHeld ? 'count' : 'none')
  for (let reached: Reach = 'emit'; !turns.late;) {
    if (reached !== 'none' && waitedMs > 0 && waitedMs >= collectAt) {
      started.collect()
      reached = reach()
      collectAt = waitedMs + everyMs
      everyMs = Math.min(everyMs * 2, collectMs.max)
    }
    const all = started.pending()
    const pending = all.filter(work => isWaitedFor(work, { reached, name, waitedMs }))
    if (pending.length > 0) busyMs = waitedMs
    const isOver = pending.length === 0 && (reached === 'none' || !started.unseen || waitedMs - busyMs > unseenMs)
    if (isOver || waitedMs > (reached === 'emit' ? heldMs : looseMs)) {
      if (reached === 'emit') {
        const stuck = pending.find(work => !isIdler(work))
        if (stuck) throw new FunctionFailed(unended(stuck, name, heldMs), {})
      } else failFor(pending, name, undefined)
      noteLeft(all, { note, name, next: undefined })
      const left = reached === 'none' ? undefined : all.find(reached === 'emit' ? isIdler : mayCallBack)
      if (!left) return
      started.collect()
      const still = reach()
      if (still !== 'none') note?.(unwaited(left, name, still))
      return
    }
    await clock.sleep(waitMs)
    waitedMs += waitMs
    waitMs = nextLook(waitMs, pending)
  }
}

/** Objects that the program can still reach. */
type Reach = 'emit' | 'count' | 'none'

function isWaitedFor(work: StartedWork, { reached, name, waitedMs }: { reached: Reach; name: Part; waitedMs: number }): boolean {
  switch (reached) {
    case 'emit': return mayEmit(work, waitedMs)
    case 'count': return ends(work, name) || (mayCount(work) && mayEmit(work, waitedMs))
    case 'none': return ends(work, name)
  }
}

/** For work that runs while an `emit` can be reached. */
function mayEmit(work: StartedWork, waitedMs: number): boolean {
  if (!isIdler(work)) return true
  return work.kind === 'timer' ? work.afterMs <= shortTimerMs && !work.fired : waitedMs <= streamMs
}

/** For work that runs while a counter can be reached, beside work that ends by itself. A pool's idle connections are not asked. */
const mayCount = (work: StartedWork): boolean => work.kind === 'process' || work.kind === 'thread' || (isIdler(work) && !work.repeats)

const mayCallBack = ({ kind, idle }: StartedWork): boolean => kind !== 'handle' && !idle

/** True for work that may be let go while an `emit` can be reached: a time limit, an idle check of a library, a connection that is kept. */
const isIdler = ({ kind, unref }: StartedWork): boolean => unref && (kind === 'timer' || kind === 'stream')
