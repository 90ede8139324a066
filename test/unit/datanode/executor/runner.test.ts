// Task runner of a datanode over fake processes that answer when the test says so: which process a kill reaches, and what is reported.

import { expect, test } from 'vitest'
import { MapOutputs } from '../../../../datanode/shuffle/mapoutputs.ts'
import type { FromExecutor, ToExecutor } from '../../../../datanode/executor/messages.ts'
import { TaskRunner } from '../../../../datanode/executor/runner.ts'
import type { TaskHost } from '../../../../datanode/ports.ts'
import { FramePool } from '../../../../src/block/ring.ts'
import { limits } from '../../../../src/base/limits.ts'
import { attemptId, clusterId, jobId, type AttemptId } from '../../../../src/base/ids.ts'
import type { DiskWriter } from '../../../../src/ports/disk.ts'
import { silent } from '../../../../src/ports/log.ts'
import type { ChildOptions } from '../../../../src/ports/process.ts'
import { driveMethod, scheduleRun, type TaskWork } from '../../../../src/protocol/task.ts'
import { systemRandom } from '../../../../src/world/random.ts'
import { ManualClock } from '../../../kit/manual-clock.ts'
import { MemoryDisk } from '../../../kit/memory-disk.ts'
import { checked } from '../../checked.ts'

/** Log files of attempts stay open until the test closes them. */
class SlowLogs extends MemoryDisk {
  readonly closing: Array<() => void> = []

  override async openAppend(path: string): Promise<DiskWriter> {
    const writer = await super.openAppend(path)
    const close = writer.close.bind(writer)
    writer.close = () => new Promise(resolve => { this.closing.push(() => resolve(close())) })
    return writer
  }
}

async function started(slots: number, logs: MemoryDisk = new SlowLogs()) {
  const disk = logs as SlowLogs
  const running = new Map<AttemptId, { options: ChildOptions; pid: number; memoryBytes: number }>()
  const told: Array<[AttemptId, string]> = []
  const killed: number[] = []
  let pids = 0
  const processes = {
    endStrays: async () => 0,
    start: (options: ChildOptions) => {
      const pid = ++pids
      return {
        pid, residentBytes: () => 0,
        send: (message: unknown) => {
          const sent = message as ToExecutor
          if (sent.kind === 'run') running.set(sent.work.attempt, { options, pid, memoryBytes: sent.setup.memoryBytes })
        },
        kill: () => {
          killed.push(pid)
          queueMicrotask(() => options.onExit({ code: null, signal: 'SIGKILL' }))
        },
      }
    },
  }
  const call = async (_: unknown, message: { name: string }, { attempt, outcome }: { attempt: AttemptId; outcome: { kind: string } }) => {
    if (message.name === 'task.finished') told.push([attempt, outcome.kind])
    return { committed: true, kill: [] }
  }
  const host = {
    world: { clock: new ManualClock(), random: systemRandom(), log: silent, disk, processes },
    node: 'n', host: 'h', rack: '/r', namenode: 'n:1', dir: '/node', slots, memoryBytes: 1 << 20, secret: Buffer.alloc(32),
    cluster: () => clusterId('c'), nowMs: () => 0, session: () => 1, caller: () => ({ call }),
  } as unknown as TaskHost
  const outputs = await MapOutputs.open({ disk, dir: '/node', pool: new FramePool(), log: silent })
  const runner = checked(await TaskRunner.open(host, outputs, new URL('file:///driver.ts')))
  return { runner, disk, running, told, killed }
}

const id = (task: number): AttemptId => attemptId({ job: jobId('job-1'), stage: 0, task, attempt: 0 })
const workOf = (task: number): TaskWork => ({
  attempt: id(task), job: jobId('job-1'), user: 'ann', program: { id: 'p' }, params: {}, memoryBytes: 0, deadlineMs: 0,
  output: { kind: 'files' },
}) as unknown as TaskWork
const turns = async (): Promise<void> => { for (let i = 0; i < 10; i++) await new Promise(resolve => { setImmediate(resolve) }) }

