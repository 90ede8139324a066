// State of the cluster for all open pages: one caller asks the namenode, however many pages watch, and pages wait here for what has
// changed. Keeps samples of the last hour for the charts.
// INVARIANT: the namenode is asked only while a page watches, or was seen within `idleMs`. A pause is at least `pauseMs`, and fifty times
// the time that the last answer took, so that watching costs at most some 2 % of a namenode, but at most `pauseMaxMs`: a state that is
// older would be taken for the present one. A failed look costs no namenode anything: after it the pauses grow from `pauseMs` to
// `failedMaxMs`.

import { asError, isTransient, type ErrorCode } from '../../src/base/errors.ts'
import type { Clock } from '../../src/ports/clock.ts'
import type { ClusterStatus } from '../../src/protocol/admin.ts'
import type { NodeWork } from '../../src/protocol/heartbeat.ts'
import type { JobStatus } from '../../src/protocol/job.ts'
import { levelsOf, type Levels } from './levels.ts'

export interface LiveSample extends Levels {
  readonly atMs: number
  /** Work of all datanodes since the sample before, for each second; undefined where none is known. */
  readonly rates?: NodeWork | undefined
}

/** The state as pages see it; also while the namenode does not answer, with the reason. */
export interface LiveState {
  readonly version: number
  readonly status?: ClusterStatus | undefined
  /** The newest jobs. */
  readonly jobs: readonly JobStatus[]
  readonly samples: readonly LiveSample[]
  /** When a trouble was first seen, by its name, on the namenode's clock: it may be older. */
  readonly since: Readonly<Record<string, number>>
  readonly trouble?: { readonly code: ErrorCode; readonly message: string } | undefined
}

/** Asks the cluster, as the user of a page that watches. */
type AskLive = (user: string, signal: AbortSignal) => Promise<Pick<Required<LiveState>, 'jobs'> & { readonly status: ClusterStatus }>

const pauseMs = 2_000
const pauseMaxMs = 10_000
const failedMaxMs = 8_000
const idlePauseMs = 10_000
/** A look without an answer for this time is a trouble, though it goes on: the caller repeats a call for longer. */
const lateMs = 4_000
const idleMs = 3_600_000
const sampleMs = 10_000
/** One hour. */
const samplesMax = 360
/** An answer without news comes before a proxy gives up the request. */
const holdMs = 20_000

export class Live {
  readonly #clock: Clock
  readonly #ask: AskLive
  #state: LiveState = { version: 0, jobs: [], samples: [], since: {} }
  #digest = ''
  #user = ''
  #watchers = 0
  #seenMs = -Infinity
  #running: Promise<void> | undefined
  #wake: () => void = () => {}
  readonly #waiting = new Set<() => void>()
  readonly #work = new WorkSoFar()
  readonly #ending = new AbortController()

  constructor({ clock, ask }: { readonly clock: Clock; readonly ask: AskLive }) {
    this.#clock = clock
    this.#ask = ask
  }

  /** The state, once it is newer than `after`, or as it is after `holdMs`. */
  async watch(user: string, after: number, signal: AbortSignal): Promise<LiveState> {
    this.#watchers++
    this.#user = user
    this.#seenMs = this.#clock.mono()
    this.#running ??= this.#run().finally(() => { this.#running = undefined })
    this.#wake()
    try {
      if (this.#state.version <= after || this.#state.version === 0) await this.#changed(signal)
      return this.#state
    } finally {
      this.#watchers--
      this.#seenMs = this.#clock.mono()
    }
  }

  /** Answers all pages that wait, and asks no more. */
  async stop(): Promise<void> {
    this.#ending.abort()
    this.#wake()
    this.#tell()
    await this.#running
  }

  #changed(signal: AbortSignal): Promise<void> {
    return new Promise(resolve => {
      const done = (): void => {
        cancel()
        signal.removeEventListener('abort', done)
        this.#waiting.delete(done)
        resolve()
      }
      const cancel = this.#clock.after(holdMs, done)
      signal.addEventListener('abort', done, { once: true })
      this.#waiting.add(done)
      if (signal.aborted || this.#ending.signal.aborted) done()
    })
  }

  #tell(): void { for (const done of this.#waiting) done() }

  async #run(): Promise<void> {
    let failures = 0
    while (!this.#ending.signal.aborted && (this.#watchers > 0 || this.#clock.mono() - this.#seenMs < idleMs)) {
      const begun = this.#clock.mono()
      failures = await this.#look() ? 0 : failures + 1
      const endedMs = this.#clock.mono()
      const restMs = failures > 0 ? Math.min(failedMaxMs, pauseMs * 2 ** (failures - 1)) : Math.min(pauseMaxMs, 50 * (endedMs - begun))
      await this.#pause(endedMs, Math.max(pauseMs, restMs))
    }
  }

