// Every message and every HTTP route has a row in the bench `pauses`, which measures its longest pause at its largest input.

import { readdirSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { expect, test } from 'vitest'
import { readSources, root } from './source.ts'

const bench = ['pauses.bench.ts', 'bare/rows.ts', 'bare/datanoderows.ts']
  .map(name => readFileSync(join(root, 'test/bench', name), 'utf8'))
  .join('\n')
/** Titles of the rows. A name in braces stands for a message itself. */
const rows = Array.from(bench.matchAll(/measure\((?:(['`])(.*?)\1|(\w+)\.name)/g), ([, , text]) => text ?? '').join('\n')

interface Named { readonly name: string; readonly path: string }
const isMessage = (value: unknown): value is Named =>
  typeof value === 'object' && value !== null && 'request' in value && 'reply' in value && 'bodyBytesMax' in value

async function messages(): Promise<string[]> {
  const names = new Set<string>()
  for (const file of readdirSync(join(root, 'src/protocol'))) {
    for (const value of Object.values(await import(join(root, 'src/protocol', file)) as object)) if (isMessage(value)) names.add(value.name)
  }
  return [...names]
}

/** Messages measured in a loop: `for (const message of [service.decommission, …])`. */
const looped = new Set(
  Array.from(bench.matchAll(/for \(const message of \[([^\]]*)\] as const\)\s+await measure\(message\.name/g), ([, list]) =>
    list!.split(', '),
  ).flat(),
)

const hasRow = (name: string): boolean => looped.has(name) || new RegExp(`(?<![\\w.])${name.replaceAll('.', '\\.')}(?![\\w])`).test(rows)

test('every message has a row', async () => {
  const all = await messages()
  expect(all.length).toBeGreaterThan(50)
  expect(all.filter(name => !hasRow(name))).toEqual([])
})

test('every HTTP route has a row', () => {
  const routes = new Set<string>()
  for (const { text } of readSources(['src', 'namenode', 'datanode'])) {
    for (const [, route] of text.matchAll(/\.(?:get|put|post|delete|patch|head|all)\('(\/[^':]*)/g)) routes.add(route!.replace(/\/$/, ''))
    for (const [, route] of text.matchAll(/\burl(?:: | = )'(\/[^':]*)/g)) routes.add(route!.replace(/\/$/, ''))
  }
  expect([...routes].sort()).toEqual(['', '/healthz', '/metrics', '/readyz', '/v1/block'])
  for (const route of routes) expect([route, rows.includes(route)]).toEqual([route, true])
  // Wires.
  expect(rows).toContain('transfer.transferPath')
})
