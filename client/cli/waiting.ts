// Waits for background work of the cluster by polling its state.
// Invariants: progress is always shown, as a bar on a terminal, elsewhere as a line on stderr every 10 s. A restart of the namenode
// does not end the wait: its journal holds the state that is waited for.

import { hasCode, isTransient } from '../../src/base/errors.ts'
import { formatDuration } from '../../src/base/units.ts'
import type { CommandContext } from './context.ts'

/** Progress of the work. */
interface Step {
  readonly done: number
  readonly total?: number | undefined
  /** Progress in words: "12 of 340 blocks left". */
  readonly text: string
}

interface Polling<T> {
  readonly label: string
  look(): Promise<T>
  /** undefined: not known yet. */
  stepOf(now: T): Step | undefined
  /** Throws if further waiting is useless. */
  isDone(now: T): boolean
  /** Time without an answer of the namenode after which the wait fails; default: five minutes. */
  readonly awayMs?: number
}

/**
 * The poll interval doubles from 25 ms to 300 ms: short work is noticed at once, long work is not polled faster than people read.
 */
const firstLookMs = 25
const lookMs = 300
/** Interval of progress lines if no bar is drawn. */
const sayMs = 10_000
const awayMsDefault = 300_000

/** Returns the last state. Throws errors of `look`; UNAVAILABLE, TIMEOUT and OVERLOADED only after `awayMs`. */
export async function waitFor<T>(
  context: CommandContext,
  { label, look, stepOf, isDone, awayMs = awayMsDefault }: Polling<T>,
): Promise<T> {
  const { clock } = await context.world()
  const { signal } = context
  const telling = await openProgressReport(context, label)
  let awaySince: number | undefined
  try {
    for (let pauseMs = firstLookMs; ; pauseMs = Math.min(lookMs, 2 * pauseMs)) {
      const seen = await looked(look)
      if ('now' in seen) {
        if (awaySince !== undefined) telling.remark('the namenode is available again')
        awaySince = undefined
        const step = stepOf(seen.now)
        if (step) telling.step(step)
        if (isDone(seen.now)) return seen.now
      } else {
        if (awaySince === undefined) telling.remark('the namenode does not answer; waiting for it')
        awaySince ??= clock.mono()
        if (clock.mono() - awaySince >= awayMs) throw seen.away
      }
      await clock.sleep(pauseMs, signal)
    }
  } finally {
    telling.stop()
  }
}

/** Away: the namenode ended, hangs, is cut off or is overloaded. A refusal in safe mode is an answer. */
async function looked<T>(look: () => Promise<T>): Promise<{ readonly now: T } | { readonly away: unknown }> {
  try {
    return { now: await look() }
  } catch (error) {
    if (!isTransient(error) || hasCode(error, 'SAFE_MODE')) throw error
    return { away: error }
  }
}

/** Shows the progress of long work. */
interface ProgressReport {
  step(step: Step): void
  remark(text: string): void
  stop(): void
}

/** REQUIRES: the caller calls `stop`, also when its work fails; repeated calls are harmless. */
export async function openProgressReport(context: CommandContext, label: string): Promise<ProgressReport> {
  const { clock } = await context.world()
  const progress = await context.progress()
  const bar = progress.drawn ? progress.bar(label, 'tasks') : undefined
  let first: { readonly atMs: number; readonly done: number } | undefined
  let saidMs = clock.mono()
  let stopped = false
  const say = (text: string): void => {
    if (!context.json) context.printer.note(`${context.printer.name(label, 'err')}: ${text}`)
  }
  return {
    step({ done, total, text }) {
      if (stopped) return
      const nowMs = clock.mono()
      // The amount of work may grow; then the rate is measured anew.
      if (!first || done < first.done) first = { atMs: nowMs, done }
      const left = total === undefined ? '' : timeLeft(total - done, done - first.done, nowMs - first.atMs)
      bar?.update(done, total, `${text}${left}`)
      if (bar || nowMs - saidMs < sayMs) return
      saidMs = nowMs
      say(`${text}${left}`)
    },
    remark: say,
    stop() {
      if (!stopped) progress.stop()
      stopped = true
    },
  }
}

/** `, 3 min`, estimated from the rate so far; empty in the first second, before an estimate is possible. */
function timeLeft(left: number, done: number, elapsedMs: number): string {
  if (left <= 0 || done <= 0 || elapsedMs < 1000) return ''
  const ms = (left / done) * elapsedMs
  return `, ${ms < 60_000 ? `${Math.ceil(ms / 1000)} s` : ms < 3_600_000 ? `${Math.ceil(ms / 60_000)} min` : formatDuration(ms)}`
}
