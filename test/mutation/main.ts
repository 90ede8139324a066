// Mutation testing of one room: which small changes of production code do no unit test notices? Not a part of `npm test`.
//
//   npm run test:mutation -- journal                        100 mutants of namenode/journal, drawn by seed 1
//   npm run test:mutation -- journal --all                  every mutant
//   npm run test:mutation -- src/record/csv.ts --sample 30 --seed 2
//   npm run test:mutation -- --list                         the rooms, and how many mutants each has
//
// First the unit tests run once, recording which functions each test file enters; then each mutant meets the files that enter its
// function, quickest first. A mutant is killed when a test fails or time runs out. Survivors are compared with accepted.json, which
// says of each why no caller can observe it. Exit code: 0 when at least 90 % of the others are killed, 1 when not, 2 for usage.

import { spawn } from 'node:child_process'
import { mkdtempSync, readdirSync, readFileSync, rmSync, statSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join, relative } from 'node:path'
import { parseArgs } from 'node:util'
import { shuffled } from '../../src/ports/random.ts'
import { seeded } from '../../src/world/random.ts'
import { mutantsOf, type Mutant } from './mutators.ts'
import { root } from './plant.ts'
import { mutantVariable, recordingsVariable, recordVariable } from './variables.ts'

const rooms: Readonly<Record<string, readonly string[]>> = {
  journal: ['namenode/journal'], writing: ['namenode/writing'], blocks: ['namenode/blocks'], namespace: ['namenode/namespace'], jobs: ['namenode/jobs'],
  store: ['datanode/store'], file: ['src/file'], record: ['src/record'], shuffle: ['src/shuffle', 'datanode/shuffle'],
}
const scoreMin = 0.9
/** Beside the time that the files took while recording: start of the runner, a busy machine. */
const slackMs = 30_000
/** A file that takes longer than this meets only mutants that quicker ones let live. */
const quickMs = 3_000

interface Recording { readonly file: string; readonly ms: number; readonly entered: readonly string[] }
type Fate = 'killed' | 'timeout' | 'survived' | 'unreached'

const { values, positionals } = parseArgs({
  allowPositionals: true,
  options: { sample: { type: 'string', default: '100' }, seed: { type: 'string', default: '1' }, all: { type: 'boolean' }, list: { type: 'boolean' }, jobs: { type: 'string', default: '2' } },
})

const filesOf = (path: string): string[] => (statSync(join(root, path)).isFile() ? [path] : readdirSync(join(root, path)).filter(name => name.endsWith('.ts')).sort().map(name => `${path}/${name}`))
const mutantsIn = (files: readonly string[]): Mutant[] => files.flatMap(file => mutantsOf(file, readFileSync(join(root, file), 'utf8')).mutants)

if (values.list) {
  for (const [name, paths] of Object.entries(rooms)) console.log(`${name.padEnd(10)} ${String(mutantsIn(paths.flatMap(filesOf)).length).padStart(5)}  ${paths.join(' ')}`)
  process.exit(0)
}
const [room] = positionals
if (room === undefined || positionals.length > 1) {
  console.error(`mutation: name one room or file; rooms: ${Object.keys(rooms).join(', ')}`)
  process.exit(2)
}

const files = (rooms[room] ?? [room]).flatMap(filesOf)
const all = mutantsIn(files)
const drawn = values.all ? all : shuffled(all, seeded(values.seed)).slice(0, Number(values.sample))
console.log(`${room}: ${drawn.length} of ${all.length} mutants in ${files.length} files, seed ${values.seed}`)

const scratch = mkdtempSync(join(tmpdir(), 'gristmill-mutation-'))
process.on('exit', () => rmSync(scratch, { recursive: true, force: true }))
const recordings = await record()
const accepted = new Set((JSON.parse(readFileSync(join(import.meta.dirname, 'accepted.json'), 'utf8')) as { file: string; line: string; change: string }[]).map(keyOfAccepted))
const fates = new Map<Mutant, Fate>()
const queue = [...drawn]
await Promise.all(Array.from({ length: Number(values.jobs) }, async () => {
  for (let next = queue.shift(); next; next = queue.shift()) {
    const fate = await meet(next)
    fates.set(next, fate)
    if (fate === 'survived' || fate === 'unreached') console.log(`${fate.padEnd(9)} ${describe(next)}${accepted.has(keyOf(next)) ? '  (accepted)' : ''}`)
  }
}))

