// Fakes for the scheduler's dependencies: an in-memory store that replies a turn of the event loop later, nodes that record their
// orders, a manual clock.

import type { FinishFacts, JobStore, JobsDeps } from '../../../../namenode/jobs/deps.ts'
import type { JobRecord, LayoutRecord, TaskRecord } from '../../../../namenode/jobs/store/record.ts'
import { GristmillError } from '../../../../src/base/errors.ts'
import { address, attemptParts, jobId, type JobId, type NodeId } from '../../../../src/base/ids.ts'
import { silent } from '../../../../src/ports/log.ts'
import type { JobSpec } from '../../../../src/protocol/job.ts'
import type { Order } from '../../../../src/protocol/order.ts'
import { ManualClock } from '../../../kit/manual-clock.ts'

export class MemoryBook implements JobStore {
  readonly jobs = new Map<JobId, { record: JobRecord; spec: JobSpec; tasks: Map<string, TaskRecord> }>()
  readonly requests = new Map<string, JobId>()
  /** Error of the next publish. */
  refusal: { code: string; message: string } | undefined

  async submit({ requestId, actor: { user }, spec }: Parameters<JobStore['submit']>[0]): Promise<JobId> {
    await turn()
    const known = this.requests.get(requestId)
    if (known) return known
    if (spec.output.path === '/taken') throw new GristmillError('EEXIST', '/taken exists')
    const job = jobId(`job-${this.jobs.size + 1}`)
    this.requests.set(requestId, job)
    const stages = spec.stages.map(({ name }) => ({
      name, state: 'waiting' as const, tasks: 0, running: 0, done: 0, failedAttempts: 0, fraction: 0, counters: {},
    }))
    const record: JobRecord = {
      user, root: false, submittedMs: 1, term: 0, about: spec,
      status: { job, name: spec.name, user, state: 'running', version: 0, output: spec.output.path, submittedMs: 1, stages, counters: {} },
    }
    this.jobs.set(job, { record, spec, tasks: new Map() })
    return job
  }

  async addPage(): Promise<void> { await turn() }
  readonly uploads = new Map<never, never>()
  async whole(spec: JobSpec): Promise<JobSpec> { return spec }
  hasAnswer(id: string): boolean { return this.requests.has(id) }

  async resume(job: JobId): Promise<number> {
    const kept = this.jobs.get(job)!
    kept.record = { ...kept.record, term: kept.record.term + 1 }
    return kept.record.term
  }

  async giveUp(job: JobId, status: JobRecord['status']): Promise<void> { await this.finish(job, status) }

  async commit(job: JobId, record: TaskRecord): Promise<undefined> {
    this.jobs.get(job)!.tasks.set(`${record.stage}.${record.task}`, record)
    await turn()
  }

  async tried(job: JobId, record: TaskRecord): Promise<void> {
    const { tasks } = this.jobs.get(job)!
    const key = `${record.stage}.${record.task}`
    if (!tasks.get(key)?.won) tasks.set(key, record)
    await turn()
  }

  async lose(job: JobId, attempt: string): Promise<void> {
    const { stage, task } = attemptParts(attempt as never)
    this.jobs.get(job)!.tasks.delete(`${stage}.${task}`)
    await turn()
  }

  readonly layoutsOf = new Map<JobId, LayoutRecord[]>()

  async rewrite(job: JobId, record: LayoutRecord): Promise<void> {
    this.layoutsOf.set(job, [...this.layouts(job), record])
    await turn()
  }

  layouts(job: JobId): LayoutRecord[] { return this.layoutsOf.get(job) ?? [] }

  async finish(job: JobId, status: JobRecord['status'], { failed, unfinished = [], keep }: FinishFacts = {}): Promise<void> {
    const kept = this.jobs.get(job)!
    kept.record = { ...kept.record, status: { ...status, ...keep && { kept: { untilMs: 1_000_000 } } } }
    for (const record of [...failed ? [failed] : [], ...unfinished]) kept.tasks.set(`${record.stage}.${record.task}`, record)
    await turn()
  }

  async publish(job: JobId, status: JobRecord['status']): Promise<{ code: string; message: string } | undefined> {
    await turn()
    if (this.refusal) return this.refusal
    await this.finish(job, status)
    return undefined
  }

  async publishKept({ job, output }: Parameters<JobStore['publishKept']>[0]): Promise<void> {
    await turn()
    const kept = this.jobs.get(job)!
    kept.record = { ...kept.record, status: { ...kept.record.status, state: 'succeeded', output: output.path } }
  }

  async dropKept({ job }: Parameters<JobStore['dropKept']>[0]): Promise<void> {
    await turn()
    const kept = this.jobs.get(job)!
    const { kept: _, ...status } = kept.record.status
    kept.record = { ...kept.record, status }
  }

  async tidy(): Promise<boolean> { return false }
  head(job: JobId): JobRecord | undefined { return this.jobs.get(job)?.record }
  spec(job: JobId): JobSpec | undefined { return this.jobs.get(job)?.spec }
  params(job: JobId): JobSpec['params'] | undefined { return this.jobs.get(job)?.spec.params }
  tasks(job: JobId, from = { stage: 0, task: 0 }): TaskRecord[] {
    return [...this.jobs.get(job)?.tasks.values() ?? []].sort((a, b) => a.stage - b.stage || a.task - b.task)
      .filter(({ stage, task }) => stage > from.stage || (stage === from.stage && task >= from.task))
  }
  /** Size of each job's head in the store. */
  headBytes = 500
  newest(): Array<{ head: JobRecord; bytes: number }> {
    return [...this.jobs.values()].map(kept => ({ head: kept.record, bytes: this.headBytes })).reverse()
  }
  running(): JobId[] { return [...this.jobs].filter(([, { record }]) => record.status.state === 'running').map(([job]) => job) }
}

export const turn = (): Promise<void> => new Promise(resolve => setImmediate(resolve))

export interface FakeDeps extends JobsDeps {
  readonly clock: ManualClock
  readonly store: MemoryBook
  readonly orders: Array<{ node: NodeId; order: Order }>
  /** Nodes that hold every block. */
  readonly held: NodeId[]
  /** True if an operator has put the namenode into safe mode. */
  safeMode: boolean
}

export function fakeDeps(store = new MemoryBook()): FakeDeps {
  const orders: FakeDeps['orders'] = []
  const held: NodeId[] = []
  const clock = new ManualClock()
  const deps: FakeDeps = {
    clock, awake: clock, log: silent, store, orders, held, safeMode: false,
    frozen: () => deps.safeMode,
    nodes: {
      order: (node, order) => void orders.push({ node, order }),
      place: node => ({ node, address: address(`${node}:1`), rack: 'r', host: node, alive: true }),
    },
    blocks: { holders: () => held, token: block => `token-${block}` },
    checkSplits: () => undefined,
    actor: user => ({ user, root: user === 'root' }),
  }
  return deps
}
