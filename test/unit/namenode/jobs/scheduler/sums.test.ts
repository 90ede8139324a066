// Bounds, sums and rare reports of the scheduler, one at a time: off-by-one errors that a user who watches a job or waits for a slot would
// see.

import { expect, test } from 'vitest'
import type { Effect, Event } from '../../../../../namenode/jobs/scheduler/event.ts'
import type { RunningJob, StageState, TaskState } from '../../../../../namenode/jobs/scheduler/state.ts'
import { jobStatus, taskStatus } from '../../../../../namenode/jobs/status.ts'
import { noteDuration } from '../../../../../namenode/jobs/scheduler/speculation.ts'
import { checkSpec } from '../../../../../namenode/jobs/spec.ts'
import { workFor } from '../../../../../namenode/jobs/work.ts'
import { address, attemptId, attemptParts, jobId, nodeId, type AttemptId, type JobId, type NodeId } from '../../../../../src/base/ids.ts'
import { limits } from '../../../../../src/base/limits.ts'
import type { JobSpec, StageSpec } from '../../../../../src/protocol/job.ts'
import type { Split } from '../../../../../src/protocol/task.ts'
import { Bench, doneReport, specOf } from './kit.ts'

const [a, b, c] = ['a', 'b', 'c'].map(nodeId) as [NodeId, NodeId, NodeId]

/** A bench with nodes of one slot each, and short names for frequent actions. */
class Play extends Bench {
  readonly runs: AttemptId[] = []
  readonly kills: AttemptId[] = []

  constructor(nodes: readonly NodeId[] = [a], slots = 1) {
    super()
    this.apply({ kind: 'opened' })
    for (const node of nodes) this.join(node, slots)
  }

  override apply(event: Event): Effect[] {
    const effects = super.apply(event)
    for (const effect of effects) {
      if (effect.kind === 'run') this.runs.push(effect.attempt)
      if (effect.kind === 'kill') this.kills.push(effect.attempt)
    }
    return effects
  }

  join(node: NodeId, slots = 1, attempts: AttemptId[] = [], rack = 'r'): Effect[] {
    return this.apply({ kind: 'joined', node, rack, host: node, slots, attempts })
  }
  start(maps: number, more: { reduces?: number; attemptsMax?: number; places?: string[][] } = {}): RunningJob {
    const { reduces = 0, attemptsMax = 4, places = Array.from({ length: maps }, () => []) } = more
    return this.machine.jobs.get(this.submit({ maps, reduces, attemptsMax }, places.map(each => each.map(nodeId))).job)!
  }
  specOf(attempt: AttemptId) { return this.kept.get(attemptParts(attempt).job)!.spec }
  done(node: NodeId, attempt: AttemptId, counters?: Record<string, number>): Effect[] {
    return this.apply({ kind: 'finished', ...doneReport(node, attempt, this.specOf(attempt), counters) })
  }
  fail(node: NodeId, attempt: AttemptId, more: object = {}): Effect[] {
    return this.apply({
      kind: 'finished', node, attempt,
      outcome: { kind: 'failed', cause: 'program', failure: { code: 'TASK_FAILED', message: 'no' }, counters: {}, ...more },
    } as Event)
  }
  pass(ms: number): Effect[] {
    this.at = { nowMs: this.at.nowMs + ms, monoMs: this.at.monoMs + ms }
    return this.apply({ kind: 'tick' })
  }
  /** Completes all journal effects. */
  settleAll(): void { while (this.waiting.length > 0) this.settle() }
}

const kindsOf = (effects: readonly Effect[]): string[] => effects.map(effect => effect.kind).filter(kind => kind !== 'changed')
const answers = (effects: readonly Effect[]): boolean[] => effects.flatMap(effect => (effect.kind === 'answer' ? [effect.committed] : []))
const idOf = (job: RunningJob, stage: number, task: number, attempt: number): AttemptId => attemptId({ job: job.id, stage, task, attempt })

test('while its job ends, the attempt that won is told so when it asks again, and one that did not is told that', () => {
  const play = new Play([a, b])
  const job = play.start(2)
  const [won, other] = [play.runs[0]!, play.runs[1]!]
  play.done(a, won)
  play.settleAll()
  play.apply({ kind: 'kill', job: job.id })
  expect(answers(play.done(a, won))).toEqual([true])
  expect(answers(play.done(b, other))).toEqual([false])
})

test('a map output on a node that is lost is not committed, however late the node says that it is done', () => {
  const play = new Play([a, b])
  const job = play.start(1, { reduces: 1, places: [['a']] })
  expect(play.runs).toEqual([idOf(job, 0, 0, 0)])
  play.apply({ kind: 'lost', node: a })
  expect(play.runs).toHaveLength(2)
  const late = play.done(a, play.runs[0]!)
  expect([answers(late), kindsOf(late)]).toEqual([[false], ['answer']])
  expect(kindsOf(play.done(b, play.runs[1]!))).toEqual(['commit'])
})

