// Mutation testing of one room: finds small changes of production code that no unit test notices. Not a part of `npm test`.
//
//   npm run test:mutation -- journal                        100 mutants of namenode/journal, drawn by seed 1
//   npm run test:mutation -- journal --survivors            only the survivors of the last run, after tests were added
//   npm run test:mutation -- journal --only local.ts:120    only mutants of one line, or of one file
//   npm run test:mutation -- journal --all                  every mutant
//   npm run test:mutation -- journal --tests journal        only test files with that name: quicker, and kills no more
//   npm run test:mutation -- src/record/csv.ts --sample 30 --seed 2
//   npm run test:mutation -- --list                         the rooms, and how many mutants each has
//
// First the unit tests run once, recording the functions that each test file enters (recording.ts; cached for later runs, `--record` runs
// them again). Then each mutant is run against the files that enter its function, most likely killers first. A mutant is killed when a test
// fails or time runs out. Survivors listed in accepted.json, with the reason why no caller can observe them, are not counted. Exit code: 0
// when at least 90 % of the others are killed, 1 when not, 2 for usage.

import { mkdirSync, readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { parseArgs } from 'node:util'
import { shuffled } from '../../src/ports/random.ts'
import { seeded } from '../../src/world/random.ts'
import type { Mutant } from './mutators.ts'
import { cacheDir, entering, recorded, type Recording } from './recording.ts'
import { filesOf, keyOf, mutantsIn, nameOf, rooms, type Name } from './rooms.ts'
import { Runner } from './runners.ts'

const scoreMin = 0.9
/** Added to the time limit of a run, for a busy machine. */
const slackMs = 30_000
/** Test files slower than this run only against mutants that survive the quicker ones. */
const quickMs = 3_000

type Fate = 'killed' | 'timeout' | 'survived' | 'unreached'

const { values, positionals } = parseArgs({
  allowPositionals: true,
  options: {
    sample: { type: 'string', default: '100' }, seed: { type: 'string', default: '1' }, all: { type: 'boolean' },
    survivors: { type: 'boolean' }, only: { type: 'string' }, tests: { type: 'string', default: '' }, list: { type: 'boolean' },
    record: { type: 'boolean', default: false }, jobs: { type: 'string', default: '1' }, verbose: { type: 'boolean' },
  },
})

if (values.list) {
  for (const [name, paths] of Object.entries(rooms))
    console.log(`${name.padEnd(11)} ${String(mutantsIn(filesOf(name)).length).padStart(5)}  ${paths.join(' ')}`)
  process.exit(0)
}
const [room] = positionals
if (room === undefined || positionals.length > 1) {
  console.error(`mutation: name one room or file; rooms: ${Object.keys(rooms).join(', ')}`)
  process.exit(2)
}

const survivorsFile = join(cacheDir, `survivors-${room.replaceAll('/', '-')}.json`)
const files = filesOf(room)
const all = mutantsIn(files)
const drawn = choose()
console.log(
  `${room}: ${drawn.length} of ${all.length} mutants in ${files.length} files` +
  `${values.survivors || values.only || values.all ? '' : `, seed ${values.seed}`}`,
)

const recordings = await recorded(files, { again: values.record, tests: new RegExp(values.tests) })
const accepted = new Set((JSON.parse(readFileSync(join(import.meta.dirname, 'accepted.json'), 'utf8')) as Name[]).map(keyOf))
/** Test files that fail without a mutant: they would seem to kill every mutant. */
const unfit = new Set(recordings.filter(({ failed }) => failed).map(({ file }) => file))
const fates = new Map<Mutant, Fate>()
/** Number of mutants killed in this run, by test file. */
const kills = new Map<string, number>()
const queue = [...drawn]
await checkTests()
for (const file of unfit) console.log(`left out, since it fails without any mutant: ${file}`)
const startMs = performance.now()
await Promise.all(Array.from({ length: Number(values.jobs) }, async () => {
  const runner = new Runner()
  process.once('exit', () => runner.close())
  for (let next = queue.shift(); next; next = queue.shift()) {
    const fate = await meet(next, runner)
    fates.set(next, fate)
    if (fates.size % 10 === 0) console.log(`${fates.size} of ${drawn.length}, ${count('killed', 'timeout').length} killed`)
    if (values.verbose || fate === 'survived' || fate === 'unreached') console.log(`${fate.padEnd(9)} ${describe(next)}`)
  }
  runner.close()
}))

const survivors = count('survived', 'unreached').filter(mutant => !accepted.has(keyOf(nameOf(mutant))))
mkdirSync(cacheDir, { recursive: true })
writeFileSync(survivorsFile, JSON.stringify(survivors.map(nameOf)))
const observable = fates.size - (count('survived', 'unreached').length - survivors.length)
const score = observable === 0 ? 1 : (observable - survivors.length) / observable
console.log(`${room}: ${count('killed').length} killed, ${count('timeout').length} by time, ${survivors.length} survived, `
  + `${fates.size - observable} accepted: `
  + `${(score * 100).toFixed(0)} % of those that can be observed; `
  + `${((performance.now() - startMs) / 1000 / Math.max(1, fates.size)).toFixed(1)} s each`)
process.exitCode = score >= scoreMin ? 0 : 1

function count(...which: Fate[]): Mutant[] { return [...fates].filter(([, fate]) => which.includes(fate)).map(([mutant]) => mutant) }

function choose(): Mutant[] {
  if (values.only !== undefined) {
    const [file, line] = values.only.split(':')
    return all.filter(mutant => `/${mutant.file}`.endsWith(`/${file!}`) && (line === undefined || mutant.line === Number(line)))
  }
  if (values.survivors) {
    const names = new Set((JSON.parse(readFileSync(survivorsFile, 'utf8')) as Name[]).map(keyOf))
    return all.filter(mutant => names.has(keyOf(nameOf(mutant))))
  }
  return values.all ? all : shuffled(all, seeded(values.seed)).slice(0, Number(values.sample))
}

/** Runs the tests once without a mutant, in the same way as with mutants. */
async function checkTests(): Promise<void> {
  const runner = new Runner()
  const tests = [...new Set(drawn.flatMap(mutant => entering(recordings, mutant)))].filter(({ file }) => !unfit.has(file))
  const verdict = await runner.meet({ tests: tests.map(({ file }) => file) }, limitOf(tests))
  if (!verdict) throw new Error('the tests do not end without any mutant; is the machine too busy?')
  for (const file of verdict.failed) unfit.add(file)
  runner.close()
}

function limitOf(tests: readonly Recording[]): number { return tests.reduce((sum, { ms }) => sum + ms, 0) * 4 + slackMs }

async function meet(mutant: Mutant, runner: Runner): Promise<Fate> {
  const candidates = entering(recordings, mutant).filter(({ file }) => !unfit.has(file))
  if (candidates.length === 0) return 'unreached'
  const cost = ({ file, ms }: Recording): number => (ms + 500) / (1 + (kills.get(file) ?? 0))
  const ordered = candidates.sort((a, b) => cost(a) - cost(b))
  const quick = ordered.filter(({ ms }) => ms < quickMs)
  for (const group of [quick, ordered.filter(each => !quick.includes(each))]) {
    if (group.length === 0) continue
    const request = { mutant, tests: group.map(({ file }) => file) }
    // Two tries, because other programs may have slowed the machine down.
    const verdict = await runner.meet(request, limitOf(group)) ?? await runner.meet(request, 2 * limitOf(group))
    if (!verdict) return 'timeout'
    const [killer] = verdict.failed
    if (killer === undefined) continue
    kills.set(killer, (kills.get(killer) ?? 0) + 1)
    return 'killed'
  }
  return 'survived'
}

function describe(mutant: Mutant): string {
  const name = nameOf(mutant)
  return `${mutant.file}:${mutant.line}  ${name.line.slice(0, 160)}\n            becomes  ` +
    `${name.becomes.slice(0, 160)}${accepted.has(keyOf(name)) ? '  (accepted)' : ''}`
}
