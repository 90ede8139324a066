// The model of the namespace: states that a path may have after calls, and after a backup was restored.

import { expect, test } from 'vitest'
import { absent, Acks, type State } from '../../../sim/acks.ts'

const output = (key: string): State => ({ kind: 'output', key })
const write = (acks: Acks, path: string, key: string) => acks.begin(new Map([[path, output(key)]]))

test('a path has the state of the last acknowledged call, or one of those that may still take effect', () => {
  const acks = new Acks()
  write(acks, '/a', 'one').acknowledged()
  expect(acks.certain('/a')).toEqual(output('one'))
  write(acks, '/a', 'two').unknown()
  expect(acks.possible('/a')).toEqual([output('one'), output('two')])
  write(acks, '/a', 'three').refused()
  expect(acks.possible('/a')).toEqual([output('one'), output('two')])
})

test('a restored backup has what was there when it began, and what came while it was made', () => {
  const acks = new Acks()
  write(acks, '/a', 'one').acknowledged()
  const mark = acks.mark()
  write(acks, '/a', 'two').acknowledged()
  acks.markEnds(mark)
  write(acks, '/a', 'three').acknowledged()
  write(acks, '/b', 'one').acknowledged()
  acks.restore(mark)
  expect(acks.possible('/a')).toEqual([output('one'), output('two')])
  expect(acks.possible('/b')).toEqual([absent])
})

test('a path that was forgotten when a backup began, or while it was made, has no known state once that is restored', () => {
  for (const isDuring of [false, true]) {
    const acks = new Acks()
    for (const path of ['/a', '/b']) write(acks, path, 'one').acknowledged()
    if (!isDuring) acks.forget(['/a', '/b'])
    write(acks, '/b', 'two').acknowledged()
    const mark = acks.mark()
    if (isDuring) acks.forget(['/a'])
    acks.markEnds(mark)
    for (const path of ['/a', '/b']) write(acks, path, 'three').acknowledged()
    acks.restore(mark)
    expect(acks.paths).toEqual(['/b'])
    expect(acks.possible('/b')).toEqual([output('two')])
  }
})
