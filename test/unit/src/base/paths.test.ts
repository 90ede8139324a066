// Check of paths, compared with a plain oracle on random paths: a path is valid when each name is and its length fits, also when only its
// changed part is checked.

import { expect, test } from 'vitest'
import { checkName, checkPath } from '../../../../src/base/paths.ts'
import { dice } from '../../../kit/dice.ts'

/** Plain oracle: checks a path name by name. */
function slow(path: string): void {
  if (path === '/') return
  if (!path.startsWith('/')) throw new Error('relative')
  if (Buffer.byteLength(path) > 8192) throw new Error('long')
  for (const name of path.slice(1).split('/')) checkName(name, path)
}

const passes = (work: () => void): boolean => {
  try {
    work()
    return true
  } catch {
    return false
  }
}

const { below, pick } = dice(20_261_127)
const parts = [
  'a', '.', '..', '', 'b.', '.b', '...', 'ü', '\0', 'n'.repeat(85), 'n'.repeat(86), 'ü'.repeat(127), 'ü'.repeat(128), '€'.repeat(85),
  '€'.repeat(86), 'n'.repeat(255), 'n'.repeat(256),
]
const likely = (): string => (below(12) === 0 ? pick(parts) : pick(['a', 'bc', 'n'.repeat(80), 'n'.repeat(200)]))
const some = (): string => `${below(20) === 0 ? '' : '/'}${Array.from({ length: 1 + below(below(4) === 0 ? 60 : 6) }, likely).join('/')}`

test('a path is accepted if each of its names is, and all of it is short enough', () => {
  for (let i = 0; i < 3000; i++) {
    const path = some()
    expect([path, passes(() => checkPath(path))]).toEqual([path, passes(() => slow(path))])
  }
  for (const path of ['', '/', '//', '/a/', `/${'a/'.repeat(4095)}b`, `/${'a/'.repeat(4096)}b`])
    expect([path.length, passes(() => checkPath(path))]).toEqual([path.length, passes(() => slow(path))])
})

test('a path of which the beginning was checked as that of another one is accepted as if it were looked at whole', () => {
  for (let i = 0; i < 3000; i++) {
    const known = some()
    if (!passes(() => checkPath(known))) continue
    const shared = below(known.length + 1)
    const path =
      known.slice(0, shared) + pick(['', 'x', '.', '/', '/x', '/.', '..', '/..', 'n'.repeat(200), '\0', `/${'a/'.repeat(4000)}a`])
    expect([path, passes(() => checkPath(path, Math.max(0, path.lastIndexOf('/', shared - 1))))]).toEqual([path, passes(() => slow(path))])
  }
})
