// A schedule that the cluster follows: each of its times is built for once, at the time or when what was in the way is gone; no two
// processes build at the same time; its log tells what has happened; what it builds is what plain JavaScript computes from the same bytes;
// once all is healed it goes on; and when it is killed, its jobs end.

import { join } from 'node:path'
import type { AttemptStatus, JobStatus } from '../../src/protocol/job.ts'
import type { SimCluster } from '../kit/sim/cluster.ts'
import { codeOf, isOneOf, notNow, type ClientParts } from './change.ts'
import { bytesOf } from './content.ts'
import type { Action } from './plan.ts'
import { taskTimeoutMs } from './jobs.ts'
import { expectedFrom, outputOf } from './programs.ts'
import workflow from './programs/scheduled.ts'

const file = join(import.meta.dirname, 'programs/scheduled.ts')
const datasets = Object.keys(workflow.definition.datasets)
const minuteMs = 60_000
const periodMs = 2 * minuteMs
/** Most by which two clocks differ that are right. */
const clocksMs = 40_000
const lookMs = 5_000
/** Looks after all is healed, within which a build has to follow what has changed last: a quarter of an hour. */
const looksMax = 180
const inputs = ['/in/t0', '/in/t1', '/in/t2']
/** Name of the job that follows the schedule. */
export const scheduleName = 's'

/** What is seen of one process. */
interface Seen { readonly status: AttemptStatus; readonly number: number; readonly log: string }

