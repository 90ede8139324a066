// Nearest names, for "did you mean".

import { expect, test } from 'vitest'
import { editDistance, nearest } from '../../../../src/base/nearest.ts'

test('a letter more, less or other, and two swapped neighbours, are one error each', () => {
  expect(['min', 'mi', 'mina', 'mim', 'mni', 'nmi', 'inm'].map(word => editDistance(word, 'min'))).toEqual([0, 1, 1, 1, 1, 2, 2])
  expect([editDistance('', 'min'), editDistance('nmae', 'name'), editDistance('replciation', 'replication')]).toEqual([3, 1, 1])
})

test('short names allow one error, longer ones a third of their letters', () => {
  const names = ['min', 'name', 'columns']
  expect(['mni', 'naem', 'nmae', 'columsn', 'colunm'].map(word => nearest(word, names)))
    .toEqual(['min', 'name', 'name', 'columns', 'columns'])
  expect(['in', 'amen', 'rows'].map(word => nearest(word, names))).toEqual(['min', undefined, undefined])
})
