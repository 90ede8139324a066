// Chooses the fixed seeds of `npm test`, fixed.json: few and cheap ones which reach every goal (goals.ts) that seeds 1 to 300 reach.
//
//   node test/sim/choose.ts           chooses, and writes the list: after a change of the workloads, faults or goals
//   node test/sim/choose.ts --check   fails if the list misses a goal
//
// A greedy cover: the plan with the most missing goals for its cost is taken next, so the first seeds of the list reach the most.

import { writeFileSync } from 'node:fs'
import { parseArgs } from 'node:util'
import { parseBytes } from '../../src/base/units.ts'
import { fixedFile, fixedSeeds } from './fixed.ts'
import { goalsOf } from './goals.ts'
import { planOf, type Action, type Plan } from './plan.ts'

/** Every goal that a plan with one of the seeds up to this one reaches has to be reached. */
const lastSeed = 300
/** Seeds to choose from: among many there are more that reach much at little cost. */
const lastCandidate = 8_000

/** Profiles whose runs wait for the deaths of nodes, for operators, or for a second start. */
const isLong: ReadonlySet<Plan['profile']> = new Set(['beyond', 'copies', 'restored', 'strangers'])

interface Candidate { readonly seed: number; readonly cost: number; readonly goals: ReadonlySet<string> }

const candidateOf = (seed: number): Candidate => {
  const plan = planOf({ seed })
  return { seed, cost: costOf(plan), goals: goalsOf(plan) }
}
const upTo = (last: number): number[] => Array.from({ length: last }, (_, i) => i + 1)
const goalsReachedBy = (seeds: readonly number[]): Set<string> => new Set(seeds.flatMap(seed => [...goalsOf(planOf({ seed }))]))

/** Kinds of calls that take long, in events. */
const slowCalls: Readonly<Partial<Record<Action['kind'], number>>> = {
  job: 1_900, elsewhere: 1_900, build: 950, schedule: 1_900, drive: 7_000, follow: 30_000,
}

/** Estimated number of events of a run: half of what differs between runs. */
function costOf({ blockSize, ops, workload, profile }: Plan): number {
  let cost = 3_500 + (workload === 'operators' ? 4_000 : 0) + (isLong.has(profile) ? 2_500 : 0)
  for (const { action } of ops) {
    cost += slowCalls[action.kind] ?? 0
    const contents = action.kind === 'puts' ? action.contents : 'content' in action ? [action.content] : []
    for (const { bytes } of contents) cost += 45 * Math.max(1, Math.ceil(bytes / parseBytes(blockSize)))
  }
  return cost
}

/** Removes what it chooses from `missing`. */
function cover(candidates: readonly Candidate[], missing: Set<string>): Candidate[] {
  const chosen: Candidate[] = []
  while (missing.size > 0) {
    let best: Candidate | undefined
    let bestGain = 0
    for (const candidate of candidates) {
      let found = 0
      for (const goal of candidate.goals) if (missing.has(goal)) found++
      const gain = found / candidate.cost
      if (gain > bestGain) [best, bestGain] = [candidate, gain]
    }
    if (!best) throw new Error(`no seed reaches ${[...missing].join('; ')}`)
    chosen.push(best)
    for (const goal of best.goals) missing.delete(goal)
  }
  return chosen
}

/** Without seeds whose goals later ones reach as well; the most expensive first. */
function withoutSpare(chosen: readonly Candidate[], wanted: ReadonlySet<string>): Candidate[] {
  const times = new Map<string, number>()
  for (const { goals } of chosen) for (const goal of goals) if (wanted.has(goal)) times.set(goal, (times.get(goal) ?? 0) + 1)
  const spare = new Set<Candidate>()
  for (const candidate of [...chosen].sort((a, b) => b.cost - a.cost)) {
    const needed = [...candidate.goals].filter(goal => wanted.has(goal))
    if (needed.some(goal => times.get(goal) === 1)) continue
    spare.add(candidate)
    for (const goal of needed) times.set(goal, times.get(goal)! - 1)
  }
  return chosen.filter(candidate => !spare.has(candidate))
}

const { values } = parseArgs({ options: { check: { type: 'boolean' } } })
const wanted = goalsReachedBy(upTo(lastSeed))
if (values.check) {
  const reached = goalsReachedBy(fixedSeeds())
  const missing = [...wanted].filter(goal => !reached.has(goal))
  if (missing.length > 0) {
    console.error(`the fixed seeds do not reach: ${missing.join('; ')}\nto choose others: node test/sim/choose.ts`)
    process.exitCode = 1
  }
} else {
  const chosen = withoutSpare(cover(upTo(lastCandidate).map(candidateOf), new Set(wanted)), wanted)
  const seeds = chosen.map(({ seed }) => seed)
  const lines = Array.from({ length: Math.ceil(seeds.length / 20) }, (_, i) => seeds.slice(20 * i, 20 * i + 20).join(', '))
  writeFileSync(fixedFile, `[\n  ${lines.join(',\n  ')}\n]\n`)
  console.log(`${seeds.length} seeds reach ${goalsReachedBy(seeds).size} goals; seeds 1 to ${lastSeed} reach ${wanted.size}`)
}