test('a reducer that misses map outputs takes back those of its own job only, and only those that are still the winners', () => {
  const play = new Play([a, b], 2)
  const first = play.start(1, { reduces: 1 })
  play.done(a, play.runs[0]!)
  play.settleAll()
  const second = play.start(1, { reduces: 1 })
  const [mine] = play.runs.filter(run => attemptParts(run).job === second.id)
  play.done(play.machine.jobs.get(second.id)!.stages[0]!.tasks[0]!.attempts[0]!.node, mine!)
  play.settleAll()
  const reducer = second.stages[1]!.tasks[0]!.attempts[0]!
  const missing = [first.stages[0]!.tasks[0]!.won!.attempt, idOf(second, 0, 0, 7)]
  const effects = play.fail(reducer.node, reducer.id, { cause: 'fetch', missing })
  expect(kindsOf(effects)).not.toContain('lose')
  expect([first.stages[0]!.done, second.stages[0]!.done]).toEqual([1, 1])
  const again = second.stages[1]!.tasks[0]!.attempts.at(-1)!
  expect(kindsOf(play.fail(again.node, again.id, { cause: 'fetch', missing: [mine!] }))).toContain('lose')
})

test('a report of another kind of output than the task has is not believed', () => {
  const play = new Play()
  const job = play.start(1, { reduces: 1 })
  const wrong = { ...doneReport(a, play.runs[0]!, specOf({ maps: 1, reduces: 0 })) }
  expect(answers(play.apply({ kind: 'finished', ...wrong }))).toEqual([false])
  expect(job.stages[0]!.tasks[0]!).toMatchObject({ state: 'running', losses: 1 })
})

test('a fraction is kept between nothing and all, and a stage\'s sum follows its attempts', () => {
  const play = new Play([a], 2)
  const job = play.start(2)
  const [stage] = job.stages
  const say = (attempt: AttemptId, fraction: number): void =>
    void play.apply({ kind: 'progressed', node: a, attempts: [{ attempt, counters: { n: 1 }, fraction }] })
  say(play.runs[0]!, 5)
  say(play.runs[1]!, -3)
  expect([stage!.fraction, jobStatus(job).stages[0]!.fraction]).toEqual([1, 0.5])
  say(play.runs[0]!, 0.25)
  say(play.runs[1]!, 0.5)
  expect([stage!.fraction, jobStatus(job).stages[0]!.fraction]).toEqual([0.75, 0.375])
  play.done(a, play.runs[0]!)
  expect(stage!.fraction).toBe(0.5)
  play.settleAll()
  expect(jobStatus(job).stages[0]!.fraction).toBe(0.75)
  play.done(a, play.runs[1]!)
  expect(stage!.fraction).toBe(0)
  play.settleAll()
})

test('an attempt is given up when its node has not mentioned it for exactly so long, and each mention counts', () => {
  const play = new Play()
  const job = play.start(1)
  const [attempt] = job.stages[0]!.tasks[0]!.attempts
  play.pass(limits.attemptSilentMs - 1)
  play.apply({ kind: 'progressed', node: a, attempts: [{ attempt: attempt!.id, counters: {}, fraction: 0 }] })
  play.pass(limits.attemptSilentMs - 1)
  expect(attempt!.state).toBe('running')
  play.pass(1)
  expect(attempt!.state).toBe('lost')
  expect(play.kills).toEqual([attempt!.id])
})

test('a killed attempt holds its slot until its node says that it is over, but no longer than so long', () => {
  const play = new Play()
  const job = play.start(1)
  play.apply({ kind: 'kill', job: job.id })
  play.settleAll()
  const next = play.start(1)
  expect(next.running).toBe(0)
  play.pass(limits.killSilentMs - 1)
  expect(next.running).toBe(0)
  play.pass(1)
  expect(next.running).toBe(1)
  const other = new Play()
  const killed = other.start(1)
  other.apply({ kind: 'kill', job: killed.id })
  other.settleAll()
  const after = other.start(1)
  other.fail(a, other.runs[0]!, { cause: 'killed' })
  expect(after.running).toBe(1)
})

test('a commit that the journal refuses is a failed attempt, with the reason, and the task runs again', () => {
  const play = new Play()
  const job = play.start(1)
  play.done(a, play.runs[0]!)
  const commit = play.waiting.shift()! as Effect & { kind: 'commit' }
  const failure = { code: 'CORRUPT', message: 'not there' }
  expect(answers(play.apply({ kind: 'committed', record: commit.record, refused: failure }))).toEqual([false])
  expect(jobStatus(job).stages[0]).toMatchObject({ failedAttempts: 1, done: 0, running: 1 })
  expect(taskStatus(job.stages[0]!, job.stages[0]!.tasks[0]!).attempts[0]).toMatchObject({ state: 'failed', failure })
})

test('what an attempt counted is shown when it has failed, and one that its node killed is shown as killed, with the reason', () => {
  const play = new Play()
  const job = play.start(1)
  const shown = () => taskStatus(job.stages[0]!, job.stages[0]!.tasks[0]!).attempts
  play.fail(a, play.runs[0]!, { counters: { recordsIn: 5 } })
  play.fail(a, play.runs[1]!, { cause: 'killed', failure: { code: 'ABORTED', message: 'memory' } })
  expect(shown().slice(0, 2)).toMatchObject([
    { state: 'failed', counters: { recordsIn: 5 } },
    { state: 'killed', failure: { message: 'memory' } },
  ])
  expect(jobStatus(job).stages[0]!.failedAttempts).toBe(1)
})

