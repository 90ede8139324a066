// Bench of the scheduler with short names for frequent actions, which notes orders to run and to kill; and nodes a, b and c.

import type { Effect, Event } from '../../../../../namenode/jobs/scheduler/event.ts'
import type { RunningJob } from '../../../../../namenode/jobs/scheduler/state.ts'
import type { JobQueue } from '../../../../../src/base/jobqueues.ts'
import { nodeFeatures, type NodeMemory } from '../../../../../src/protocol/heartbeat.ts'
import { attemptId, attemptParts, nodeId, type AttemptId, type NodeId } from '../../../../../src/base/ids.ts'
import { Bench, doneReport, type JobShape } from './kit.ts'

export const [a, b, c] = ['a', 'b', 'c'].map(nodeId) as [NodeId, NodeId, NodeId]

/** A bench with nodes of one slot each, and short names for frequent actions. */
export class Play extends Bench {
  readonly runs: AttemptId[] = []
  readonly kills: AttemptId[] = []

  constructor(nodes: readonly NodeId[] = [a], slots = 1, queues: readonly JobQueue[] = []) {
    super(queues)
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

  join(node: NodeId, slots = 1, attempts: AttemptId[] = [], rack = 'r', features = nodeFeatures.slice(), memory?: NodeMemory): Effect[] {
    return this.apply({ kind: 'joined', node, rack, host: node, slots, features, attempts, ...memory && { memory } })
  }
  /** A node with room for so many programs to drive joins, or registers again. */
  joinDriving(node: NodeId, drives: number, attempts: AttemptId[] = []): Effect[] {
    return this.apply({ kind: 'joined', node, rack: 'r', host: node, slots: 1, features: nodeFeatures.slice(), attempts, drives })
  }
  start(
    maps: number, more: Partial<JobShape> & { places?: string[][] } = {},
  ): RunningJob {
    const { places = Array.from({ length: maps }, () => []), ...shape } = more
    return this.scheduler.jobs.get(this.submit({ maps, reduces: 0, ...shape }, places.map(each => each.map(nodeId))).job)!
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
  /** The task of a schedule has built, and is due again in this time; `aheadMs`: of the clock that it knows. */
  later(node: NodeId, attempt: AttemptId, ms: number, aheadMs = 0): Effect[] {
    const nowMs = this.at.nowMs + aheadMs
    return this.apply({ kind: 'finished', node, attempt, outcome: { kind: 'later', atMs: nowMs + ms, nowMs, counters: {} } })
  }
  pass(ms: number): Effect[] {
    this.at = { nowMs: this.at.nowMs + ms, monoMs: this.at.monoMs + ms }
    return this.apply({ kind: 'tick' })
  }
  /** Completes all journal effects. */
  settleAll(): void { while (this.waiting.length > 0) this.settle() }
}

export const kindsOf = (effects: readonly Effect[]): string[] =>
  effects.map(effect => effect.kind).filter(kind => kind !== 'changed' && kind !== 'tried')
export const answers = (effects: readonly Effect[]): boolean[] =>
  effects.flatMap(effect => (effect.kind === 'answer' ? [effect.committed] : []))
export const idOf = (job: RunningJob, stage: number, task: number, attempt: number): AttemptId =>
  attemptId({ job: job.id, stage, task, attempt })
