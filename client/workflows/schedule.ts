// Builds a workflow again and again, at the times of its schedule, from this process. The first build is at once: it does what was missed
// while no process followed the schedule. Invariant: a build begins when the one before has ended; times that pass meanwhile are skipped.

import { Cron } from 'croner'
import { throwIfAborted } from '../../src/base/abort.ts'
import { asError, GristmillError } from '../../src/base/errors.ts'
import type { Clock } from '../../src/ports/clock.ts'
import type { RunTools } from '../jobs/run.ts'
import { buildWorkflow, readWorkflow, type BuildOptions, type BuildResult } from './build.ts'
import type { Declaration } from './declaration.ts'

export interface ScheduledBuild {
  /** Undefined if it has failed. */
  readonly result?: BuildResult | undefined
  readonly error?: GristmillError | undefined
  /** Times of the schedule that have passed while it ran. */
  readonly skipped: number
  /** When the next one begins. */
  readonly next: Date
}

/** Times that are counted as skipped. */
const skippedMax = 1000
/** The wall clock may be set meanwhile: it is looked at this often. */
const lookMs = 60_000

type Scheduled = Pick<Declaration, 'schedule' | 'timeZone'>

interface ScheduleDeps {
  readonly clock: Clock
  readonly read: () => Promise<Scheduled>
  readonly build: () => Promise<BuildResult>
  readonly signal: AbortSignal | undefined
  /** Time of the schedule for which the first build is; default: none, it begins now. */
  readonly dueMs?: number | undefined
}

/** Each build, when it has ended. Ends only by the abort of the signal, or if the workflow is wrong at the start. */
export const buildOnSchedule = (
  tools: RunTools, file: string, options: BuildOptions,
): AsyncGenerator<ScheduledBuild, void, undefined> => followSchedule({
  clock: tools.cluster.clock, signal: options.signal,
  read: () => readWorkflow(tools, file, options.signal), build: () => buildWorkflow(tools, file, options),
})

export async function* followSchedule(
  { clock, read, build, signal, dueMs: firstMs }: ScheduleDeps,
): AsyncGenerator<ScheduledBuild, void, undefined> {
  let times = timesOf(await read())
  for (let dueMs = firstMs; ; dueMs = undefined) {
    const startedMs = clock.now()
    const ended = await build().then(result => ({ result }), (thrown: unknown) => ({ error: asError(thrown) }))
    throwIfAborted(signal)
    // The file may have been changed. If it is wrong now, the next build says so, at the time that was known.
    times = await read().then(timesOf).catch(() => times)
    throwIfAborted(signal)
    let skipped = 0
    let next = nextOf(times, dueMs ?? Math.min(startedMs, clock.now()))
    for (; next.getTime() <= clock.now(); next = nextOf(times, skipped < skippedMax ? next.getTime() : clock.now())) skipped++
    yield { ...ended, skipped, next }
    for (let before = clock.now(); clock.now() < next.getTime();) {
      await clock.sleep(Math.min(next.getTime() - clock.now(), lookMs), signal)
      // A clock that was ahead has been set back: its next time would come only after all that it was ahead.
      if (clock.now() < before) next = nextOf(times, clock.now())
      before = clock.now()
    }
  }
}

/** Throws EINVAL for a workflow without a schedule, and for a schedule that is none or that has no time. */
export const checkSchedule = (declared: Scheduled): void => void timesOf(declared)

function timesOf({ schedule, timeZone }: Scheduled): Cron {
  if (schedule === undefined)
    throw new GristmillError('EINVAL', "the workflow has no schedule; give it one: workflow({ schedule: '15 3 * * *', … })")
  let times
  try {
    times = new Cron(schedule, { timezone: timeZone, paused: true, mode: '5-part' })
  } catch (error) {
    throw new GristmillError(
      'EINVAL',
      `the schedule ${JSON.stringify(schedule)} is not one of cron: minute, hour, day of the month, month, day of the week, such as ` +
      "'15 3 * * *'", { cause: error },
    )
  }
  if (!times.nextRun()) throw new GristmillError('EINVAL', `the schedule ${JSON.stringify(schedule)} has no time that ever comes`)
  return times
}

function nextOf(times: Cron, afterMs: number): Date {
  const next = times.nextRun(new Date(afterMs))
  if (next) return next
  throw new GristmillError('EINVAL', `the schedule ${times.getPattern()} has no time after ${new Date(afterMs).toISOString()}`)
}