test('a job fails at its last try and not before, and at its last loss and not before', () => {
  for (const attemptsMax of [1, 3]) {
    const play = new Play()
    const job = play.start(1, { attemptsMax })
    for (let n = 0; n < attemptsMax; n++) {
      expect(job.state).toBe('running')
      play.fail(a, play.runs[n]!)
    }
    expect(job.state).toBe('ending')
  }
  const play = new Play()
  const job = play.start(1)
  for (let n = 0; n < limits.lossesMax; n++) {
    expect(job.state).toBe('running')
    play.fail(a, play.runs[n]!, { cause: 'killed' })
  }
  expect(job.state).toBe('ending')
})

test('a job stays away from a node where four of its attempts have failed, but never from more than a third of the nodes', () => {
  const nodes = Array.from({ length: 6 }, (_, i) => nodeId(`n${i}`))
  const play = new Play(nodes)
  const job = play.start(40, { attemptsMax: 100 })
  const failOn = (node: NodeId, times: number): void => {
    for (let n = 0; n < times; n++) {
      const attempt = job.stages[0]!.tasks.flatMap(task => task.attempts).find(each => each.node === node && each.state === 'running')
      if (attempt) play.fail(node, attempt.id)
    }
  }
  failOn(nodes[0]!, 3)
  expect(job.avoid.size).toBe(0)
  failOn(nodes[0]!, 1)
  failOn(nodes[1]!, 4)
  expect([...job.avoid]).toEqual([nodes[0], nodes[1]])
  failOn(nodes[2]!, 4)
  expect([...job.avoid]).toEqual([nodes[0], nodes[1]])
  const running = (): NodeId[] =>
    job.stages[0]!.tasks.flatMap(task => task.attempts)
      .filter(each => each.state === 'running')
      .map(each => each.node)
  expect(running()).not.toContain(nodes[0])
  expect(running()).toContain(nodes[2])
})

test('a task that still runs elsewhere is not put back when another attempt of it fails', () => {
  const play = new Play([a, b])
  const job = play.start(1, { places: [['a']] })
  play.apply({ kind: 'stale', node: a })
  expect(play.runs).toHaveLength(2) // a speculative attempt
  play.fail(b, play.runs[1]!)
  expect(job.stages[0]!).toMatchObject({ waiting: 0, running: 1 })
})

test('a restarted namenode shows the sums of what was committed, and waits for its outputs so long and no longer', () => {
  const play = new Play([a, b], 2)
  const job = play.start(2, { reduces: 1, places: [['a'], ['b']] })
  play.pass(50)
  play.fail(a, play.runs[0]!)
  play.pass(100)
  const [first, second] = job.stages[0]!.tasks.map(task => task.attempts.find(each => each.state === 'running')!)
  play.done(second!.node, second!.id, { records: 3 })
  play.pass(100)
  play.done(first!.node, first!.id, { records: 4 })
  const started = jobStatus(job).stages[0]!.startedMs
  while (play.waiting.length > 0) play.settle()
  const before = jobStatus(job).stages[0]!
  // The same sums in whatever order its tasks are read.
  const { tasks } = play.kept.get(job.id)!
  const records = [...tasks]
  tasks.clear()
  for (const [key, record] of records.reverse()) tasks.set(key, record)
  play.restart()
  expect(jobStatus(play.machine.jobs.get(job.id)!).stages[0]).toMatchObject({ startedMs: started, finishedMs: before.finishedMs })
  tasks.clear()
  for (const [key, record] of records.reverse()) tasks.set(key, record)
  play.restart()
  const resumed = play.machine.jobs.get(job.id)!
  expect(jobStatus(resumed).stages[0]).toMatchObject({
    state: 'done', done: 2, failedAttempts: before.failedAttempts, counters: { records: 7 }, finishedMs: before.finishedMs,
  })
  expect(jobStatus(resumed).stages[0]!.startedMs).toBe(started)
  expect(jobStatus(resumed).stages[0]!.startedMs).toBe(Math.min(...resumed.stages[0]!.tasks.map(task => task.won!.startedMs)))
  play.apply({ kind: 'opened' })
  play.join(c, 1)
  expect(resumed.stages[1]!.running).toBe(0)
  play.pass(limits.nodeDeadMs * 2 - 1)
  expect(resumed.stages[0]!.done).toBe(2)
  play.pass(1)
  expect(resumed.stages[0]!.done).toBe(0)
})

