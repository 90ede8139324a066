// Executor process as its datanode sees it, with a fake process that the test controls.

import { expect, test } from 'vitest'
import { attemptId, jobId } from '../../../../src/base/ids.ts'
import type { Clock } from '../../../../src/ports/clock.ts'
import { silent } from '../../../../src/ports/log.ts'
import type { ChildOptions } from '../../../../src/ports/process.ts'
import type { TaskWork } from '../../../../src/protocol/task.ts'
import { Executor } from '../../../../datanode/executor/executor.ts'
import type { FromExecutor, Setup, ToExecutor } from '../../../../datanode/executor/messages.ts'

const MiB = 2 ** 20
const setup = { node: 'node-a', host: 'here' } as unknown as Setup

function started(memoryBytes = 100 * MiB) {
  let options: ChildOptions | undefined
  const timers = new Set<{ ms: number; work: () => void }>()
  const state = { killed: 0, resident: 50 * MiB, sent: [] as ToExecutor[], started: 0, gone: 0, output: [] as string[] }
  const clock = {
    after: (ms: number, work: () => void) => {
      const timer = { ms, work }
      timers.add(timer)
      return () => {
        timers.delete(timer)
      }
    },
  } as unknown as Clock
  const executor = new Executor({
    clock, log: silent, scratch: '.', cacheDir: '.', memoryBytes, writable: [],
    processes: {
      endStrays: async () => 0,
      start: given => {
        options = given
        return {
          pid: 7,
          send: message => {
            state.sent.push(message as ToExecutor)
          },
          kill: () => {
            state.killed++
          },
          residentBytes: () => state.resident,
        }
      },
    },
    onOutput: (_attempt, bytes) => {
      state.output.push(bytes.toString())
    },
    onStarted: () => {
      state.started++
    },
    onExit: () => {
      state.gone++
    },
  })
  const child = options!
  return {
    executor, state, child,
    says: (message: FromExecutor) => child.onMessage(message),
    /** Fires every timer of this length once. */
    pass: (ms: number) => { for (const timer of [...timers]) if (timer.ms === ms && timers.delete(timer)) timer.work() },
    timers,
  }
}

const workOf = (job: string, more: Partial<TaskWork> = {}): TaskWork =>
  ({ attempt: attemptId({ job: jobId(job), stage: 0, task: 0, attempt: 0 }), job: jobId(job), deadlineMs: 0, ...more }) as TaskWork
const done = (work: TaskWork): FromExecutor => ({
  kind: 'finished', attempt: work.attempt,
  outcome: { kind: 'done', counters: {}, output: { kind: 'files', files: [] } },
})

test('a process is worn after a hundred jobs, however many tasks each had', async () => {
  const { executor, says } = started()
  for (let i = 0; i < 100; i++) {
    expect(executor.isWorn).toBe(false)
    for (let task = 0; task < 3; task++) {
      const work = workOf(`job${i}`)
      const running = executor.run(work, setup)
      says(done(work))
      expect((await running)?.kind).toBe('done')
    }
  }
  expect([executor.isWorn, executor.isIdle]).toEqual([true, true])
})

test('an exit without a word is a failure of the program, with its code', async () => {
  const { executor, child, state, says } = started()
  const work = workOf('job')
  const running = executor.run(work, setup)
  says({ kind: 'began', attempt: work.attempt })
  child.onExit({ code: 0, signal: null })
  expect(await running).toMatchObject({ kind: 'failed', cause: 'program', failure: { message: expect.stringMatching(/exit code 0/) } })
  expect([executor.isIdle, state.gone]).toEqual([false, 1])
})

test('a new process that ends before it takes its task is a failed start: not counted, with the node and the error', async () => {
  for (const ready of [false, true]) {
    const { executor, child, state, says } = started()
    if (ready) says({ kind: 'ready' })
    const running = executor.run(workOf('job'), setup)
    child.onOutput(Buffer.from("node:internal/modules/cjs/loader:1386\n  throw err;\n\nError: Cannot find module '/x/main.js'\n    at x\n\nNode.js v24\n"), 'stderr')
    child.onExit({ code: 1, signal: null })
    expect(await running).toMatchObject({
      kind: 'failed', cause: 'killed',
      failure: {
        code: 'UNAVAILABLE',
        message: expect.stringMatching(/on datanode node-a \(here\): .*exit code 1 .*Cannot find module '\/x\/main.js'/),
      },
    })
    const { reason, output } = executor.startFailure!
    expect([reason, output]).toEqual([expect.stringContaining('Cannot find module'), expect.stringContaining('at x')])
    expect([executor.isIdle, state.started, state.gone]).toEqual([false, ready ? 1 : 0, 1])
  }
})

test('a spare that ends by itself before its first message is a failed start; one that was ended by its datanode, or was ready, is not', () => {
  const broken = started()
  broken.child.onExit({ code: null, signal: 'SIGBUS' })
  expect(broken.executor.startFailure?.reason).toContain('by SIGBUS before it took a task, without output')
  const retired = started()
  retired.executor.retire()
  retired.child.onExit({ code: null, signal: 'SIGKILL' })
  const ready = started()
  ready.says({ kind: 'ready' })
  ready.child.onExit({ code: null, signal: 'SIGKILL' })
  expect([retired.executor.startFailure, ready.executor.startFailure]).toEqual([undefined, undefined])
})

