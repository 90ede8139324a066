// Runs every benchmark, one after the other, each in its own process: npm run bench [-- name…] [-- --quick]
// A benchmark measures gristmill and a baseline of the machine in the same run, and prints both with their ratio.

import { spawnSync } from 'node:child_process'
import { readdirSync } from 'node:fs'

const benches = readdirSync(import.meta.dirname)
  .filter(name => name.endsWith('.bench.ts'))
  .map(name => name.replace('.bench.ts', ''))
  .sort()
const wanted = process.argv.slice(2).filter(word => !word.startsWith('--'))
const flags = process.argv.slice(2).filter(word => word.startsWith('--'))
const unknown = wanted.filter(name => !benches.includes(name))
if (unknown.length > 0) {
  console.error(`bench: no such benchmark: ${unknown.join(', ')}; there are: ${benches.join(', ')}`)
  process.exit(2)
}

let failed = 0
for (const name of wanted.length > 0 ? wanted : benches) {
  console.log(`\n== ${name} ==`)
  const { status } = spawnSync(process.execPath, ['--expose-gc', `${import.meta.dirname}/${name}.bench.ts`, ...flags], { stdio: 'inherit' })
  if (status !== 0) failed++
}
process.exit(failed === 0 ? 0 : 1)
