// Programs that run detached: each output is that of a run without faults; no step has two jobs, however often the process that drives the
// program is killed, cut off or replaced; what a step has told the program stays; and the program ends once all is healed.

import { join } from 'node:path'
import { submit } from '../../src/protocol/job.ts'
import type { SimCluster } from '../kit/sim/cluster.ts'
import type { State } from './acks.ts'
import { codeOf, isOneOf, notNow, type ClientParts } from './change.ts'
import { bytesOf } from './content.ts'
import type { Action } from './plan.ts'
import { taskTimeoutMs } from './jobs.ts'
import { countsOf, expectedFrom, outputOf } from './programs.ts'

/** Of what programs get, in whatever process they run. A simulation runs all of them in this one. */
export interface Observer {
  /** Another number for each call. */
  draw(): number
  /** A program has got this result of a step. */
  sees(step: string, result: unknown): void
}

type DriveAction = Extract<Action, { readonly kind: 'drive' | 'endDrivers' }>

const file = join(import.meta.dirname, 'programs/branched.ts')
const askMs = 2_000
/** Questions about a program after all is healed: longer than each retry of its process. */
const asksMax = 400

/**
 * Failures of a step that faults can cause: what it reads is lost, its tasks were too often, no node has a disk that works for them, the
 * clocks of most nodes are wrong, or the namenode's disk is full.
 */
const byFault = /lost|cannot be read|replica|time limit|was told to throw|process ended|exited|could not run the task|the signature is|disk under/

export class Drives implements Observer {
  readonly #parts: ClientParts
  readonly #seen = new Map<string, unknown>()
  #drawn = 0
  constructor(parts: ClientParts) { this.#parts = parts }

  draw(): number { return ++this.#drawn }

  sees(step: string, result: unknown): void {
    if (!this.#seen.has(step)) this.#seen.set(step, result)
    const before = this.#seen.get(step)
    // With the namenode's disk, records that were made after the backup are lost.
    if (before !== result && !this.#parts.acks.restored)
      this.#parts.findings.add(`${step}: a program has got ${before} as result of a step, and then ${result}`)
  }

  async act(action: DriveAction): Promise<void> {
    const { cluster } = this.#parts
    if (action.kind === 'drive') return this.#drive(action)
    // Real processes are killed by test/cluster/detached.test.ts.
    if (cluster.mode !== 'sim') return
    const { network, datanodes } = cluster as SimCluster
    const { lateMs: ms, withinMs = 0, afterMs = 0 } = action
    if (withinMs > 0 && datanodes.every(({ drivers }) => drivers.size === 0)) {
      await nextDriver(cluster as SimCluster, withinMs)
      await cluster.advance(afterMs)
    }
    for (const [from, end] of datanodes.flatMap(({ drivers }) => [...drivers])) {
      if (ms === undefined) end()
      else network.endWith({ from, path: submit.path, ms, end })
    }
  }

  async #drive({ input, path }: Extract<DriveAction, { kind: 'drive' }>): Promise<void> {
    const { acks, mill, findings } = this.#parts
    ;(globalThis as { observer?: Observer }).observer = this
    const inputs = acks.paths.filter(each => each.startsWith(`${input}/`)).map(each => acks.certain(each))
    const lines = inputs.flatMap(state => (state?.kind === 'file' ? bytesOf(state.content).toString('utf8').split('\n').slice(0, -1) : []))
    if (lines.length === 0 || inputs.includes(undefined)) return
    const outputs = outputsOf(path, lines)
    const { era } = acks
    const pending = acks.begin(new Map<string, State>([...outputs].map(([each, key]) => [each, { kind: 'output', key }])))
    let isEnded = false
    try {
      const { id } = await mill.run(file, { input, output: path, detach: true, taskTimeoutMs })
      await this.#ended(id)
      isEnded = true
      pending.acknowledged()
      if (!acks.restored) await this.#check(id, path, outputs)
    } catch (error) {
      if (!isEnded) pending.unknown()
      const { message } = error as Error
      const isFault = isOneOf(notNow, codeOf(error)) || codeOf(error) === 'JOB_FAILED' && byFault.test(message)
      if (!acks.restored && !isFault) findings.add(`${path}: a detached program has ended with ${codeOf(error)}: ${message}`)
    }
    // What it has read depends on what was there then.
    if (acks.era !== era) acks.forget([...outputs.keys()])
  }

  /** Waits for the end of the job that drives the program. Throws its failure, and that of a connection which stays lost. */
  async #ended(id: string): Promise<void> {
    const { mill, cluster, acks, healed } = this.#parts
    for (let asks = 0; ;) {
      try {
        return void await mill.job(id).wait()
      } catch (error) {
        if (!isOneOf(notNow, codeOf(error)) || acks.restored) throw error
        if (healed() && ++asks > asksMax) throw error
        await cluster.advance(askMs)
      }
    }
  }

  async #check(id: string, path: string, outputs: ReadonlyMap<string, string>): Promise<void> {
    const { mill, findings } = this.#parts
    for (const [each, key] of outputs)
      if (await outputOf(mill, each) !== key) findings.add(`${each}: the output of a detached program is not that of a run without faults`)
    const [late, again] = await Promise.all(['late', 'again'].map(name => outputOf(mill, `${path}/${name}`)))
    if (late !== again) findings.add(`${path}: a step has told a detached program ${late}, and then ${again}`)
    const all = await mill.jobs({ limit: 1000 })
    const { driver } = all.find(({ job }) => job === id)!
    const steps = all.flatMap(({ driver: of }) => (of?.id === driver!.id && of.step > 0 ? [of] : []))
    for (const [step, jobs] of Map.groupBy(steps, of => of.step)) {
      const [{ method } = { method: '' }] = jobs
      // `take` runs its first tasks, and then all, if those have too few values.
      if (jobs.length > (method === 'take' ? 2 : 1)) findings.add(`${path}: step ${step}, ${method}, has ${jobs.length} jobs`)
    }
  }
}

/** Resolves when a process that drives a program starts, or after `withinMs`. */
async function nextDriver(cluster: SimCluster, withinMs: number): Promise<void> {
  const { promise, resolve } = Promise.withResolvers<void>()
  const forgets = cluster.datanodes.map(node => node.onDriver(resolve))
  await Promise.race([promise, cluster.advance(withinMs)])
  for (const forget of forgets) forget()
}

function outputsOf(path: string, lines: readonly string[]): ReadonlyMap<string, string> {
  const counts = countsOf(lines)
  const [most] = [...counts].sort(([a, x], [b, y]) => y - x || (a < b ? -1 : 1))
  return new Map([
    [`${path}/counts`, expectedFrom('wordcount', lines)],
    [`${path}/chosen`, expectedFrom(counts.size % 2 === 0 ? 'looped' : 'paired', lines)],
    [`${path}/told`, `${counts.size} ${most!.join(' ')}`],
  ])
}
