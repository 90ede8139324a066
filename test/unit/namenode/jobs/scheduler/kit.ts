// Scheduler with a fake journal, and scenarios as text. Attempts are written `stage.task.number`; the job is the last one that was
// submitted.

import { Scheduler } from '../../../../../namenode/jobs/scheduler/scheduler.ts'
import type { Effect, Event, Places } from '../../../../../namenode/jobs/scheduler/event.ts'
import type { TaskRecord } from '../../../../../namenode/jobs/store/record.ts'
import { attemptId, attemptParts, jobId, nodeId, programId, type AttemptId, type JobId, type NodeId } from '../../../../../src/base/ids.ts'
import { attemptsPerTerm } from '../../../../../namenode/jobs/scheduler/state.ts'
import type { JobSpec, JobStatus } from '../../../../../src/protocol/job.ts'
import type { TaskFinished } from '../../../../../src/protocol/task.ts'

export interface JobShape {
  readonly maps: number
  /** 0: map-only. */
  readonly reduces: number
  readonly attemptsMax?: number
}

export function specOf({ maps, reduces, attemptsMax = 4 }: JobShape): JobSpec {
  const split = (n: number) => ({
    bytes: 10,
    ranges: [{ path: `/in/${n}`, inode: n, fileBytes: 10, start: 0, end: 10, aligned: true, blocks: [] }],
  })
  const files = { kind: 'files' as const, format: 'text' as const }
  return {
    name: 'test',
    program: { id: programId('p'), path: '/.gristmill/programs/p.js' },
    params: {}, seed: 1, fingerprint: 'f',
    stages: [
      {
        name: 'map',
        input: { kind: 'splits', splits: Array.from({ length: maps }, (_, n) => split(n)) as never, options: { format: 'lines' } },
        output: reduces > 0 ? { kind: 'shuffle', partitions: reduces } : files,
      },
      ...(reduces > 0 ? [{ name: 'reduce', input: { kind: 'shuffle' as const, stage: 0, partitions: reduces }, output: files }] : []),
    ],
    output: { path: '/out', overwrite: false, format: 'text' },
    attemptsMax, memoryBytes: 0, taskDeadlineMs: 0,
  }
}

interface Kept {
  readonly spec: JobSpec
  readonly places: Array<Places | undefined>
  term: number
  readonly tasks: Map<string, TaskRecord>
  ended?: JobStatus
}

/** The state machine, with a journal whose writes complete when `settle` is called. */
export class Bench {
  machine = new Scheduler({ checked: true })
  readonly kept = new Map<JobId, Kept>()
  readonly answers = new Map<AttemptId, boolean>()
  /** Journal effects without a result so far, oldest first. */
  waiting: Effect[] = []
  at = { nowMs: 1_000_000, monoMs: 1000 }
  #jobs = 0

  apply(event: Event): Effect[] {
    const effects = this.machine.apply(event, { ...this.at })
    for (const effect of effects) {
      if (effect.kind === 'commit' || effect.kind === 'lose' || effect.kind === 'publish' || effect.kind === 'finish')
        this.waiting.push(effect)
      if (effect.kind === 'answer') this.answers.set(effect.attempt, effect.committed)
    }
    return effects
  }

  /** Completes the oldest journal effect, by the rules of the real journal. */
  settle(): Effect[] {
    const effect = this.waiting.shift()!
    switch (effect.kind) {
      case 'commit': {
        const kept = this.kept.get(effect.job)!
        const key = `${effect.record.stage}.${effect.record.task}`
        const refused = kept.ended || kept.tasks.has(key)
        if (!refused) kept.tasks.set(key, effect.record)
        return this.apply({ kind: 'committed', record: effect.record, ...refused && { refused: { code: 'EINVAL', message: 'refused' } } })
      }
      case 'lose': {
        const { stage, task } = attemptParts(effect.attempt)
        this.kept.get(effect.job)!.tasks.delete(`${stage}.${task}`)
        return []
      }
      case 'publish':
      case 'finish': {
        const kept = this.kept.get(effect.job)!
        if (kept.ended) throw new Error(`${effect.job} ended twice`)
        kept.ended = effect.status
        return this.apply({ kind: 'ended', job: effect.job })
      }
      default: throw new Error(`the journal has no answer to ${effect.kind}`)
    }
  }

