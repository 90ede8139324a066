// Runs one plan on one cluster: clients work while faults occur; then everything is healed, has to come to rest, and is checked against
// the model of acknowledged calls and against the invariants.

import type { Cluster } from '../kit/contract.ts'
import { Acks, keyOf } from './acks.ts'
import { checkQuotas } from './care.ts'
import { codeOf, isOneOf, type Findings } from './change.ts'
import { lostFiles } from './damage.ts'
import { identify, runClients } from './clients.ts'
import { Nemesis } from './nemesis.ts'
import type { Action, Plan } from './plan.ts'
import { endDoubt, tidyUp } from './tidyup.ts'
import { outputOf } from './programs.ts'
import { Versions, VersionsKnown, versionedBucket } from './versions.ts'

/** Virtual time after the last fault: longer than the death of a node, copying its blocks, and every retry in between. */
const restMs = 300_000
const lookMs = 20_000
/** Virtual time limit for clients whose calls hang because of a fault. */
const clientsMs = 900_000

/** Profiles that may replace the disks of all datanodes, with their identities, while the namenode is down. */
const replacesAll: ReadonlySet<Plan['profile']> = new Set(['beyond', 'strangers'])

export interface Outcome {
  readonly findings: readonly string[]
  readonly ops: number
  readonly faults: ReadonlyMap<string, number>
  readonly skipped: number
  readonly acknowledged: number
  readonly unknown: number
  readonly bytes: number
}

/** `onFinding` gets each finding when it is made. */
export async function runPlan(cluster: Cluster, plan: Plan, onFinding?: (finding: string) => void): Promise<Outcome> {
  const found: string[] = []
  const findings: Findings = {
    all: found,
    add(what) {
      if (found.length < 100) found.push(what)
      onFinding?.(what)
    },
  }
  const acks = new Acks()
  const known = new VersionsKnown()
  const nemesis = new Nemesis(cluster, acks, { bounded: plan.profile !== 'beyond' })
  let ops = 0
  await cluster.waitActive()
  const waiting = new Map<number, Action>()
  const clients = runClients({ cluster, acks, findings, ops: plan.ops, waiting, healed: () => nemesis.healed, known }).then(
    done => {
      ops = done
    },
    (error: unknown) => {
      findings.add(`a client broke down: ${String((error as Error).stack)}`)
    },
  )
  await nemesis.run(plan.faults)
  // Clients that wait for a lost node continue once all is healed.
  const lastMs =
    Math.max(0, ...plan.faults.map(({ atMs, action }) => atMs + ('ms' in action ? action.ms : 0)))
    - Math.max(0, ...plan.faults.map(fault => fault.atMs))
  await Promise.race([clients, cluster.advance(lastMs)])
  try {
    await nemesis.heal()
  } catch (error) {
    findings.add(`a node cannot be started again: ${(error as Error).message}`)
  }
  if (replacesAll.has(plan.profile)) {
    await endDoubt(cluster, findings.add).catch((error: unknown) => {
      findings.add(`safe mode cannot be asked for: ${(error as Error).message}`)
    })
  }
  const late = Symbol('late')
  const longestMs = Math.max(0, ...plan.ops.map(({ action }) => (action.kind === 'follow' ? action.ms : 0)))
  if ((await Promise.race([clients, cluster.advance(clientsMs + longestMs).then(() => late)])) === late)
    findings.add(
      `clients still wait for answers long after all was healed: ${[...waiting].map(([client, { kind, path }]) => `client ${client} in ${kind} ${path}`).join(', ')}`,
    )
  for (const problem of nemesis.problems) findings.add(problem)
  const { restored } = nemesis
  try {
    if (plan.profile === 'beyond') {
      await compare(cluster, acks, findings, await lostFiles(cluster, findings.add))
      await tidyUp(cluster, { acks, mayBeDamaged: () => true, add: findings.add })
    } else if (restored) {
      const mayBeDamaged = (path: string): boolean => path.startsWith(`${versionedBucket}/`) || acks.touchedSince(path, restored)
      await tidyUp(cluster, { acks, mayBeDamaged, add: findings.add })
    }
  } catch (error) {
    findings.add(`an operator cannot tidy up: ${(error as Error).message}`)
  }
  for (const line of await rest(cluster)) findings.add(line)
  await compare(cluster, acks, findings)
  if (plan.profile !== 'beyond') await new Versions({ cluster, mill: cluster.mill, acks, findings, known }).check()
  await checkQuotas(cluster.mill, ms => cluster.advance(ms), findings.add).catch((error: unknown) =>
    findings.add(`quotas cannot be asked for: ${(error as Error).message}`),
  )
  return {
    findings: found, ops, faults: nemesis.done, skipped: nemesis.skipped, acknowledged: acks.acknowledged, unknown: acks.unknowns,
    bytes: acks.bytes,
  }
}

/** Scrubs all disks and waits until all invariants hold; returns the violations that remain when the time is over. */
async function rest(cluster: Cluster): Promise<readonly string[]> {
  for (let waited = 0; ; waited += lookMs) {
    try {
      await cluster.waitQuiet(restMs)
      await Promise.all(cluster.datanodes.map(node => node.triggerScrub()))
      await cluster.waitQuiet(restMs)
    } catch (error) {
      return [`the cluster does not come to rest: ${(error as Error).message}`]
    }
    const { ok, broken } = await cluster.check()
    if (ok || waited >= restMs) return broken
    // Expired leases and their blocks take time to disappear.
    await cluster.advance(lookMs)
  }
}

/** Compares every path ever written with its possible states; paths in `lost` may also answer with BLOCK_MISSING or CORRUPT. */
async function compare({ mill }: Cluster, acks: Acks, findings: Findings, lost: ReadonlySet<string> = new Set()): Promise<void> {
  for (const path of acks.paths) {
    const possible = acks.possible(path)
    const keys = new Set(possible.map(keyOf))
    let is: string
    try {
      const status = await mill.status(path)
      if (status.type === 'directory') {
        const output = possible.some(state => state.kind === 'output') ? await outputOf(mill, path) : undefined
        // A job that may have replaced a directory has replaced it whole, or left it as it was: without _SUCCESS and parts.
        const untouched = output === undefined || (keys.has('directory') && /^no _SUCCESS (?!.*part-)/.test(output))
        is = untouched ? 'directory' : `output ${output}`
      } else {
        const state = identify(await mill.readFile(path), possible)
        if (typeof state === 'string') {
          findings.add(`${path}: ${state}`)
          continue
        }
        is = keyOf(state)
      }
    } catch (error) {
      const gone =
        isOneOf(['BLOCK_MISSING', 'CORRUPT'], codeOf(error)) && [...lost].some(each => each === path || each.startsWith(`${path}/`))
      if (gone) continue
      if (codeOf(error) !== 'ENOENT') {
        findings.add(`${path}: cannot be read though all is healed: ${codeOf(error)}: ${(error as Error).message}`)
        continue
      }
      is = 'absent'
    }
    if (!keys.has(is))
      findings.add(`${path}: is ${is.slice(0, 200)}, and was acknowledged as ${[...keys].map(key => key.slice(0, 200)).join(' or ')}`)
  }
}