test('a node that was away when a job ended is told once to forget it', () => {
  const play = new Play([a, b])
  const job = play.start(1, { places: [['a']] })
  play.apply({ kind: 'lost', node: a })
  play.done(b, play.runs[1]!)
  const forgotten: NodeId[] = []
  const note = (effects: readonly Effect[]): void => {
    for (const effect of effects) if (effect.kind === 'forget') forgotten.push(effect.node)
  }
  while (play.waiting.length > 0) note(play.settle())
  expect(forgotten).toEqual([b])
  note(play.join(a))
  expect(forgotten).toEqual([b, a])
  note(play.join(a))
  expect(forgotten).toEqual([b, a])
  expect(play.machine.jobs.has(job.id)).toBe(false)
})

test('the output of a committed task that is lost leaves no trace in the sums', () => {
  const play = new Play([a, b])
  const job = play.start(2, { reduces: 1, places: [['a'], ['b']] })
  play.done(a, play.runs[0]!, { records: 3, once: 1 })
  play.settleAll()
  play.apply({ kind: 'lost', node: a })
  expect(jobStatus(job)).toMatchObject({ stages: [{ done: 0, state: 'running' }, {}] })
  expect([jobStatus(job).counters, jobStatus(job).stages[0]!.counters]).toEqual([{}, {}])
  expect([...job.stages[0]!.outputBytes]).toEqual([])
})

test('fractional counters have one sum, whatever the order of commits, of losses and of a restart', () => {
  const values = [0.1, 1e16, -0.3, 1 / 3, -1e16, 7]
  const counted = (order: readonly number[], between: (play: Play, job: RunningJob) => RunningJob = (_, job) => job): unknown => {
    const play = new Play([a, b], values.length * 4)
    let job = play.start(values.length, { reduces: 1, places: values.map(() => ['a']) })
    const commit = (node: NodeId, task: number, counters: Record<string, number>): void => {
      const { id } = job.stages[0]!.tasks[task]!.attempts.find(each => each.state === 'running' && each.node === node)!
      play.done(node, id, counters)
      play.settleAll()
    }
    for (const task of order) {
      const running = job.stages[0]!.tasks[task]!.attempts.find(each => each.state === 'running')!
      commit(running.node, task, { sum: values[task]!, nothing: task === 0 ? 0 : 1, zero: 0 })
      if (task === order[3]) job = between(play, job)
    }
    const status = jobStatus(job)
    expect(status.stages[0]!.done).toBe(values.length)
    expect(status.counters).toEqual(status.stages[0]!.counters)
    return status.counters
  }
  const wanted = { sum: 7.133333333333334, nothing: 5, zero: 0 }
  for (const order of [[0, 1, 2, 3, 4, 5], [5, 4, 3, 2, 1, 0], [1, 0, 4, 2, 5, 3], [3, 1, 5, 0, 2, 4]]) {
    expect(counted(order)).toEqual(wanted)
    // The journal's tasks come in order of their numbers.
    expect(counted(order, (play, { id }) => {
      play.restart()
      play.apply({ kind: 'opened' })
      play.join(a, values.length * 4)
      return play.machine.jobs.get(id)!
    })).toEqual(wanted)
  }
  // A counted task that is lost is subtracted, and counted again elsewhere.
  const play = new Play([a, b], 2)
  const job = play.start(3, { reduces: 1, places: [['a'], ['b'], ['b']] })
  const [first, second, third] = [0, 1, 2].map(task => play.runs.find(run => attemptParts(run).task === task)!) as [
    AttemptId, AttemptId, AttemptId,
  ]
  play.done(a, first, { sum: 1e16, zero: 1 })
  play.done(b, second, { sum: 0.1, zero: -1 })
  play.settleAll()
  play.apply({ kind: 'lost', node: a })
  play.settleAll()
  expect(jobStatus(job).counters).toEqual({ sum: 0.1, zero: -1 })
  play.done(b, third, { sum: 0.2, zero: 1 })
  play.settleAll()
  expect(jobStatus(job).counters).toEqual({ sum: 0.1 + 0.2, zero: 0 })
})

test('a namenode that starts again takes attempts of its earlier life over, but no number that it may give out itself', () => {
  const play = new Play([a, b])
  const job = play.start(2)
  play.restart()
  const resumed = play.machine.jobs.get(job.id)!
  play.apply({ kind: 'opened' })
  const own = idOf(job, 0, 1, resumed.firstAttempt)
  play.join(a, 1, [play.runs[0]!])
  expect(resumed.stages[0]!.tasks[0]!.attempts.map(each => [each.id, each.state])).toEqual([[play.runs[0], 'running']])
  expect(resumed.stages[0]!).toMatchObject({ waiting: 1, running: 1 })
  play.kills.length = 0
  play.join(b, 0, [own])
  expect(play.kills).toEqual([own])
  // One of two attempts of a task on one node is surplus.
  play.join(a, 1, [play.runs[0]!, idOf(job, 0, 0, 5)])
  expect(play.kills).toEqual([own, idOf(job, 0, 0, 5)])
})