  submit(shape: JobShape, places: Places): { job: JobId; effects: Effect[] } {
    const job = jobId(`job-${++this.#jobs}`)
    const facts = { job, user: 'ann', spec: specOf(shape), submittedMs: this.at.nowMs + this.#jobs, places: [places, undefined] }
    this.kept.set(job, { spec: facts.spec, places: facts.places, term: 0, tasks: new Map() })
    return { job, effects: this.apply({ kind: 'submitted', ...facts }) }
  }

  /** Kills the namenode, with all state that is not in its journal, and starts another. */
  restart(): Effect[] {
    this.machine = new Scheduler({ checked: true })
    this.waiting = []
    const effects: Effect[] = []
    for (const [job, kept] of this.kept) {
      if (kept.ended) continue
      effects.push(
        ...this.apply({
          kind: 'resumed', job, user: 'ann', spec: kept.spec, submittedMs: 1, places: kept.places, term: ++kept.term,
          tasks: [...kept.tasks.values()],
        }),
      )
    }
    return effects
  }
}

export function doneReport(
  node: NodeId, attempt: AttemptId, spec: JobSpec, counters: Record<string, number> = { records: 1 },
): TaskFinished {
  const { stage, task } = attemptParts(attempt)
  const output =
    spec.stages[stage]!.output.kind === 'shuffle'
      ? { kind: 'shuffle' as const, bytes: 100, digest: 'd' }
      : { kind: 'files' as const, files: [{ name: `part-${task}`, inode: 1 as never, length: 1, crc: 1 }] }
  return { node, attempt, outcome: { kind: 'done', counters, output } }
}

/** Runs a scenario: lines without indent are events, indented lines their expected effects. Throws at the first difference. */
export function play(text: string): Bench {
  const bench = new Bench()
  let job = jobId('job-1')
  const id = (short: string) => {
    const [stage, task, attempt] = short.split('.').map(Number)
    return attemptId({ job, stage: stage!, task: task!, attempt: attempt! })
  }
  const steps: Array<{ line: string; wanted: string[] }> = []
  for (const raw of text.split('\n')) {
    const line = raw.replace(/#.*/, '').trimEnd()
    if (line.trim() === '') continue
    if (/^\s*->/.test(line)) steps.at(-1)!.wanted.push(line.replace(/^\s*->\s*/, ''))
    else steps.push({ line: line.trim(), wanted: [] })
  }
  for (const { line, wanted } of steps) {
    const found = act(line).filter(effect => effect.kind !== 'changed').map(show)
    if (found.join('\n') !== wanted.join('\n')) {
      throw new Error(`after "${line}"\nwanted:\n  ${wanted.join('\n  ')}\nfound:\n  ${found.join('\n  ')}`)
    }
  }
  return bench

  function act(line: string): Effect[] {
    const [verb, ...words] = line.split(/\s+/)
    const option = (name: string) => words.find(word => word.startsWith(`${name}=`))?.slice(name.length + 1)
    const node = nodeId(words.at(-1) ?? '')
    switch (verb) {
      case 'open':
        return bench.apply({ kind: 'opened' })
      case 'join': {
        const attempts = option('running')?.split(',').map(id) ?? []
        return bench.apply({
          kind: 'joined', node: nodeId(words[0]!), rack: option('rack') ?? 'r', host: words[0]!, slots: Number(option('slots') ?? 1),
          attempts, closed: words.includes('closed'),
        })
      }
      // submit maps=a|b,c|- reduces=1: the first map's input is on a, the second's on b and c, the third's at no known node.
      case 'submit': {
        const places = (option('maps') ?? '')
          .split('|')
          .filter(Boolean)
          .map(nodes => (nodes === '-' ? [] : nodes.split(',').map(nodeId)))
        const submitted = bench.submit(
          { maps: places.length, reduces: Number(option('reduces') ?? 0), attemptsMax: Number(option('attempts') ?? 4) },
          places,
        )
        job = submitted.job
        return submitted.effects
      }
      case 'offer':
        return bench.apply({ kind: 'offered', node })
      case 'drain':
        return bench.apply({ kind: 'draining', node })
      case 'silence':
        return bench.apply({ kind: 'stale', node })
      case 'return':
        return bench.apply({ kind: 'returned', node })
      case 'leave':
        return bench.apply({ kind: 'left', node })
      case 'lose':
        return bench.apply({ kind: 'lost', node })
      case 'tick': {
        const ms = Number(words[0] ?? 0)
        bench.at = { nowMs: bench.at.nowMs + ms, monoMs: bench.at.monoMs + ms }
        return bench.apply({ kind: 'tick' })
      }
      case 'done':
        return bench.apply({ kind: 'finished', ...doneReport(node, id(words[0]!), bench.kept.get(job)!.spec) })
      case 'fail': {
        const cause = (option('cause') ?? 'program') as 'program'
        const missing = option('missing')?.split(',').map(id)
        const failure = { code: option('code') ?? 'TASK_FAILED', message: 'no' }
        return bench.apply({
          kind: 'finished', node, attempt: id(words[0]!),
          outcome: { kind: 'failed', cause, failure, counters: {}, ...(missing && { missing }) },
        })
      }
      case 'progress':
        return bench.apply({ kind: 'progressed', node, attempts: [{ attempt: id(words[0]!), counters: {}, fraction: Number(words[1]) }] })
      case 'kill':
        return bench.apply({ kind: 'kill', job })
      case 'journal':
        return bench.settle()
      case 'restart':
        return bench.restart()
      default:
        throw new Error(`no such step: ${line}`)
    }
  }

  function short(attempt: AttemptId): string {
    const parts = attemptParts(attempt)
    const other = parts.job === job ? '' : `${parts.job}:`
    return `${other}${parts.stage}.${parts.task}.${parts.attempt}`
  }

  function show(effect: Effect): string {
    switch (effect.kind) {
      case 'run': return `run ${short(effect.attempt)} on ${effect.node} (${effect.locality})`
      case 'kill': return `kill ${short(effect.attempt)} on ${effect.node}`
      case 'forget': return `forget on ${effect.node}`
      case 'commit': return `commit ${short(effect.record.won!.attempt)}`
      case 'lose': return `lose ${short(effect.attempt)}`
      case 'finish': return `finish ${effect.status.state}: ${effect.status.failure?.code}`
      case 'publish': return 'publish'
      case 'answer': return `answer ${short(effect.attempt)} ${effect.committed ? 'committed' : 'too late'}`
      case 'changed': return 'changed'
    }
  }
}

export { attemptsPerTerm }
