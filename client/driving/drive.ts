// Task of a job that drives a program: runs the stored program with the options of its run, in the name of its user; or follows the
// schedule of a stored workflow. It reaches no place outside of the cluster, whose credentials this machine does not have.
// INVARIANT: a failure of the program ends its job; a failure of this machine or to reach the cluster, or the loss of the task to another
// process, does not.

import { join } from 'node:path'
import { asError, GristmillError, hasCode, type ErrorCode } from '../../src/base/errors.ts'
import { isOfMachine } from '../../src/base/exhaustion.ts'
import { Background } from '../../src/base/background.ts'
import { FileClient } from '../../src/file/client.ts'
import type { Clock } from '../../src/ports/clock.ts'
import type { World } from '../../src/ports/world.ts'
import type { Failure } from '../../src/protocol/fields.ts'
import { isSchedule, type TaskWork } from '../../src/protocol/task.ts'
import { idOf } from '../../src/program/bundle.ts'
import { Caller } from '../../src/rpc/call.ts'
import { failed, type AttemptOutcome, type ToExecutor } from '../../datanode/executor/messages.ts'
import { clusterOf } from '../call/cluster.ts'
import { callerParts, credentialsFor } from '../connect.ts'
import type { Compiler } from '../jobs/compile.ts'
import { drivenRun } from '../jobs/detached.ts'
import { DriveLog } from '../jobs/drivelog.ts'
import { runProgram, type RunTools } from '../jobs/run.ts'
import { Plans } from '../load/plans.ts'
import { stepQueries } from '../sql/stepquery.ts'
import { followStored } from '../workflows/detached.ts'
import { namenodeClock } from './namenodeclock.ts'
import { patient } from './overload.ts'
import { withParent } from './parent.ts'

interface DriveOptions {
  readonly print: (text: string, stream: 'stdout' | 'stderr') => void
  /** Loads the program in this process: for simulations. */
  readonly compiler?: Compiler | undefined
}

/** Never rejects. */
export async function driveTask(
  world: World, { work, setup }: Omit<ToExecutor, 'kind'>, { print, compiler }: DriveOptions,
): Promise<AttemptOutcome> {
  try {
    const onWait = (why: string): void => print(`the program waits, because the cluster takes no more from it now: ${why}\n`, 'stderr')
    const wall = namenodeClock(world.clock, work.nowMs ?? setup.nowMs)
    const atMs = await drive({ ...toolsOf(world, { work, setup }, onWait), compiler }, { work, wall }, print)
    if (atMs !== undefined) return { kind: 'later', atMs, nowMs: wall.now(), counters: {} }
    return { kind: 'done', counters: {}, output: { kind: 'files', files: [] } }
  } catch (error) {
    return outcomeOf(asError(error))
  }
}

/** `wall`: wall clock of the namenode. Resolves to the time at which a schedule builds next; undefined: the program has ended. */
async function drive(
  tools: RunTools, { work, wall }: { readonly work: TaskWork; readonly wall: Clock }, print: DriveOptions['print'],
): Promise<number | undefined> {
  const { program, env = {}, job } = work
  const { id: run, nowMs } = work.driver!
  const pieces: Buffer[] = []
  for await (const piece of tools.files.read(program.path)) pieces.push(piece)
  const bytes = Buffer.concat(pieces)
  if (idOf(bytes) !== program.id)
    throw new GristmillError('CORRUPT', `the stored program ${program.path} is not the one that ${job} drives`)
  if (isSchedule(work)) return followStored(tools, { params: work.params, dueMs: work.dueMs, wall, stored: bytes }, print)
  const log = await DriveLog.open({ ...tools, ask: tools.cluster.ask, clock: tools.cluster.clock }, { job, run })
  if (log.end) {
    const { failure } = log.end
    if (failure) throw new GristmillError(failure.code as ErrorCode, failure.message, { details: { failure } })
    return undefined
  }
  const { name, run: options } = drivenRun(work)
  const running = await runProgram(
    tools, join(tools.programDir, `${program.id}.js`),
    { ...options, name, env, onOutput: print, onNote: line => print(`${line}\n`, 'stderr') },
    { stored: { id: program.id, bytes, name }, nowMs, driven: { run, log } },
  )
  await running.wait()
  return undefined
}

function toolsOf(
  world: World, { work, setup }: Pick<ToExecutor, 'work' | 'setup'>, onWait: (why: string) => void,
): RunTools {
  const { secret, otherSecret, user, cluster: id, node, namenode, host, scratch } = setup
  const { random, disk, log, net, processes, openDatabase, loadAvro } = world
  const clock = work.dueMs === undefined ? world.clock : namenodeClock(world.clock, setup.nowMs)
  const caller = new Caller({ ...callerParts(world, credentialsFor(world, { secret, otherSecret, user }, id)), who: node, patient: true })
  const background = new Background()
  const own = patient(clusterOf({ caller, namenode: () => namenode, clock, random, user, background }), onWait)
  const cluster = isSchedule(work) ? withParent(own, work.job) : own
  const files = new FileClient({
    caller, net, clock, random, disk, log, namenode, cluster: id, host, spoolDir: join(scratch, 'spool'), background,
  })
  return {
    cluster, files, disk, log, processes, plans: new Plans(), workingDirectory: scratch, programDir: join(scratch, 'programs'),
    drivers: new Set(),
    queries: stepQueries({
      disk, random, openDatabase, loadAvro, scratchDir: scratch, cwd: scratch, isRemote: true, cluster: async () => ({ cluster, files }),
    }),
  }
}

/** Failures after which another process may go on: the cluster was not reached, or this process was replaced. */
const goesOn = ['UNAVAILABLE', 'TIMEOUT', 'SAFE_MODE', 'OVERLOADED', 'OUTCOME_UNKNOWN', 'ABORTED'] as const

function outcomeOf(error: GristmillError): AttemptOutcome {
  const { code, message, details } = error
  if (hasCode(error, ...goesOn)) return { ...failed('killed', message), failure: { code, message } }
  // The code makes the scheduler prefer other nodes. The cluster has started this process: if it does not believe it, the clock of the
  // machine is wrong.
  if (isOfMachine(error) || hasCode(error, 'UNAUTHENTICATED'))
    return { ...failed('killed', message), failure: { code: 'UNAVAILABLE', message: `the machine that ran the program has failed: ${message}` } }
  const { stack } = (details['failure'] ?? {}) as Partial<Failure>
  return { kind: 'failed', cause: 'program', failure: { code, message, ...stack !== undefined && { stack } }, counters: {}, isFinal: true }
}
