// Clock of a process that builds for a time of a schedule: the wall-clock time is that of the namenode, which starts the process then. The
// clock of this machine may be wrong, and another machine follows the schedule next. The namenode has two: calls are signed by the one that
// datanodes know, which does not follow its wall clock when that is set.

import type { Clock } from '../../src/ports/clock.ts'

/** `nowMs`: time of the namenode at this moment. */
export function namenodeClock(clock: Clock, nowMs: number): Clock {
  const startMs = clock.mono()
  return {
    now: () => Math.floor(nowMs + clock.mono() - startMs), mono: () => clock.mono(), sleep: (ms, signal) => clock.sleep(ms, signal),
    after: (ms, work) => clock.after(ms, work), deadline: (ms, signal) => clock.deadline(ms, signal), yield: () => clock.yield(),
  }
}