test('an attempt of an earlier life is not taken over while another one of its task is being committed', () => {
  const play = new Play([a, b])
  const job = play.start(1)
  play.restart()
  play.apply({ kind: 'opened' })
  play.join(a, 1, [])
  const resumed = play.machine.jobs.get(job.id)!
  const running = resumed.stages[0]!.tasks[0]!.attempts.at(-1)!
  play.done(a, running.id)
  play.kills.length = 0
  play.apply({ kind: 'joined', node: b, rack: 'r', host: 'b', slots: 1, attempts: [idOf(job, 0, 0, 0)] })
  expect(play.kills).toEqual([idOf(job, 0, 0, 0)])
})

/** A stage of tasks on nodes of a slot each; all but the last task are done after `doneMs`. */
function nearlyDone(tasks: number, doneMs: number): { play: Play; stage: StageState; last: TaskState; node: NodeId } {
  const nodes = Array.from({ length: tasks }, (_, i) => nodeId(`n${i}`))
  const play = new Play(nodes)
  const job = play.start(tasks)
  play.pass(doneMs)
  const [stage] = job.stages
  for (const task of stage!.tasks.slice(0, -1)) play.done(task.attempts[0]!.node, task.attempts[0]!.id)
  play.settleAll()
  const last = stage!.tasks.at(-1)!
  return { play, stage: stage!, last, node: last.attempts[0]!.node }
}

test('near the end of a stage an attempt gets a twin when it has taken half as long again as the median, and two seconds at the least', () => {
  const slow = nearlyDone(4, 4_000)
  slow.play.pass(1_999)
  expect(slow.last.attempts).toHaveLength(1)
  slow.play.pass(1)
  expect(slow.last.attempts).toHaveLength(2)
  expect(slow.last.attempts[1]!.node).not.toBe(slow.node)
  const quick = nearlyDone(4, 100)
  quick.play.pass(1_899)
  expect(quick.last.attempts).toHaveLength(1)
  quick.play.pass(1)
  expect(quick.last.attempts).toHaveLength(2)
})

test('an attempt that will be over before a twin could be gets none, and twins are few', () => {
  const { play, last, stage } = nearlyDone(4, 4_000)
  play.apply({
    kind: 'progressed', node: last.attempts[0]!.node,
    attempts: [{ attempt: last.attempts[0]!.id, counters: {}, fraction: 0.9 }],
  })
  play.pass(10_000) // 14 s for nine tenths: about 1.5 s remain
  expect(last.attempts).toHaveLength(1)
  play.apply({
    kind: 'progressed', node: last.attempts[0]!.node,
    attempts: [{ attempt: last.attempts[0]!.id, counters: {}, fraction: 0.5 }],
  })
  play.pass(0)
  expect([last.attempts.length, stage.speculative]).toEqual([2, 1])
  play.done(last.attempts[1]!.node, last.attempts[1]!.id)
  expect(stage.speculative).toBe(0)
  // With a quarter of the tasks unfinished, slow ones cannot be told apart.
  const nodes = ['w', 'x', 'y', 'z'].map(nodeId)
  const early = new Play(nodes)
  const job = early.start(4)
  early.pass(1_000)
  for (const task of job.stages[0]!.tasks.slice(0, 2)) early.done(task.attempts[0]!.node, task.attempts[0]!.id)
  early.settleAll()
  early.pass(20_000)
  expect(early.runs).toHaveLength(4)
})

test('of the ended attempts of a task a few are kept, among them the one that is being committed and the one that won', () => {
  const play = new Play([a], 1)
  const job = play.start(1, { attemptsMax: 100 })
  const [task] = job.stages[0]!.tasks
  for (let n = 0; n < limits.attemptsKeptMax + 5; n++) play.fail(a, play.runs[n]!)
  expect(task!.attempts.length).toBeLessThanOrEqual(limits.attemptsKeptMax + 1)
  const last = play.runs.at(-1)!
  play.done(a, last)
  expect(task!.attempts.some(each => each.id === last)).toBe(true)
  play.settleAll()
  const kept = play.kept.get(job.id)!.tasks.get('0.0')!
  expect(kept.won!.attempt).toBe(last)
  expect(kept.others.map(each => each.attempt)).not.toContain(last)
  expect(kept.others.length).toBeLessThanOrEqual(limits.attemptsKeptMax)
})

test('an attempt that still runs is kept among those of its task, however many others have come and gone since', () => {
  const play = new Play([a, b], 1)
  const job = play.start(1, { attemptsMax: 100 })
  const [task] = job.stages[0]!.tasks
  const [first] = play.runs
  expect(task!.attempts[0]!.node).toBe(a)
  // Its node is stale, so that a speculative attempt runs beside it; each is killed on its node.
  play.apply({ kind: 'stale', node: a })
  for (let n = 1; n <= limits.attemptsKeptMax + 3; n++) {
    expect(play.runs).toHaveLength(n + 1)
    play.apply({
      kind: 'finished', node: b, attempt: play.runs[n]!,
      outcome: { kind: 'failed', cause: 'killed', failure: { code: 'ABORTED', message: 'no' }, counters: {} },
    })
  }
  expect(task!.attempts.filter(each => each.state === 'running').map(each => each.id)).toEqual([first, play.runs.at(-1)])
  expect(task!.attempts.length).toBeLessThanOrEqual(limits.attemptsKeptMax + 1)
})

