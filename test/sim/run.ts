// Runs plans of the campaign: one seed, many, or a plan from a file; replays failures, and shrinks them.
//
//   node test/sim/run.ts --seed 7 [--workload files] [--profile crashy]   one seed, with its trace's hash
//   node test/sim/run.ts --seeds 1000 [--from 1] [--minutes 10] [--show]  many, until one fails or time is up; prints a line for each
//   node test/sim/run.ts --fixed [--half 1] [--seeds 20] [--show]         the seeds of `npm test` (fixed.json), or every other one
//   node test/sim/run.ts --seed 7 --shrink [--out plan.json]              the smallest plan that still fails
//   node test/sim/run.ts --fresh 1000 [--from 1] [--minutes 10]           seeds drawn at random, one process per core; goes on after
//                                                                         a finding, and files each plan that fails in kept/
//   node test/sim/run.ts --plan plan.json                                 an unchanged plan from a file
//   node test/sim/run.ts --kept                                           all plans that ever found something (see kept/)
//   node test/sim/run.ts --canary early-ack [--seeds 50]                  with a bug planted, which has to be found
// --turns 5: time that each event is given to come to rest (see Kernel); it changes no trace.

import { readdirSync, readFileSync, writeFileSync } from 'node:fs'
import { basename } from 'node:path'
import { parseArgs } from 'node:util'
import { canaries, plant, type Bug, type Canary } from './canary/index.ts'
import type { Profile } from './fault/index.ts'
import type { Plan } from './plan.ts'
import type { Result } from './simulated.ts'
import type { Workload } from './workload/index.ts'

const { values } = parseArgs({
  options: {
    seed: { type: 'string' }, seeds: { type: 'string' }, from: { type: 'string' }, minutes: { type: 'string' },
    workload: { type: 'string' }, profile: { type: 'string' }, plan: { type: 'string' }, shrink: { type: 'boolean' },
    out: { type: 'string' }, canary: { type: 'string' }, kept: { type: 'boolean' }, fresh: { type: 'string' }, keep: { type: 'boolean' },
    show: { type: 'boolean' }, turns: { type: 'string' }, fixed: { type: 'boolean' }, half: { type: 'string' },
  },
})

function refuse(why: string): never {
  console.error(`sim: ${why}`)
  process.exit(2)
}

function one<T extends string>(what: string, value: string | undefined, among: Readonly<Record<T, unknown>>): T | undefined {
  if (value !== undefined && !Object.hasOwn(among, value))
    refuse(`there is no ${what} "${value}"; there are ${Object.keys(among).join(', ')}`)
  return value as T | undefined
}

function numberOf(option: string, value: string | undefined, otherwise: number): number {
  const number = value === undefined ? otherwise : Number(value)
  if (!(number >= 0)) refuse(`--${option} takes a number, not "${value}"`)
  return number
}

const canary = one<Canary>('canary', values.canary, canaries)
const hints: Bug | undefined = canary && canaries[canary]
/** Bugs in the ways of blocks are looked for in files of blocks, and others where they are said to be. */
const inline = canary && (hints?.inline ?? false)
if (canary) plant(canary)
// Imported late: a bug must be planted before the sources are loaded, and the faults use the product's messages.
const [
  { replayOf, runSimulated, Tally }, { planOf }, { profiles }, { workloads }, { runFresh }, { kindOf, shrink }, { fixedSeeds },
] = await Promise.all([
  import('./simulated.ts'), import('./plan.ts'), import('./fault/index.ts'), import('./workload/index.ts'), import('./fresh.ts'),
  import('./shrink.ts'), import('./fixed.ts'),
])
const workload = one<Workload>('workload', values.workload ?? hints?.workload, workloads)
const profile = one<Profile>('profile', values.profile ?? hints?.profile, profiles)

const simulation = { untilFound: canary !== undefined, ...values.turns !== undefined && { turns: numberOf('turns', values.turns, 0) } }

function show(plan: Plan, { outcome, stopped, hash, events, virtualMs }: Result): void {
  console.log(
    `seed ${plan.seed}, ${plan.workload} under ${plan.profile}: `
      + (stopped ? 'stopped at its first finding, ' : `${outcome.ops} calls (${outcome.acknowledged} acknowledged), `
        + `${[...outcome.faults.values()].reduce((a, b) => a + b, 0)} faults, `)
      + `${events} events in ${virtualMs.toFixed(6)} ms, trace ${hash}`,
  )
  for (const finding of outcome.findings) console.log(`  ${finding}`)
  if (outcome.findings.length > 0) console.log(`replay: ${replayOf(plan, canary)}`)
}

