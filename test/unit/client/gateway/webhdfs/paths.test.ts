// Paths of WebHDFS requests and the address of their second step: the bytes that a client sends survive, and what cannot be a path is
// refused.

import { expect, test } from 'vitest'
import { decodedPath, secondStep, targetOf } from '../../../../../client/gateway/webhdfs/paths.ts'

test.each([
  ['/webhdfs/v1', '/', ''], ['/webhdfs/v1/?op=X', '/', 'op=X'], ['/webhdfs/v1/a/b?op=X&y=?', '/a/b', 'op=X&y=?'],
  ['http://host:1/webhdfs/v1/a?op=X', '/a', 'op=X'],
])('%s has a path and a query', (target, rawPath, query) => {
  expect(targetOf(target)).toEqual({ rawPath, query })
})

test.each(['/', '/webhdfs', '/webhdfs/v11/a', '/webhdfs/v2/a', '*', 'x'])('%s is not WebHDFS', target => {
  expect(targetOf(target)).toBeUndefined()
})

test.each([
  ['/a%20b', '/a b'], ['/a+b', '/a+b'], ['/a%2Bb;c=d%25%20%C3%BC', '/a+b;c=d% ü'], ['/a%2Fb', '/a/b'], ['/a//b/', '/a/b'], ['/', '/'],
  ['/a:b', '/a:b'], ['/%F0%9F%8C%BE', '/🌾'],
])('%s names %s', (raw, path) => { expect(decodedPath(raw)).toBe(path) })

test.each([
  ['/a/../b', 'InvalidPathException'], ['/a/%2E%2E/b', 'InvalidPathException'], ['/./a', 'InvalidPathException'],
  ['/a%00', 'InvalidPathException'], ['/%zz', 'InvalidPathException'], ['/%ff', 'InvalidPathException'],
  ['/%ED%A0%80', 'InvalidPathException'], [`/${'x'.repeat(256)}`, 'PathComponentTooLongException'],
])('%s is refused', (raw, exception) => {
  expect(() => decodedPath(raw)).toThrow(expect.objectContaining({ exception }))
})

test('the second step has the bytes of the first one, data=true, and a query to which a client can add', () => {
  const step = (query: string): string => secondStep('http://h:1', { rawPath: '/a%2Bb', query })
  expect(step('op=OPEN&user.name=a%2Eb&offset=3&NoRedirect=true')).toBe(
    'http://h:1/webhdfs/v1/a%2Bb?op=OPEN&user.name=a%2Eb&offset=3&data=true')
  expect(step('data=true&op=OPEN')).toBe('http://h:1/webhdfs/v1/a%2Bb?op=OPEN&data=true')
})
