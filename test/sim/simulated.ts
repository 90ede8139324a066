// Runs one plan on a simulated cluster; tallies many runs.

import { parseDuration } from '../../src/base/units.ts'
import { lookInside } from '../kit/sim/inside.ts'
import { startSim } from '../kit/sim/cluster.ts'
import { runPlan, type Outcome } from './campaign.ts'
import type { Plan } from './plan.ts'

export interface Result {
  readonly outcome: Outcome
  /** It was stopped at its first finding, and has counted nothing. */
  readonly stopped: boolean
  /** Hash of the trace: equal for equal seeds. */
  readonly hash: string
  readonly events: number
  readonly virtualMs: number
}

const nothing: Outcome = { findings: [], ops: 0, faults: new Map(), skipped: 0, acknowledged: 0, unknown: 0, bytes: 0 }

/**
 * `turns`: see Kernel; it does not change the trace, as the gate shows. `untilFound`: the run is stopped at its first finding, for a
 * planted bug: most of a run comes after it. REQUIRES: the process ends then, because clients of the run still wait.
 */
export async function runSimulated(
  plan: Plan, { untilFound = false, ...options }: { readonly turns?: number; readonly untilFound?: boolean } = {},
): Promise<Result> {
  const { promise: first, resolve: onFinding } = Promise.withResolvers<string>()
  const cluster = await startSim({
    ...options, datanodes: plan.datanodes, racks: plan.racks, disks: plan.disks ?? 1, seed: plan.seed,
    settings: { ...plan.settings, blockSize: plan.blockSize },
    onError: error => onFinding(`no error is unhandled: ${error}`),
  })
  try {
    const whole = runPlan(cluster, plan, onFinding)
    const ended = await (untilFound ? Promise.race([whole, first]) : whole)
    const { trace: { hash, events }, now: virtualMs } = cluster
    if (typeof ended === 'string') return { outcome: { ...nothing, findings: [ended] }, stopped: true, hash, events, virtualMs }
    // One finding per cause: a cluster that is not at rest would also have leftovers.
    const inside =
      ended.findings.length > 0 ? [] : await lookInside(cluster, { trashKeepMs: parseDuration(plan.settings?.['blockTrashKeep'] ?? '1h') })
    const outcome = { ...ended, findings: [...ended.findings, ...inside] }
    return { outcome, stopped: false, hash: cluster.trace.hash, events: cluster.trace.events, virtualMs: cluster.now }
  } finally {
    await cluster.stop()
  }
}

/** Command that repeats the run. */
export const replayOf = ({ seed, workload, profile }: Plan, canary?: string): string =>
  `node test/sim/run.ts --seed ${seed} --workload ${workload} --profile ${profile}${canary ? ` --canary ${canary}` : ''}`

export class Tally {
  seeds = 0
  events = 0
  ops = 0
  acknowledged = 0
  unknown = 0
  bytes = 0
  skipped = 0
  virtualMs = 0
  findings = 0
  readonly faults = new Map<string, number>()

  add({ outcome, events, virtualMs }: Result): void {
    this.seeds++
    this.events += events
    this.virtualMs += virtualMs
    this.ops += outcome.ops
    this.acknowledged += outcome.acknowledged
    this.unknown += outcome.unknown
    this.bytes += outcome.bytes
    this.skipped += outcome.skipped
    this.findings += outcome.findings.length
    for (const [kind, count] of outcome.faults) this.faults.set(kind, (this.faults.get(kind) ?? 0) + count)
  }

  toString(): string {
    const faults = [...this.faults].sort(([a], [b]) => (a < b ? -1 : 1)).map(([kind, count]) => `${kind} ${count}`).join(', ')
    return `${this.seeds} seeds, ${this.events.toLocaleString('en')} events, ${(this.virtualMs / 3_600_000).toFixed(1)} hours `
      + `of virtual time, ${this.ops} calls (${this.acknowledged} acknowledged, ${this.unknown} without an answer), `
      + `${this.bytes.toLocaleString('en')} bytes acknowledged; faults: ${faults || 'none'} (${this.skipped} not allowed or not possible); findings: ${this.findings}`
  }
}