const count = (...which: Fate[]): Mutant[] => [...fates].filter(([, fate]) => which.includes(fate)).map(([mutant]) => mutant)
const survivors = count('survived', 'unreached').filter(mutant => !accepted.has(keyOf(mutant)))
const observable = fates.size - (count('survived', 'unreached').length - survivors.length)
const score = observable === 0 ? 1 : (observable - survivors.length) / observable
console.log(`${room}: ${count('killed').length} killed, ${count('timeout').length} by time, ${survivors.length} survived, ${fates.size - observable} accepted: ${(score * 100).toFixed(0)} % of those that can be observed`)
process.exitCode = score >= scoreMin ? 0 : 1

/** Runs all unit tests once, unchanged. A file that fails is left out, and named: it would seem to kill everything. */
async function record(): Promise<Recording[]> {
  const report = join(scratch, 'report')
  await vitest(['--reporter', 'json', '--outputFile', report], { [recordVariable]: JSON.stringify(files), [recordingsVariable]: scratch }, 1_800_000)
  const failed = new Set((JSON.parse(readFileSync(report, 'utf8')) as { testResults: { name: string; status: string }[] }).testResults.filter(({ status }) => status !== 'passed').map(({ name }) => name))
  for (const name of failed) console.log(`left out, since it fails without any mutant: ${relative(root, name)}`)
  const recorded = readdirSync(scratch).filter(name => name.endsWith('.json')).map(name => JSON.parse(readFileSync(join(scratch, name), 'utf8')) as Recording)
  return recorded.filter(({ file }) => !failed.has(file))
}

async function meet(mutant: Mutant): Promise<Fate> {
  const entering = recordings.filter(({ entered }) => (mutant.inside < 0 ? entered.some(name => name.startsWith(`${mutant.file}#`)) : entered.includes(`${mutant.file}#${mutant.inside}`)))
  if (entering.length === 0) return 'unreached'
  const quick = entering.filter(({ ms }) => ms < quickMs)
  for (const group of [quick, entering.filter(each => !quick.includes(each))]) {
    if (group.length === 0) continue
    const expectedMs = group.reduce((sum, { ms }) => sum + ms, 0)
    const code = await vitest(['--bail', '1', '--reporter', 'dot', ...group.map(({ file }) => relative(root, file))], {
      [mutantVariable]: JSON.stringify(mutant), NODE_OPTIONS: `--import ${join(import.meta.dirname, 'plant.ts')}`,
    }, expectedMs * 4 + slackMs)
    if (code !== 0) return code === null ? 'timeout' : 'killed'
  }
  return 'survived'
}

/** Resolves to the exit code; null: it was killed for taking longer than `ms`. */
function vitest(args: readonly string[], variables: Readonly<Record<string, string>>, ms: number): Promise<number | null> {
  const child = spawn(process.execPath, ['node_modules/vitest/vitest.mjs', 'run', '--project', 'unit', '--project', 'slow', ...args], {
    cwd: root, stdio: 'ignore', detached: true, env: { ...process.env, ...variables },
  })
  const late = setTimeout(() => process.kill(-child.pid!, 'SIGKILL'), ms)
  return new Promise((resolve, reject) => {
    child.once('error', reject)
    child.once('exit', code => { clearTimeout(late); resolve(code) })
  })
}

function lineOf({ file, line }: Mutant): string { return readFileSync(join(root, file), 'utf8').split('\n')[line - 1]!.trim() }
function changeOf({ original, replacement }: Mutant): string { return `${original} → ${replacement}` }
function describe(mutant: Mutant): string { return `${mutant.file}:${mutant.line}  ${changeOf(mutant)}   in: ${lineOf(mutant).slice(0, 120)}` }
function keyOfAccepted({ file, line, change }: { file: string; line: string; change: string }): string { return JSON.stringify([file, line, change]) }
function keyOf(mutant: Mutant): string { return keyOfAccepted({ file: mutant.file, line: lineOf(mutant), change: changeOf(mutant) }) }
