// Object keys: their names in the namespace and back, what is refused, and their order.

import { expect, test } from 'vitest'
import { compareKeys, namesOfKey, partOf } from '../../../../src/protocol/objectkey.ts'
import { seeded } from '../../../../src/world/random.ts'

test('every part of a key has a name, and the name leads back to it', () => {
  for (const key of ['a', 'a/b', 'a//b', '/a', 'a/', '.', './..', '..', '%', 'ü/\u{1f33e}', ' ', '%empty2', 'a\u0001']) {
    const names = namesOfKey(key)
    expect(names.every(name => name !== '' && name !== '.' && name !== '..'), key).toBe(true)
    expect(names.map(partOf).join('/')).toBe(key)
  }
})

test.each([
  ['', 'EINVAL', /empty/], ['a\0', 'EINVAL', /NUL/], ['\ud800', 'EINVAL', /surrogate/], ['a/%empty', 'EINVAL', /choose another name/],
  ['%dotdot/x', 'EINVAL', /choose another name/], ['x'.repeat(256), 'ENAMETOOLONG', /256 bytes/],
  [`${'x/'.repeat(512)}x`, 'ENAMETOOLONG', /1025 bytes/],
])('the key %j is refused', (key, code, message) => {
  expect(() => namesOfKey(key)).toThrow(expect.objectContaining({ code, message: expect.stringMatching(message) }))
})

test('the order of keys is that of their UTF-8 bytes', () => {
  const random = seeded(1)
  const letters = ['a', 'b', '\u007f', '\u0080', 'é', '\ud7ff', '\ue000', '\uffff', '\u{10000}', '\u{10ffff}', '']
  const text = (): string => Array.from({ length: random.below(5) }, () => letters[random.below(letters.length)]).join('')
  for (let i = 0; i < 2000; i++) {
    const [a, b] = [text(), text()]
    expect(Math.sign(compareKeys(a, b)), JSON.stringify([a, b])).toBe(Buffer.from(a).compare(Buffer.from(b)))
  }
})