test('a stage without tasks is nothing done until it is done, and a failure is shown with the end that it caused, not before', () => {
  const play = new Play([a], 1)
  const job = play.start(1, { reduces: 1, attemptsMax: 1 })
  expect(jobStatus(job).stages.map(each => each.fraction)).toEqual([0, 0])
  play.fail(a, play.runs[0]!)
  expect(jobStatus(job).failure).toBeUndefined()
  const finish = play.waiting.at(-1) as Effect & { kind: 'finish' }
  expect(finish.status).toMatchObject({ state: 'failed', failure: { code: 'TASK_FAILED' }, stages: [{ state: 'failed' }, {}] })
  expect(taskStatus(job.stages[0]!, job.stages[0]!.tasks[0]!).state).toBe('failed')
  const empty = new Play()
  const nothing = empty.start(0)
  expect(jobStatus(nothing).stages[0]).toMatchObject({ tasks: 0, fraction: 1, state: 'done' })
})

test('idle nodes are served first, then those with most of what is to be read', () => {
  const play = new Play([], 1)
  const [x, y] = [nodeId('x'), nodeId('y')]
  play.join(y, 2)
  play.join(x, 1)
  const job = play.start(3, { reduces: 1, places: [['y'], ['y'], ['x']] })
  for (const task of job.stages[0]!.tasks) {
    const attempt = task.attempts[0]!
    const report = doneReport(attempt.node, attempt.id, play.specOf(attempt.id))
    play.apply({ kind: 'finished', ...report })
  }
  play.settleAll()
  expect(job.stages[1]!.tasks[0]!.attempts[0]!.node).toBe(y) // it has two of three outputs
})

test('locality is told as it is: on the node, in its rack, or anywhere, by nodes that are not lost', () => {
  const play = new Play([], 1)
  play.join(a, 0, [], 'r')
  play.join(b, 1, [], 'r')
  play.join(c, 1, [], 's')
  play.apply({ kind: 'lost', node: a })
  const job = play.start(2, { places: [['a'], ['a']] })
  expect(job.stages[0]!.tasks.map(task => task.attempts[0]!.locality)).toEqual(['any', 'any'])
  const other = new Play([], 1)
  other.join(a, 0, [], 'r')
  other.join(b, 1, [], 'r')
  const near = other.start(1, { places: [['a']] })
  for (let n = 0; n < 3; n++) other.apply({ kind: 'offered', node: b })
  expect(near.running).toBe(0)
  other.apply({ kind: 'offered', node: b })
  expect(near.stages[0]!.tasks[0]!.attempts[0]!.locality).toBe('rack')
})

test('a task that waits to run again and turns out to be done does not wait any more', () => {
  const play = new Play()
  const job = play.start(2)
  play.apply({ kind: 'lost', node: a })
  expect(job.stages[0]!.waiting).toBe(2)
  play.done(a, play.runs[0]!)
  expect(job.stages[0]!.waiting).toBe(1)
  play.settleAll()
  play.join(a)
  play.done(a, play.runs.at(-1)!)
  play.settleAll()
  expect([play.runs.length, play.machine.jobs.has(job.id)]).toEqual([2, false])
})

test('a node that goes on with an attempt that is over is told to end it, and one whose attempt is being committed is not', () => {
  const play = new Play([a, b])
  play.start(2)
  play.fail(a, play.runs[0]!)
  const say = (node: NodeId, attempt: AttemptId): void =>
    void play.apply({ kind: 'progressed', node, attempts: [{ attempt, counters: {}, fraction: 0 }] })
  say(a, play.runs[0]!)
  expect(play.kills).toEqual([play.runs[0]])
  play.done(b, play.runs[1]!)
  say(b, play.runs[1]!)
  expect(play.kills).toEqual([play.runs[0]])
})

test('of two attempts that are done at nearly the same time the second is over, and does not run any more', () => {
  const play = new Play([a, b])
  const job = play.start(1, { places: [['a']] })
  play.apply({ kind: 'stale', node: a })
  play.done(a, play.runs[0]!)
  expect(job.running).toBe(1)
  expect(answers(play.done(b, play.runs[1]!))).toEqual([false])
  expect([job.running, job.stages[0]!.running]).toEqual([0, 0])
  expect(job.stages[0]!.tasks[0]!.attempts.map(each => each.state)).toEqual(['done', 'killed'])
})

test('a task goes back to a node where it has failed when no other one can take it: without slots, or avoided by its job', () => {
  const play = new Play([a])
  play.join(b, 0)
  const job = play.start(1)
  play.fail(a, play.runs[0]!)
  expect(job.stages[0]!.tasks[0]!.attempts.at(-1)).toMatchObject({ node: a, state: 'running' })
  const avoiding = new Play([a, b])
  avoiding.join(c, 0)
  const other = avoiding.start(20, { attemptsMax: 100 })
  const running = (node: NodeId) =>
    other.stages[0]!.tasks.flatMap(task => task.attempts).find(each => each.node === node && each.state === 'running')
  for (let n = 0; n < 4; n++) avoiding.fail(b, running(b)!.id)
  expect([...other.avoid]).toEqual([b])
  const failing = running(a)!
  avoiding.fail(a, failing.id)
  expect(running(a)).toBeDefined()
})