  /** False: it has failed. */
  async #look(): Promise<boolean> {
    const late = { code: 'TIMEOUT', message: `the namenode has not answered for ${lateMs / 1000} s` } as const
    const cancel = this.#clock.after(lateMs, () => this.#set({ ...this.#state, trouble: this.#state.trouble ?? late }, 'trouble late'))
    try {
      const { status, jobs } = await this.#ask(this.#user, this.#ending.signal)
      const samples = this.#sampled(status)
      const nodes = status.nodes.map(newsOf)
      const news = [{ ...status, nodes, nowMs: 0 }, jobs.map(job => [job.job, job.version, job.state]), samples.at(-1)?.atMs]
      this.#set({ status, jobs, samples, since: sinceOf(status, this.#state.since) }, JSON.stringify(news))
      return true
    } catch (thrown) {
      if (this.#ending.signal.aborted) return false
      const error = asError(thrown)
      const trouble = { code: error.code, message: isTransient(thrown) ? `the namenode does not answer: ${error.message}` : error.message }
      this.#set({ ...this.#state, trouble }, `trouble ${error.code}`)
      return false
    } finally {
      cancel()
    }
  }

  #set(state: Omit<LiveState, 'version'>, digest: string): void {
    if (digest === this.#digest) return
    this.#digest = digest
    this.#state = { ...state, version: this.#state.version + 1 }
    this.#tell()
  }

  #sampled(status: ClusterStatus): readonly LiveSample[] {
    const { samples } = this.#state
    const atMs = status.nowMs
    const last = samples.at(-1)
    if (last && atMs - last.atMs < sampleMs && atMs >= last.atMs) return samples
    const rates = this.#work.since(status)
    return [...samples.slice(1 - samplesMax), { atMs, ...levelsOf(status), ...rates && { rates } }]
  }

  /** Waits for `restMs` from `fromMs` on, and longer while no page watches: a page that comes shortens the pause. */
  #pause(fromMs: number, restMs: number): Promise<void> {
    return new Promise(resolve => {
      let cancel = (): void => {}
      const arm = (): void => {
        cancel()
        const ms = this.#watchers > 0 ? restMs : Math.max(restMs, idlePauseMs)
        const left = this.#ending.signal.aborted ? 0 : fromMs + ms - this.#clock.mono()
        if (left > 0) {
          cancel = this.#clock.after(left, arm)
          return
        }
        this.#wake = () => {}
        resolve()
      }
      this.#wake = arm
      arm()
    })
  }
}

/**
 * The part of a node's status that is news: times since the last contact differ each time, and say nothing while a node is live; work so
 * far is news as a rate, and free space by the percent, because other programs write to the same disks all the time. Each sample has the
 * rest.
 */
const newsOf = (node: ClusterStatus['nodes'][number]) => ({
  ...node,
  done: undefined,
  sinceContactMs: node.state === 'live' ? 0 : node.sinceContactMs,
  storages: node.storages.map(storage => ({ ...storage, freeBytes: Math.round(storage.freeBytes / (storage.capacityBytes || 1) * 100) })),
})

/** Counters of a datanode, and when it told them, on the namenode's clock. */
interface Told { readonly done: NodeWork; readonly toldMs: number }

/** Counters of each datanode when it was last looked at. */
class WorkSoFar {
  #seen: ReadonlyMap<string, Told> = new Map()

  /**
   * Work since the last look, for each second; undefined if that is not known of any node. The work of a node counts over the time between
   * its own reports, which is longer than that between two looks after a time without any. A process that has started since then counts
   * from 0. A node that is seen for the first time, or has not reported since the last look, does not count.
   */
  since({ nodes, nowMs }: Pick<ClusterStatus, 'nodes' | 'nowMs'>): NodeWork | undefined {
    const seen = new Map<string, Told>()
    const rates = { readBytes: 0, writtenBytes: 0, attempts: 0 }
    let isKnown = false
    for (const { node, done, sinceContactMs } of nodes) {
      const last = this.#seen.get(node)
      const toldMs = nowMs - sinceContactMs
      if (!done || (last && toldMs === last.toldMs)) {
        if (last) seen.set(node, last)
        continue
      }
      seen.set(node, { done, toldMs })
      // The clock of the namenode may have been set back.
      if (!last || toldMs < last.toldMs) continue
      isKnown = true
      const isSame = workKinds.every(kind => done[kind] >= last.done[kind])
      for (const kind of workKinds) rates[kind] += (done[kind] - (isSame ? last.done[kind] : 0)) * 1000 / (toldMs - last.toldMs)
    }
    this.#seen = seen
    return isKnown ? rates : undefined
  }
}

const workKinds = ['readBytes', 'writtenBytes', 'attempts'] as const

/** Troubles of a cluster, by the names that the page has for them (page/problems.ts). */
function sinceOf(status: ClusterStatus, before: LiveState['since']): LiveState['since'] {
  const { missing, corrupt = 0, awaited = 0, underReplicated, safeMode, behind, nodes, nowMs } = status
  const names = [
    ...missing > awaited ? ['missing'] : [], ...corrupt > 0 ? ['corrupt'] : [], ...underReplicated > 0 ? ['underReplicated'] : [],
    ...awaited > 0 ? ['awaited'] : [], ...safeMode ? ['safeMode'] : [], ...behind === undefined ? [] : ['behind'],
    ...nodes.some(({ state }) => state === 'live') ? [] : ['noNode'],
    ...nodes.flatMap(({ node, state }) => (state === 'dead' || state === 'stale' ? [`${state} ${node}`] : [])),
    ...nodes.flatMap(({ node, storages }) => (storages.some(({ failed }) => failed) ? [`disk ${node}`] : [])),
  ]
  return Object.fromEntries(names.map(name => [name, before[name] ?? nowMs]))
}
