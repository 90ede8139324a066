// Exports of the product: a type name is exported by one file only, and each export has an importer, which may be a test.

import { expect, test } from 'vitest'
import { sharedTypeNames, unusedExports } from './exports.ts'
import { blank, readSources, type Source } from './source.ts'

const product = readSources(['src', 'namenode', 'datanode', 'client'])
const all = [...product, ...readSources(['test'])]

/** The public API: its importers are the users' programs. */
const publicFile = 'client/index.ts'

/** Types without an importer that declarations of exported values name. */
const declared = ['namenode/room.ts: RoomKind']

const planted = (path: string, text: string): Source => ({ path, text, code: blank(text) })

test('each exported type name is exported by one file', () => {
  const a = planted('src/a.ts', 'export interface Options { readonly a: 1 }\nexport const Other = 1\ninterface Inner { readonly b: 1 }\n')
  const b = planted('src/b.ts', 'export type Options = 1\nexport class Other {}\nexport class Inner {}\n')
  expect(sharedTypeNames([a, b])).toEqual(['Options: src/a.ts, src/b.ts'])
  expect(sharedTypeNames(product)).toEqual([])
})

test('no export is used by its own file only', () => {
  const a = planted('src/a.ts', 'export const one = 1, two = 2\nexport function three() {}\nexport type Four = typeof one\n')
  const b = planted('src/b.ts', "import { one as first } from './a.ts'\nimport type { Four } from './a.ts'\nexport const five = first\n")
  const c = planted('test/c.ts', "const { five } = await import('../src/b.ts')\n")
  expect(unusedExports([a, b], [a, b, c]).map(({ name }) => name)).toEqual(['two', 'three'])
  const unused = unusedExports(product, all).filter(({ path }) => path !== publicFile).map(({ path, name }) => `${path}: ${name}`)
  expect(unused.sort()).toEqual([...declared].sort())
})