test('the slot of an attempt that lost to its twin is free again after so long, though its node says nothing', () => {
  const play = new Play([a, b])
  play.start(1, { places: [['a']] })
  play.apply({ kind: 'stale', node: a })
  play.apply({ kind: 'returned', node: a })
  play.done(a, play.runs[0]!)
  play.settleAll()
  expect(play.kills).toEqual([play.runs[1]])
  const next = play.start(2)
  expect(next.running).toBe(1)
  play.pass(limits.killSilentMs)
  expect(next.running).toBe(2)
})

test('an idle node is served before one that is at work', () => {
  const play = new Play([])
  const [x, y] = [nodeId('x'), nodeId('y')]
  play.join(x, 2)
  play.start(1)
  play.join(y, 1)
  const job = play.start(1)
  expect(job.stages[0]!.tasks[0]!.attempts[0]!.node).toBe(y)
})

test('a task never has two attempts on one node, however slow the first is', () => {
  const play = new Play([a], 4)
  const job = play.start(4)
  play.pass(1_000)
  for (const run of play.runs.slice(0, 3)) play.done(a, run)
  play.settleAll()
  play.pass(20_000)
  play.apply({ kind: 'offered', node: a })
  expect(job.stages[0]!.tasks[3]!.attempts).toHaveLength(1)
})

test('a spec whose parts do not fit together is refused, each for its own reason', () => {
  const spec = specOf({ maps: 1, reduces: 2 })
  const [map, reduce] = spec.stages as [StageSpec, StageSpec]
  const split = (map.input as { splits: Split[] }).splits[0]!
  const ranged = (change: object) =>
    ({
      ...spec,
      stages: [{ ...map, input: { ...map.input, splits: [{ ...split, ranges: [{ ...split.ranges[0]!, ...change }] }] } }, reduce],
    }) as JobSpec
  checkSpec(spec)
  checkSpec(ranged({ start: 10, end: 10 }))
  const refused = (wrong: JobSpec, message: RegExp): void =>
    expect(() => checkSpec(wrong)).toThrow(expect.objectContaining({ code: 'EINVAL', message: expect.stringMatching(message) }))
  refused(ranged({ start: 6, end: 5 }), /does not lie in its 10 bytes/)
  refused(ranged({ end: 11 }), /does not lie in its 10 bytes/)
  refused(
    {
      ...spec,
      stages: [
        { ...map, output: { kind: 'shuffle', partitions: 0 } },
        { ...reduce, input: { kind: 'shuffle', stage: 0, partitions: 0 } },
      ],
    },
    /0 partitions/,
  )
  refused(
    {
      ...spec,
      stages: [
        { ...map, output: { kind: 'shuffle', partitions: 100_001 } },
        { ...reduce, input: { kind: 'shuffle', stage: 0, partitions: 100_001 } },
      ],
    },
    /100001 partitions/,
  )
  refused({ ...spec, stages: [map, { ...reduce, input: { kind: 'shuffle', stage: 1, partitions: 2 } }] }, /reads stage 1/)
  refused({ ...spec, stages: [map, { ...reduce, input: { kind: 'shuffle', stage: 0, partitions: 3 } }] }, /3 tasks for the 2 partitions/)
  const between = { ...map, input: { kind: 'shuffle' as const, stage: 1, partitions: 2 } }
  refused({ ...spec, stages: [map, between, { ...reduce, input: { kind: 'shuffle', stage: 1, partitions: 2 } }] }, /stage 1 reads stage 1/)
  refused({ ...spec, stages: [map] }, /the last stage/)
  refused({ ...spec, stages: [map, map, reduce] }, /no stage reads stage 1/)
  for (const path of ['/', '/.gristmill/x']) refused({ ...spec, output: { ...spec.output, path } }, /its output cannot be/)
})

test('a task is told of its blocks with their holders, the nearest first: this node, this host, this rack, elsewhere', () => {
  const spec = specOf({ maps: 1, reduces: 0 })
  const job = {
    id: jobId('job-1'), user: 'ann', submittedMs: 5,
    spec: {
      ...spec,
      stages: [
        {
          ...spec.stages[0]!,
          input: { ...spec.stages[0]!.input, splits: [{ bytes: 1, ranges: [{ path: '/f', blocks: [{ id: 9 }, { id: 9 }] }] }] },
        },
      ],
    },
  } as unknown as RunningJob
  const places: Record<string, { rack: string; host: string }> = {
    far: { rack: 's', host: 'h3' }, rack: { rack: 'r', host: 'h2' }, host: { rack: 'x', host: 'h1' }, own: { rack: 'r', host: 'h1' },
  }
  const work = workFor(job, idOf(job, 0, 0, 0), nodeId('own'), {
    params: {},
    nodes: { order: () => {}, place: node => places[node] && { node, address: address(`${node}:1`), alive: true, ...places[node] } },
    blocks: { holders: () => ['far', 'gone', 'rack', 'host', 'own'].map(nodeId), token: block => `t${block}` },
  })
  expect(work.input).toMatchObject({ kind: 'split', places: [{ block: 9, token: 't9' }] })
  expect((work.input as { places: Array<{ nodes: Array<{ node: string }> }> }).places[0]!.nodes.map(each => each.node)).toEqual([
    'own', 'host', 'rack', 'far',
  ])
})