test('the end of a process between two tasks is not an outcome of the second one', async () => {
  for (const began of [false, true]) {
    const { executor, child, says } = started()
    const first = workOf('job1')
    const running = executor.run(first, setup)
    says(done(first))
    await running
    const second = workOf('job2')
    const next = executor.run(second, setup)
    says({ kind: 'began', attempt: first.attempt })
    if (began) says({ kind: 'began', attempt: second.attempt })
    child.onExit({ code: 1, signal: null })
    if (began) expect(await next).toMatchObject({ kind: 'failed', cause: 'program' })
    else expect(await next).toBe(undefined)
  }
})

test('a kill of a process that has not taken its attempt ends the attempt', async () => {
  const { executor, child, says } = started()
  const first = workOf('job1')
  const running = executor.run(first, setup)
  says(done(first))
  await running
  const next = executor.run(workOf('job2'), setup)
  executor.kill('the attempt was cancelled')
  child.onExit({ code: null, signal: 'SIGKILL' })
  expect(await next).toMatchObject({ kind: 'failed', cause: 'killed' })
})

test('a process that never takes its attempt is ended: a new one is a failed start, and a used one passes the task on', async () => {
  for (const isWarm of [false, true]) {
    const { executor, child, state, says, pass, timers } = started()
    if (isWarm) {
      const before = workOf('before')
      const running = executor.run(before, setup)
      says({ kind: 'began', attempt: before.attempt })
      says(done(before))
      await running
      // Had it been taken, nothing would happen at that time.
      pass(120_000)
      expect([state.killed, timers.size]).toEqual([0, 0])
    }
    const running = executor.run(workOf('job'), setup)
    pass(120_000)
    expect([state.killed, executor.isIdle]).toEqual([1, false])
    child.onExit({ code: null, signal: 'SIGKILL' })
    const outcome = await running
    if (isWarm) expect([outcome, executor.startFailure]).toEqual([undefined, undefined])
    else {
      const failure = { message: expect.stringContaining('did not begin within') }
      expect(outcome).toMatchObject({ kind: 'failed', cause: 'killed', failure })
      expect(executor.startFailure).toBeDefined()
    }
  }
  const { executor, state, says, pass } = started()
  const work = workOf('long')
  void executor.run(work, setup)
  says({ kind: 'began', attempt: work.attempt })
  pass(120_000)
  expect(state.killed).toBe(0)
})

test('a full heap is recognised by the runtime\'s last output', async () => {
  const heap = started()
  const first = heap.executor.run(workOf('job'), setup)
  heap.child.onOutput(Buffer.from('FATAL ERROR: Reached heap limit Allocation failed - JavaScript heap out of memory\n'), 'stderr')
  heap.child.onExit({ code: null, signal: 'SIGABRT' })
  expect(await first).toMatchObject({ cause: 'program', failure: { message: expect.stringMatching(/more than 100 MiB of memory.*heap/) } })
  expect(heap.state.output.join('')).toContain('FATAL ERROR')
  const crash = started()
  const work = workOf('job')
  const second = crash.executor.run(work, setup)
  crash.says({ kind: 'began', attempt: work.attempt })
  crash.says({ kind: 'doing', attempt: work.attempt, text: 'the model a.onnx has been given batch 3' })
  crash.child.onExit({ code: null, signal: 'SIGSEGV' })
  expect(await second).toMatchObject({ cause: 'program', failure: { message: expect.stringMatching(/SIGSEGV.*native.*; the model a\.onnx has been given batch 3$/) } })
})

test('the memory limit counts only the memory that the task adds to the process\'s own', async () => {
  const { executor, says, state, child, pass } = started()
  state.resident = 80 * MiB
  says({ kind: 'ready' })
  const running = executor.run(workOf('job'), setup)
  state.resident = 250 * MiB
  pass(50)
  expect(state.killed).toBe(0)
  state.resident = 300 * MiB
  pass(50)
  expect(state.killed).toBe(1)
  child.onExit({ code: null, signal: 'SIGKILL' })
  expect(await running).toMatchObject({ cause: 'program', failure: { message: expect.stringMatching(/more than 100 MiB of memory/) } })
})

test('the first reason counts: a deadline that passed is not undone by the end that came with it', async () => {
  const { executor, says, state, child, pass } = started()
  const work = workOf('job', { deadlineMs: 1234 })
  const running = executor.run(work, setup)
  pass(1234)
  expect(state.killed).toBe(1)
  says(done(work))
  child.onExit({ code: null, signal: 'SIGKILL' })
  expect(await running).toMatchObject({ kind: 'failed', cause: 'program', failure: { message: expect.stringMatching(/1\.2 s/) } })
})

test('after an attempt no timer is left, and words of an earlier attempt change nothing', async () => {
  const { executor, says, timers } = started()
  const work = workOf('job', { deadlineMs: 1000 })
  const running = executor.run(work, setup)
  expect(timers.size).toBe(3)
  says(done(workOf('another')))
  says({ kind: 'progress', attempt: workOf('another').attempt, counters: { recordsIn: 5 }, fraction: 1 })
  expect(executor.progress).toMatchObject({ counters: {}, fraction: 0 })
  says(done(work))
  await running
  expect([timers.size, executor.isIdle]).toEqual([0, true])
})

test('a process whose attempt failed gets no other one, and is ended', async () => {
  const { executor, says, state } = started()
  const work = workOf('job')
  const running = executor.run(work, setup)
  says({
    kind: 'finished', attempt: work.attempt,
    outcome: { kind: 'failed', cause: 'program', failure: { code: 'TASK_FAILED', message: 'no' }, counters: {} },
  })
  expect((await running)?.kind).toBe('failed')
  expect([executor.isIdle, state.killed]).toEqual([false, 1])
})
