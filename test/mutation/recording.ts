// Recordings: the functions of source files that each unit test file enters, and its duration. Kept in node_modules/.cache and shared by
// all rooms and runs: only test files that are new, or that have changed and entered the room, run again. A source file that has
// changed since is compared as a whole, because its functions may have other numbers now.

import { createHash } from 'node:crypto'
import { mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join, relative } from 'node:path'
import { spawn } from 'node:child_process'
import type { Mutant } from './mutators.ts'
import { root } from './plant.ts'
import { filesOf, rooms, textOf } from './rooms.ts'
import { recordingsVariable, recordVariable } from './variables.ts'

export const cacheDir = join(root, 'node_modules/.cache/gristmill-mutation')
const kept = join(cacheDir, 'recording.json')

export interface Recording {
  /** The test file, relative to the project. */
  readonly file: string
  readonly ms: number
  /** `file#number of the function`. */
  readonly entered: readonly string[]
  /** SHA-1 of the test file, and of each source file that it enters. */
  readonly hashes: Readonly<Record<string, string>>
  /** True if it failed without any mutant: it would seem to kill every mutant. */
  readonly failed?: true
}

const hashOf = (file: string): string => createHash('sha1').update(textOf(file)).digest('hex')

/**
 * Recordings of the unit tests whose names match. Runs test files that are not in the cache, and those that have changed and enter one
 * of these sources. `again`: runs all of them.
 */
export async function recorded(sources: readonly string[], { again, tests }: { again: boolean; tests: RegExp }): Promise<Recording[]> {
  const enters = ({ hashes }: Recording): boolean => sources.some(file => hashes[file] !== undefined)
  const there = new Set(testFiles())
  const known = load().filter(
    each =>
      there.has(each.file)
      && !(again && tests.test(each.file))
      && (each.hashes[each.file] === hashOf(each.file) || (!each.failed && !enters(each))),
  )
  const names = new Set(known.map(({ file }) => file))
  const missing = [...there].filter(file => tests.test(file) && !names.has(file))
  const wanted = (all: Recording[]): Recording[] => all.filter(({ file }) => tests.test(file))
  if (missing.length === 0) return wanted(known)
  console.log(`recording ${missing.length} test files`)
  let fresh = await record(missing)
  const failed = fresh.filter(each => each.failed).map(({ file }) => file)
  if (failed.length > 0) fresh = [...fresh.filter(each => !each.failed), ...await record(failed)]
  const all = [...known, ...fresh]
  mkdirSync(cacheDir, { recursive: true })
  writeFileSync(kept, JSON.stringify(all))
  return wanted(all)
}

/** Test files that enter the mutant's function; if the recording is older than the source, those that enter its file. */
export function entering(recordings: readonly Recording[], { file, inside }: Mutant): Recording[] {
  const hash = hashOf(file)
  return recordings.filter(({ entered, hashes }) =>
    inside < 0 || hashes[file] !== hash ? hashes[file] !== undefined : entered.includes(`${file}#${inside}`),
  )
}

async function record(tests: readonly string[]): Promise<Recording[]> {
  const scratch = mkdtempSync(join(tmpdir(), 'gristmill-mutation-'))
  try {
    const sources = Object.keys(rooms).flatMap(filesOf)
    const report = join(scratch, 'report')
    await vitest([...tests, '--reporter', 'json', '--outputFile', report], {
      [recordVariable]: JSON.stringify(sources), [recordingsVariable]: scratch,
    })
    const results = (JSON.parse(readFileSync(report, 'utf8')) as { testResults: { name: string; status: string }[] }).testResults
    const passed = new Set(results.filter(({ status }) => status === 'passed').map(({ name }) => relative(root, name)))
    const written = new Map(readdirSync(scratch).filter(name => name.endsWith('.json')).map(name => {
      const { file, ms, entered } = JSON.parse(readFileSync(join(scratch, name), 'utf8')) as { file: string; ms: number; entered: string[] }
      return [relative(root, file), { ms, entered }]
    }))
    return tests.map(file => {
      const { ms, entered } = written.get(file) ?? { ms: 0, entered: [] }
      const touched = [file, ...new Set(entered.map(name => name.split('#')[0]!))]
      return {
        file, ms, entered,
        hashes: Object.fromEntries(touched.map(each => [each, hashOf(each)])),
        ...(!passed.has(file) && { failed: true as const }),
      }
    })
  } finally { rmSync(scratch, { recursive: true, force: true }) }
}

function vitest(args: readonly string[], variables: Readonly<Record<string, string>>): Promise<void> {
  // Without Vitest's disk cache, which would pass the instrumented sources to later runs.
  const child = spawn(
    process.execPath,
    ['node_modules/vitest/vitest.mjs', 'run', '--fsModuleCache=false', '--project', 'unit', '--project', 'slow', ...args],
    { cwd: root, stdio: 'ignore', env: { ...process.env, ...variables } },
  )
  return new Promise((resolve, reject) => {
    child.once('error', reject)
    child.once('exit', () => resolve())
  })
}

const testFiles = (): string[] =>
  readdirSync(join(root, 'test/unit'), { recursive: true, encoding: 'utf8' })
    .filter(name => name.endsWith('.test.ts'))
    .map(name => `test/unit/${name}`)
    .sort()

function load(): Recording[] {
  try { return JSON.parse(readFileSync(kept, 'utf8')) as Recording[] } catch { return [] }
}
