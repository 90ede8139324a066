// Names of tables of this machine: which files they are, whatever characters the working directory has.

import { mkdirSync, symlinkSync } from 'node:fs'
import { join } from 'node:path'
import { expect, test } from 'vitest'
import { Local } from './kit.ts'

const odd = ['w[1]', 'w*', 'w?', '{w,v}', 'w\\1']

test.each(odd)('a pattern begins in the working directory, and %s is no pattern', async name => {
  using on = new Local()
  for (const other of ['w1', 'wx', 'w', 'v']) on.write(`${other}/x1.csv`, 'n\n666\n')
  on.write(`${name}/x1.csv`, 'n\n1\n')
  on.write(`${name}/in/x2.csv`, 'n\n2\n')
  const rows = (text: string): Promise<unknown> => on.query(text, undefined, {}, join(on.dir, name)).collect()
  expect(await rows(`SELECT n FROM './x*.csv'`)).toEqual([{ n: 1n }])
  expect(await rows(`SELECT n FROM 'file:x*.csv'`)).toEqual([{ n: 1n }])
  expect(await rows(`SELECT sum(n)::BIGINT AS n FROM './**/x{1,2}.csv'`)).toEqual([{ n: 3n }])
  expect(await on.query(`SELECT n FROM '../x*.csv'`, undefined, {}, join(on.dir, name, 'in')).collect()).toEqual([{ n: 1n }])
})

test('a link that leads to itself fails no pattern', async () => {
  using on = new Local()
  on.write('x.csv', 'n\n1\n')
  mkdirSync(join(on.dir, 'd'))
  symlinkSync('loop', join(on.dir, 'loop'))
  expect(await on.rows(`SELECT n FROM './*.csv'`)).toEqual([{ n: 1n }])
})
