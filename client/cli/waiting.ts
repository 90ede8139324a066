// Waiting for something that the cluster does by itself: it is looked at now and then until it is done.
// Invariants: nobody waits in silence: there is a bar on a terminal, and elsewhere a line now and then on stderr. A namenode that is
// restarted meanwhile ends no waiting: what is waited for stands in its journal.

import { hasCode } from '../../src/base/errors.ts'
import { formatDuration } from '../../src/base/units.ts'
import type { CommandContext } from './context.ts'

/** How far it is. */
export interface Step {
  readonly done: number
  readonly total?: number | undefined
  /** In words: "12 of 340 blocks left". */
  readonly said: string
}

export interface WaitOptions<T> {
  readonly label: string
  look(): Promise<T>
  /** undefined: not known yet. */
  stepOf(now: T): Step | undefined
  /** Throws what makes further waiting useless. */
  isDone(now: T): boolean
  /** A namenode that is away for longer is given up; five minutes unless told. */
  readonly awayMs?: number
}

/** What is nearly done is seen soon; what takes long is not asked for more often than a person sees. */
const firstLookMs = 25
const lookMs = 300
/** Where no bar can be drawn. */
const sayMs = 10_000
const awayMsDefault = 300_000

/** Gives what was seen last. Throws what `look` throws, but that nobody answers only after a while. */
export async function waitFor<T>(
  context: CommandContext,
  { label, look, stepOf, isDone, awayMs = awayMsDefault }: WaitOptions<T>,
): Promise<T> {
  const { clock } = await context.world()
  const { signal } = context
  const telling = await openTelling(context, label)
  let awaySince: number | undefined
  try {
    for (let pauseMs = firstLookMs; ; pauseMs = Math.min(lookMs, 2 * pauseMs)) {
      const seen = await looked(look)
      if ('now' in seen) {
        if (awaySince !== undefined) telling.remark('the namenode answers again')
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

/** Away is a namenode that ended, and one that is frozen, cut off or has too much to do. */
async function looked<T>(look: () => Promise<T>): Promise<{ readonly now: T } | { readonly away: unknown }> {
  try {
    return { now: await look() }
  } catch (error) {
    if (!hasCode(error, 'UNAVAILABLE', 'TIMEOUT', 'OVERLOADED')) throw error
    return { away: error }
  }
}

/** Tells a person how far something is that takes its time. */
export interface Telling {
  step(step: Step): void
  remark(text: string): void
  stop(): void
}

/** REQUIRES: the caller stops it, also when its work fails; more than once does no harm. */
export async function openTelling(context: CommandContext, label: string): Promise<Telling> {
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
    step({ done, total, said }) {
      if (stopped) return
      const nowMs = clock.mono()
      // What is to be done may grow meanwhile: then the measure begins anew.
      if (!first || done < first.done) first = { atMs: nowMs, done }
      const left = total === undefined ? '' : timeLeft(total - done, done - first.done, nowMs - first.atMs)
      bar?.update(done, total, `${said}${left}`)
      if (bar || nowMs - saidMs < sayMs) return
      saidMs = nowMs
      say(`${said}${left}`)
    },
    remark: say,
    stop() {
      if (!stopped) progress.stop()
      stopped = true
    },
  }
}

/** `, 3 min`: by what was done in how long; nothing while that is a guess. */
function timeLeft(left: number, done: number, elapsedMs: number): string {
  if (left <= 0 || done <= 0 || elapsedMs < 1000) return ''
  const ms = (left / done) * elapsedMs
  return `, ${ms < 60_000 ? `${Math.ceil(ms / 1000)} s` : ms < 3_600_000 ? `${Math.ceil(ms / 60_000)} min` : formatDuration(ms)}`
}