test('a kill of an attempt that has ended, and whose log is being closed, does not reach the next attempt of its process', async () => {
  const { runner, disk, running, told, killed } = await started(2)
  runner.run(workOf(0))
  await turns()
  const { options, pid } = running.get(id(0))!
  options.onOutput(Buffer.from('a line'), 'stderr')
  await turns()
  const done = (task: number): FromExecutor =>
    ({ kind: 'finished', attempt: id(task), outcome: { kind: 'done', counters: {}, output: { kind: 'files', files: [] } } })
  options.onMessage(done(0))
  await turns()
  runner.run(workOf(1))
  await turns()
  // The second attempt has the process of the first, which still occupies its slot.
  expect([disk.closing.length, runner.running(), running.get(id(1))!.pid]).toEqual([1, [id(0), id(1)], pid])
  runner.kill(id(0))
  await turns()
  expect([killed, told]).toEqual([[], []])
  disk.closing[0]!()
  await turns()
  expect([told, runner.running()]).toEqual([[[id(0), 'done']], [id(1)]])
  options.onMessage(done(1))
  await turns()
  expect([told.at(-1), runner.freeSlots()]).toEqual([[id(1), 'done'], 2])
  await runner.stop()
})

test('a query that ran out of memory runs once more with the memory of all slots, alone; other attempts wait for it', async () => {
  const { runner, running, told } = await started(3, new MemoryDisk())
  const query = (task: number, memoryBytes = 0): TaskWork =>
    ({ ...workOf(task), memoryBytes, program: { id: 'sql' } }) as unknown as TaskWork
  const finish = async (task: number, message?: string): Promise<void> => {
    const outcome = message === undefined
      ? { kind: 'done' as const, counters: {}, output: { kind: 'files' as const, files: [] } }
      : { kind: 'failed' as const, cause: 'program' as const, counters: {}, failure: { code: 'PROGRAM_INVALID', message } }
    running.get(id(task))!.options.onMessage({ kind: 'finished', attempt: id(task), outcome } as FromExecutor)
    await turns()
  }
  const memoryOf = (task: number): number => running.get(id(task))!.memoryBytes
  const short = 'the query needs more memory than the 716.8 KiB that it may have'
  runner.run(query(0))
  runner.run(query(1))
  runner.run(workOf(2))
  await turns()
  expect(memoryOf(0)).toBe(1 << 20)
  await finish(0, short)
  runner.run(workOf(3))
  await turns()
  expect([told, runner.freeSlots(), memoryOf(0), running.has(id(3))]).toEqual([[], 0, 1 << 20, false])
  // The second one is out of memory, too: both wait for the third, then one for the other.
  await finish(1, short)
  await finish(2)
  expect([told, memoryOf(0), memoryOf(1)]).toEqual([[[id(2), 'done']], 3 << 20, 1 << 20])
  await finish(0)
  expect([told.length, memoryOf(1), running.has(id(3))]).toEqual([2, 3 << 20, false])
  // Still not enough: that is the end of the attempt.
  await finish(1, short)
  expect([told.at(-1), running.has(id(3)), runner.freeSlots()]).toEqual([[id(1), 'failed'], true, 2])
  // Memory that a user has given is the bound, and a program is no query.
  runner.run(query(4, 1 << 20))
  runner.run({ ...workOf(5) })
  await turns()
  await finish(4, short)
  await finish(5, short)
  expect(told.slice(-2)).toEqual([[id(4), 'failed'], [id(5), 'failed']])
  // A kill ends the wait.
  runner.run(query(6))
  await turns()
  await finish(6, short)
  runner.kill(id(6))
  await turns()
  expect([told.at(-1), runner.freeSlots()]).toEqual([[id(6), 'failed'], 2])
  await finish(3)
  await runner.stop()
})

test('a node keeps the logs of the last attempts of a job that follows a schedule, and those of other jobs', async () => {
  const { runner, disk, running, told } = await started(1, new MemoryDisk())
  const build = (job: string, attempt: number): AttemptId => attemptId({ job: jobId(job), stage: 0, task: 0, attempt })
  const follow = async (job: string, attempt: number): Promise<void> => {
    const at = build(job, attempt)
    runner.run({ ...workOf(0), attempt: at, job: jobId(job), driver: { id: scheduleRun('s'), method: driveMethod } } as unknown as TaskWork)
    await turns()
    const { options } = running.get(at)!
    options.onOutput(Buffer.from('the build has ended'), 'stdout')
    options.onMessage({ kind: 'finished', attempt: at, outcome: { kind: 'later', atMs: 1, counters: {} } } satisfies FromExecutor)
    await turns()
    expect(told.at(-1)).toEqual([at, 'later'])
  }
  await follow('job-2', 0)
  for (let attempt = 0; attempt < limits.attemptsKeptMax + 5; attempt++) await follow('job-1', attempt)
  const logs = async (job: string): Promise<string[]> => (await disk.list(`/node/logs/${job}`)).map(({ name }) => name)
  expect([(await logs('job-1')).length, await logs('job-2')]).toEqual([limits.attemptsKeptMax, [`${build('job-2', 0)}.log`]])
  await runner.stop()
})