export class Schedules {
  readonly #parts: ClientParts
  readonly #seen = new Map<string, Seen>()
  readonly #told = new Set<string>()
  constructor(parts: ClientParts) { this.#parts = parts }

  async act({ ms }: Extract<Action, { readonly kind: 'follow' }>): Promise<void> {
    const { cluster, mill, acks, healed } = this.#parts
    // Logs of real processes are read by test/cluster/scheduled.test.ts.
    if (cluster.mode !== 'sim' || inputs.slice(0, 2).some(path => acks.certain(path)?.kind !== 'file')) return
    const id = await this.#patiently(async () => (await mill.scheduleBuild(file, { taskTimeoutMs, name: scheduleName, replace: true })).id)
    for (let passedMs = 0; passedMs < ms || !healed(); passedMs += lookMs) {
      await this.#look(id)
      await cluster.advance(lookMs)
      if (acks.restored) return
    }
    await this.#settle(id)
    if (acks.restored) return
    await this.#checkJobs(id)
    await this.#end(id)
  }

  /** Processes are compared at each look. */
  #tell(what: string): void {
    if (this.#told.has(what)) return
    this.#told.add(what)
    this.#parts.findings.add(what)
  }

  /** The result of a call that is made again while the cluster cannot answer it. */
  async #patiently<T>(call: () => Promise<T>): Promise<T> {
    for (;;) {
      try {
        return await call()
      } catch (error) {
        if (!isOneOf(notNow, codeOf(error)) || this.#parts.acks.restored) throw error
        await this.#parts.cluster.advance(lookMs)
      }
    }
  }

  /** Notes the processes that there were, and compares each with the one before it. */
  async #look(id: string): Promise<void> {
    const { mill, cluster, findings, acks } = this.#parts
    const { attempts, state, failure } = await this.#patiently(async () => {
      const [task] = await Array.fromAsync(mill.job(id).tasks())
      return { attempts: task!.attempts, ...await mill.job(id).status() }
    })
    if (acks.restored) return
    if (state !== 'running') findings.add(`a schedule has ended: ${state}, ${failure?.message}`)
    const running = attempts.filter(each => each.state === 'running').map(({ attempt }) => attempt)
    if (running.length > 1) findings.add(`${running.join(' and ')} build for one schedule at the same time`)
    const { datanodes } = cluster as SimCluster
    for (const status of attempts) {
      const log = datanodes.map(({ printed }) => printed.get(status.attempt) ?? '').join('')
      this.#seen.set(status.attempt, { status, log, number: Number(status.attempt.split('.').at(-1)) })
    }
    this.#checkTimes()
  }

  #checkTimes(): void {
    const { cluster } = this.#parts
    const { namenode } = cluster as SimCluster
    const all = [...this.#seen.values()].sort((one, other) => one.number - other.number)
    for (const [i, { status, log }] of all.entries()) {
      if (status.state !== 'done') continue
      const dueMs = nextIn(log)
      if (dueMs === undefined || dueMs % periodMs !== 0)
        this.#tell(`${status.attempt} has ended, and its log does not say when the next build is: ${log}`)
      checkLog(log, what => this.#tell(`${status.attempt}: ${what}: ${log}`))
      const next = all[i + 1]
      if (dueMs === undefined || !next || namenode.wasSet) continue
      if (next.status.startedMs < dueMs - clocksMs)
        this.#tell(`${next.status.attempt} builds ${dueMs - next.status.startedMs} ms before the time that the build before it has told`)
      const laterMs = nextIn(next.log)
      if (next.status.state === 'done' && laterMs !== undefined && laterMs <= dueMs)
        this.#tell(`${next.status.attempt} has built, and tells the time ${new Date(laterMs).toISOString()} again`)
    }
  }

  /** Waits for a build that begins when all is healed and nothing changes any more, and compares what it has built. */
  async #settle(id: string): Promise<void> {
    const { mill, acks, cluster, findings } = this.#parts
    for (let looks = 0; looks < looksMax; looks++) {
      const states = (): Array<number | undefined> => inputs.map(path => acks.settled(path))
      const before = states()
      const builds = this.#ended
      for (; looks < looksMax && this.#ended < builds + 2; looks++) {
        await cluster.advance(lookMs)
        await this.#look(id)
        if (acks.restored) return
      }
      if (this.#ended < builds + 2) break
      if (before.join() !== states().join()) continue
      const lines = inputs.flatMap(path => {
        const state = acks.certain(path)
        return state?.kind === 'file' ? bytesOf(state.content).toString('utf8').split('\n').slice(0, -1) : []
      })
      if (inputs.some(path => acks.certain(path) === undefined)) return
      const words = expectedFrom('wordcount', lines)
      const expected = [words, expectedFrom('lengths', words.split('\n'))]
      for (const [i, path] of datasets.entries()) {
        const found = await this.#patiently(() => outputOf(mill, path)).catch((error: unknown) => codeOf(error))
        if (!acks.restored && found !== expected[i])
          findings.add(`${path}: a schedule has built, and its output is not that of its inputs`)
      }
      return
    }
    findings.add(`a schedule has not built for ${looksMax * lookMs / minuteMs} minutes, and all is healed`)
  }

  /** Builds that have ended. */
  get #ended(): number { return [...this.#seen.values()].filter(({ status }) => status.state === 'done').length }

  async #jobsOf(id: string): Promise<JobStatus[]> {
    const { mill } = this.#parts
    return (await this.#patiently(() => mill.jobs({ limit: 1000 }))).filter(({ parent }) => parent === id)
  }

  /** What logs tell of jobs is so. */
  async #checkJobs(id: string): Promise<void> {
    const { findings } = this.#parts
    const jobs = await this.#jobsOf(id)
    for (const { log, status: { attempt } } of this.#seen.values())
      for (const [, path, job] of log.matchAll(builtForm)) {
        const found = jobs.find(each => each.job === job)
        if (found?.state !== 'succeeded' || found.output !== path)
          findings.add(`${attempt} says that ${job} has built ${path}, which is ${found?.state ?? 'none of its jobs'}`)
      }
    for (const path of datasets) {
      const own = jobs.filter(({ output }) => output === path).sort((one, other) => one.submittedMs - other.submittedMs)
      for (const [i, { job, submittedMs }] of own.entries()) {
        const before = own[i - 1]
        if (before && (before.finishedMs ?? Infinity) > submittedMs && !(this.#parts.cluster as SimCluster).namenode.wasSet)
          findings.add(`${path}: ${before.job} and ${job} compute it at the same time`)
      }
    }
  }

  async #end(id: string): Promise<void> {
    const { mill, cluster, acks, findings } = this.#parts
    await this.#patiently(() => mill.job(id).kill())
    for (let looks = 0; ; looks++) {
      const left = (await this.#jobsOf(id)).filter(({ state }) => state === 'running')
      if (left.length === 0 || acks.restored) return
      if (looks === looksMax) return findings.add(`${left[0]!.job} runs, and the schedule that has submitted it was killed`)
      await cluster.advance(lookMs)
    }
  }
}

const builtForm = /^\S+ (\/\S+): built in .* by (job-\d+)$/gm

/** Time of the next build that a log tells. */
function nextIn(log: string): number | undefined {
  const told = /the next build is at (\S+)\n$/.exec(log)?.[1]
  return told === undefined ? undefined : Date.parse(told)
}

/** Compares the numbers in the log of a process that has ended with its other lines. */
function checkLog(log: string, wrong: (what: string) => void): void {
  const last = log.slice(Math.max(0, log.lastIndexOf(' a build begins\n')))
  const told = /the build has ended: (\d+) of (\d+) datasets were built/.exec(last)
  if (!told) {
    if (!last.includes('the build has failed: ')) wrong('a build has neither ended nor failed')
    return
  }
  const built = [...last.matchAll(builtForm)].length
  if (built !== Number(told[1]) || Number(told[2]) !== datasets.length) wrong(`${built} datasets were built`)
}
