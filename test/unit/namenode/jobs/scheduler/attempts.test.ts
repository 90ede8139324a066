// Attempts of a task, one step at a time on the scheduler alone: which reports are believed, when an attempt is given up or is the last,
// and which ended ones are kept. Off-by-one errors that a user who watches a job would see.

import { expect, test } from 'vitest'
import type { Effect } from '../../../../../namenode/jobs/scheduler/event.ts'
import { jobStatus, recordStatus, taskStatus } from '../../../../../namenode/jobs/scheduler/status.ts'
import type { TaskRecord } from '../../../../../namenode/jobs/store/record.ts'
import { attemptParts, jobId, type AttemptId, type JobId, type NodeId } from '../../../../../src/base/ids.ts'
import { limits } from '../../../../../src/base/limits.ts'
import { doneReport, specOf } from './kit.ts'
import { a, answers, b, idOf, kindsOf, Play } from './play.ts'

test('while its job ends, the repeated report of the attempt that won is accepted again, and one of another attempt is not', () => {
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
  play.apply({ kind: 'dead', node: a })
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
  play.done(play.scheduler.jobs.get(second.id)!.stages[0]!.tasks[0]!.attempts[0]!.node, mine!)
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

test('a commit that the journal refuses counts as one failed attempt, also when its node repeats the report', () => {
  const play = new Play([a], 2)
  const job = play.start(1, { attemptsMax: 2 })
  play.done(a, play.runs[0]!)
  const commit = play.waiting.shift()! as Effect & { kind: 'commit' }
  play.apply({ kind: 'committed', record: commit.record, refused: { code: 'CORRUPT', message: 'not there' } })
  // The answer was lost on its way.
  const repeated = play.done(a, play.runs[0]!)
  expect([answers(repeated), kindsOf(repeated)]).toEqual([[false], ['answer']])
  expect([job.state, job.stages[0]!.failedAttempts, job.stages[0]!.tasks[0]!.failures]).toEqual(['running', 1, 1])
  play.done(a, play.runs[1]!)
  play.settleAll()
  expect([...play.kept.values()][0]!.ended!.state).toBe('succeeded')
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

test('a task that still runs elsewhere is not put back when another attempt of it fails', () => {
  const play = new Play([a, b])
  const job = play.start(1, { places: [['a']] })
  play.apply({ kind: 'stale', node: a })
  expect(play.runs).toHaveLength(2) // a speculative attempt
  play.fail(b, play.runs[1]!)
  expect(job.stages[0]!).toMatchObject({ waiting: 0, running: 1 })
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

test('a task that waits to run again and turns out to be done does not wait any more', () => {
  const play = new Play()
  const job = play.start(2)
  play.apply({ kind: 'dead', node: a })
  expect(job.stages[0]!.waiting).toBe(2)
  play.done(a, play.runs[0]!)
  expect(job.stages[0]!.waiting).toBe(1)
  play.settleAll()
  play.join(a)
  play.done(a, play.runs.at(-1)!)
  play.settleAll()
  expect([play.runs.length, play.scheduler.jobs.has(job.id)]).toEqual([2, false])
})

test('a node that goes on with an attempt that is over is ordered to kill it, and one whose attempt is being committed is not', () => {
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

test('where attempts ran is recorded also for those that did not win: at a commit, at a kill, and when a task fails its job', () => {
  const play = new Play([a, b])
  play.start(1, { places: [['a']] })
  play.apply({ kind: 'stale', node: a })
  const [slow, fast] = play.runs
  const [commit] = play.done(b, fast!)
  const others = [{ attempt: slow, node: a, state: 'killed' }]
  expect(commit).toMatchObject({ kind: 'commit', record: { won: { attempt: fast }, others } })

  for (const how of ['kill', 'fail'] as const) {
    const other = new Play([a, b])
    const job = other.start(3, { attemptsMax: 1 })
    other.done(a, other.runs[0]!)
    other.settleAll()
    const [, second, third] = other.runs
    const effects = how === 'kill' ? other.apply({ kind: 'kill', job: job.id }) : other.fail(b, second!)
    const finish = effects.find(each => each.kind === 'finish')!
    const attemptsOf = (tasks: readonly TaskRecord[]) => tasks.map(({ others }) => others.map(({ attempt, state }) => [attempt, state]))
    const killed = [third, 'killed']
    expect(attemptsOf(finish.unfinished)).toEqual(how === 'kill' ? [[[second, 'killed']], [killed]] : [[killed]])
    expect(finish.failed && attemptsOf([finish.failed])).toEqual(how === 'kill' ? undefined : [[[second, 'failed']]])
    expect(finish.unfinished.map(record => recordStatus(record).state)).toEqual(finish.unfinished.map(() => 'waiting'))
  }
})

test('what is recorded of a job that ends is bounded', () => {
  const play = new Play([a], 4)
  const job = play.start(4, { attemptsMax: 10 })
  const failure = { code: 'TASK_FAILED', message: 'x'.repeat(limits.pageTextMax / 3) }
  for (const attempt of [...play.runs])
    play.apply({ kind: 'finished', node: a, attempt, outcome: { kind: 'failed', cause: 'program', failure, counters: {} } })
  const finish = play.apply({ kind: 'kill', job: job.id }).find(each => each.kind === 'finish')!
  expect(finish.unfinished.map(({ task }) => task)).toEqual([0, 1])
})

test('no job is known by another\'s name', () => {
  const play = new Play()
  play.start(1)
  expect(play.apply({ kind: 'kill', job: jobId('job-9') as JobId })).toEqual([])
})