async function failing(plan: Plan, result: Result): Promise<never> {
  show(plan, result)
  if (values.shrink) {
    const kind = kindOf(result.outcome.findings[0]!)
    const small = await shrink(plan, async candidate =>
      (await runSimulated(candidate)).outcome.findings.some(finding => kindOf(finding) === kind),
    )
    const out = values.out ?? `plan-${plan.seed}.json`
    writeFileSync(out, JSON.stringify(small.plan, null, 1))
    console.log(
      `the smallest plan found in ${small.runs} runs has ${small.plan.ops.length} calls and ${small.plan.faults.length} faults: node test/sim/run.ts --plan ${out}`,
    )
  }
  process.exit(canary ? 0 : 1)
}

/** Files a failing plan in kept/, so that `--kept` and `npm test` run it from now on. */
function keep(plan: Plan, found: string): void {
  const file = new URL(`./kept/${plan.workload}-${plan.profile}-${plan.seed}.json`, import.meta.url)
  writeFileSync(file, `${JSON.stringify({ found, plan }, null, 1)}\n`)
  console.log(`filed as test/sim/kept/${basename(file.pathname)}`)
}

async function runKept(): Promise<void> {
  // As plans, not as seeds: a new kind of fault changes the plans of all seeds, and with them their findings.
  const directory = new URL('./kept/', import.meta.url)
  const tally = new Tally()
  for (const name of readdirSync(directory).sort()) {
    const plan = planIn(new URL(name, directory))
    const result = await runSimulated(plan)
    tally.add(result)
    if (result.outcome.findings.length > 0) {
      console.log(`kept/${name} fails:`)
      await failing(plan, result)
    }
  }
  console.log(String(tally))
}

async function runOne(): Promise<void> {
  const plan = values.plan !== undefined
    ? planIn(values.plan)
    : planOf({ seed: numberOf('seed', values.seed, 1), workload, profile, inline })
  const result = await runSimulated(plan, simulation)
  if (result.outcome.findings.length > 0) await failing(plan, result)
  show(plan, result)
  if (canary) process.exit(1)
}

/** Reads a plan file, or one of kept/. */
function planIn(file: string | URL): Plan {
  const read = JSON.parse(readFileSync(file, 'utf8')) as Plan | { plan: Plan }
  return 'plan' in read ? read.plan : read
}

/** Seeds of a run of many, in their order. */
function* seedsToRun(): Generator<number> {
  if (values.fixed) {
    const half = values.half === undefined ? undefined : numberOf('half', values.half, 1)
    if (half !== undefined && half !== 1 && half !== 2) refuse('--half takes 1 or 2')
    return yield* fixedSeeds(half).slice(0, numberOf('seeds', values.seeds, Infinity))
  }
  const from = numberOf('from', values.from, 1)
  const count = numberOf('seeds', values.seeds, 100)
  for (let i = 0; i < count; i++) yield from + i
}

async function runMany(): Promise<void> {
  const until = performance.now() + numberOf('minutes', values.minutes, Infinity) * 60_000
  const tally = new Tally()
  let failed = 0
  let attempt = 0
  for (const seed of seedsToRun()) {
    if (performance.now() >= until) break
    attempt++
    const plan = planOf({ seed, workload, profile, inline })
    const result = await runSimulated(plan, simulation)
    tally.add(result)
    if (result.outcome.findings.length === 0) {
      if (values.show) show(plan, result)
      continue
    }
    failed++
    if (canary) console.log(`${canary} was caught by seed ${seed}, attempt ${attempt}`)
    if (!values.keep) await failing(plan, result)
    show(plan, result)
    keep(plan, result.outcome.findings[0]!)
  }
  console.log(String(tally))
  if (canary) console.log(`${canary} was not caught`)
  if (canary || failed > 0) process.exit(1)
}

if (values.fresh !== undefined) process.exitCode = await runFresh({ count: numberOf('fresh', values.fresh, 0), ...values })
else if (values.kept) await runKept()
else if (values.plan !== undefined || (values.seed !== undefined && values.seeds === undefined)) await runOne()
else await runMany()