test('no job is known by another\'s name', () => {
  const play = new Play()
  play.start(1)
  expect(play.apply({ kind: 'kill', job: jobId('job-9') as JobId })).toEqual([])
})

test('twins are a tenth of all slots, rounded down, and one at the least', () => {
  for (const [slots, speculative] of [[19, 1], [20, 2]] as const) {
    const nodes = Array.from({ length: slots }, (_, i) => nodeId(`n${String(i).padStart(2, '0')}`))
    const play = new Play(nodes)
    const job = play.start(slots)
    play.pass(4_000)
    const [stage] = job.stages
    for (const task of stage!.tasks.slice(0, -4)) play.done(task.attempts[0]!.node, task.attempts[0]!.id)
    play.settleAll()
    play.pass(20_000)
    expect(stage!.speculative, `${slots} slots`).toBe(speculative)
    // The first of equally slow tasks is chosen.
    expect(stage!.tasks.slice(-4).map(task => task.attempts.length)).toEqual([2, speculative, 1, 1])
  }
})

test('a stage is judged by its last 500 durations', () => {
  const stage = { durations: [] as number[] } as StageState
  for (let ms = 1; ms <= 502; ms++) noteDuration(stage, ms)
  expect([stage.durations.length, stage.durations[0], stage.durations.at(-1)]).toEqual([500, 3, 502])
})

test('time has to be told while a task waits or runs that a free slot could take, and not for one that is being committed', () => {
  const play = new Play([a, b])
  expect(play.machine.hasRunnable).toBe(false)
  const job = play.start(1)
  expect(play.machine.hasRunnable).toBe(true) // it may need a speculative attempt
  play.done(a, job.stages[0]!.tasks[0]!.attempts[0]!.id)
  expect(play.machine.hasRunnable).toBe(false)
  const full = new Play([a])
  full.start(2)
  expect(full.machine.hasRunnable).toBe(false)
})

test('a stage is shown with the times at which it began and ended, with tasks and without', () => {
  const play = new Play([a, b])
  const job = play.start(2)
  const begun = play.at.nowMs
  play.pass(1_000)
  for (const task of job.stages[0]!.tasks) play.done(task.attempts[0]!.node, task.attempts[0]!.id)
  play.settleAll()
  expect(jobStatus(job).stages[0]).toMatchObject({ startedMs: begun, finishedMs: begun + 1_000 })
  const nothing = new Play()
  nothing.pass(500)
  const empty = nothing.start(0)
  expect(jobStatus(empty).stages[0]).toMatchObject({ startedMs: nothing.at.nowMs, finishedMs: nothing.at.nowMs })
})

test('a namenode that starts again knows how much of a stage each node holds, as the one before it did', () => {
  const play = new Play([a, b])
  const job = play.start(3, { reduces: 1, places: [['a'], ['b'], ['b']] })
  for (let n = 0; n < 3; n++) play.done(attemptParts(play.runs[n]!).task === 0 ? a : b, play.runs[n]!)
  play.settleAll()
  const held = [...job.stages[0]!.outputBytes]
  expect(held.toSorted()).toEqual([['a', 100], ['b', 200]])
  play.restart()
  expect([...play.machine.jobs.get(job.id)!.stages[0]!.outputBytes].toSorted()).toEqual(held.toSorted())
})

test('an attempt that says nothing of how far it is needs twice what it took: the twin goes to the one that needs most', () => {
  // After 24 s: three tenths leave 56 s, four tenths 36 s, and no reported progress 48 s.
  for (const [fraction, chosen] of [[0.3, 0], [0.4, 1]] as const) {
    const nodes = Array.from({ length: 8 }, (_, i) => nodeId(`n${i}`))
    const play = new Play(nodes)
    const job = play.start(8)
    play.pass(4_000)
    const [stage] = job.stages
    for (const task of stage!.tasks.slice(2)) play.done(task.attempts[0]!.node, task.attempts[0]!.id)
    play.settleAll()
    const [first] = stage!.tasks[0]!.attempts
    play.at = { nowMs: play.at.nowMs + 20_000, monoMs: play.at.monoMs + 20_000 }
    play.apply({ kind: 'progressed', node: first!.node, attempts: [{ attempt: first!.id, counters: {}, fraction }] })
    const [second] = stage!.tasks[1]!.attempts
    play.apply({ kind: 'progressed', node: second!.node, attempts: [{ attempt: second!.id, counters: {}, fraction: 0 }] })
    play.pass(0)
    expect(stage!.tasks.slice(0, 2).map(task => task.attempts.length), String(fraction)).toEqual(chosen === 0 ? [2, 1] : [1, 2])
  }
})
