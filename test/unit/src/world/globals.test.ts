// Changes of its process by a program, apart from those that Node and libraries make for themselves.

import { expect, test } from 'vitest'
import { watchGlobals } from '../../../../src/world/globals.ts'

test('names that a program adds are seen until they are removed; uses of Node and state under symbols are not', async () => {
  const isChanged = watchGlobals()
  await fetch('data:,x')
  const state = globalThis as unknown as Record<string | symbol, unknown>
  const registry = Symbol.for('gristmill.test')
  state[registry] = 1
  expect(isChanged()).toBe(false)
  delete state[registry]
  for (const holder of [globalThis, Array.prototype, Object, Math, URL.prototype, Error] as unknown[] as Record<string, unknown>[]) {
    holder['added'] = 1
    expect(isChanged()).toBe(true)
    delete holder['added']
    expect(isChanged()).toBe(false)
  }
})
