// `npm test`: types, lint and all tests at the same time, so that no core waits for another. Tests print as they run; the compiler and the
// linter print when they end. Fails if one of them fails.

import { spawn } from 'node:child_process'
import { join } from 'node:path'

const bin = join(import.meta.dirname, '../node_modules/.bin')
const projects = ['tidy', 'unit', 'slow', 'cluster', 'sim']

interface Check { readonly name: string; readonly args: readonly string[]; readonly live?: boolean }

const checks: readonly Check[] = [
  // Several checkers make the same types again: one takes half the CPU time of four. As `npm run types`, with the same memory of what is
  // unchanged.
  {
    name: 'tsc',
    args: ['--noEmit', '--checkers', '1', '--incremental', '--tsBuildInfoFile', 'node_modules/.cache/gristmill/types.tsbuildinfo'],
  },
  // The page of the console runs in browsers and has their types.
  {
    name: 'tsc of the page',
    args: ['-p', 'client/console/page', '--noEmit', '--checkers', '1', '--incremental', '--tsBuildInfoFile', 'node_modules/.cache/gristmill/pagetypes.tsbuildinfo'],
  },
  { name: 'oxlint', args: ['--deny-warnings'] },
  { name: 'vitest', args: ['run', ...projects.flatMap(project => ['--project', project])], live: true },
]

const ends: Array<() => void> = []

/** Resolves to true if it ended with 0. */
function succeeds({ name, args, live = false }: Check): Promise<boolean> {
  const child = spawn(join(bin, name.split(" ")[0]!), args, { stdio: ['inherit', live ? 'inherit' : 'pipe', live ? 'inherit' : 'pipe'] })
  let text = ''
  for (const stream of [child.stdout, child.stderr]) stream?.on('data', (bytes: Buffer) => { text += bytes.toString() })
  ends.push(() => child.kill())
  return new Promise((resolve, reject) => {
    child.once('error', reject)
    child.once('close', code => {
      if (text.trim() !== '') console.log(`${name}:\n${text.trimEnd()}`)
      if (code !== 0) console.log(`${name} FAILED; the other checks go on`)
      resolve(code === 0)
    })
  })
}

// Ctrl-C reaches all processes of the terminal: this one waits for the others.
process.on('SIGINT', () => {})
process.on('SIGTERM', () => { for (const end of ends) end() })

const passed = await Promise.all(checks.map(succeeds))
const failed = checks.filter((_, i) => !passed[i]).map(({ name }) => name)
console.log(failed.length === 0 ? 'types, lint and tests: all passed' : `FAILED: ${failed.join(', ')}`)
process.exitCode = failed.length === 0 ? 0 : 1
