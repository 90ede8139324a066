// Inputs of a job, on an in-memory namespace: files, directories and patterns become a list of files, each once, without hidden names;
// missing paths are named.

import { expect, test } from 'vitest'
import { findInputs, leftOutLine } from '../../../../client/jobs/inputs.ts'
import { stat, type FileStatus } from '../../../../src/protocol/namespace.ts'
import { namespaceOf } from './kit.ts'

const files = {
  '/logs/a.log': {}, '/logs/b.log': {}, '/logs/c.txt': {}, '/logs/d.log': {}, '/logs/2026/e.log': {}, '/logs/2026/deep/f.log': {},
  '/logs/_SUCCESS': {}, '/logs/.hidden': {}, '/logs/_temporary/g.log': {}, '/_private/h.log': {}, '/single': {},
}
const { ask } = namespaceOf(files)
const paths = async (...inputs: string[]) => (await findInputs(ask, inputs)).map(file => file.path)

test('a file means itself, whatever its name, and each file is read once', async () => {
  expect(await paths('/single', 'single', '/logs/_SUCCESS')).toEqual(['/logs/_SUCCESS', '/single'])
})

test('a directory means everything below it, except hidden names, over pages of any size', async () => {
  expect(await paths('/logs')).toEqual([
    '/logs/2026/deep/f.log', '/logs/2026/e.log', '/logs/a.log', '/logs/b.log', '/logs/c.txt', '/logs/d.log',
  ])
  expect(await paths('/_private')).toEqual(['/_private/h.log'])
})

test('globs match files, and directories stand for what is in them', async () => {
  expect(await paths('/logs/*.log')).toEqual(['/logs/a.log', '/logs/b.log', '/logs/d.log'])
  expect(await paths('/logs/{a,c}.*')).toEqual(['/logs/a.log', '/logs/c.txt'])
  expect(await paths('/logs/**/*.log')).toEqual(['/logs/2026/deep/f.log', '/logs/2026/e.log', '/logs/a.log', '/logs/b.log', '/logs/d.log'])
  expect(await paths('/logs/20*')).toEqual(['/logs/2026/deep/f.log', '/logs/2026/e.log'])
  expect(await paths('/*/h.log').catch(error => error.code)).toEqual('ENOENT') // _private is hidden
})

test('names skipped because of their first character are reported once, unless another path names them', async () => {
  const told = async (...inputs: string[]): Promise<string[]> => {
    const entries: FileStatus[] = []
    await findInputs(ask, inputs, { onLeftOut: entry => void entries.push(entry) })
    return entries.map(entry => entry.path)
  }
  expect(await told('/logs', '/logs')).toEqual(['/logs/.hidden', '/logs/_SUCCESS', '/logs/_temporary'])
  expect(await told('/logs/*')).toEqual(['/logs/.hidden', '/logs/_SUCCESS', '/logs/_temporary'])
  expect(await told('/logs/*.log')).toEqual([])
  expect(await told('/logs', '/logs/.hidden')).toEqual(['/logs/_SUCCESS', '/logs/_temporary'])
  expect(await told('/single')).toEqual([])
  expect(await paths('/logs/_temp*')).toEqual(['/logs/_temporary/g.log'])
  const entries = await Promise.all(['/logs/.hidden', '/logs/_SUCCESS', '/logs/_temporary'].map(path => ask(stat, { path })))
  expect(leftOutLine(entries)).toBe(
    'skipped, because names that begin with _ or . are input only if they are named explicitly: /logs/.hidden, /logs/_temporary/',
  )
  expect(leftOutLine(entries.slice(1, 2))).toBeUndefined()
})

test('numbers in braces, braces over slashes, and names that look like patterns', async () => {
  const { ask } = namespaceOf({
    '/d/day0': {}, '/d/day1': {}, '/d/day5': {}, '/d/day8': {}, '/d/day9': {}, '/d/day10': {}, '/a.csv': {}, '/b/c.csv': {},
    '/e[1].csv': {}, '/e1.csv': {},
  })
  const paths = async (input: string) => (await findInputs(ask, [input])).map(file => file.path)
  expect(await paths('/d/day{8..10}')).toEqual(['/d/day10', '/d/day8', '/d/day9'])
  expect(await paths('/{a,b/c}.csv')).toEqual(['/a.csv', '/b/c.csv'])
  expect(await paths('/e[1].csv')).toEqual(['/e[1].csv'])
  expect(await paths('e[1-1].csv')).toEqual(['/e1.csv'])
  expect(await paths('/d/')).toHaveLength(6)
  await expect(paths('/a.csv/')).rejects.toMatchObject({ code: 'ENOTDIR' })
  await expect(paths('/*.csv/')).rejects.toMatchObject({ code: 'ENOENT' })
})

test('the error names missing paths', async () => {
  await expect(findInputs(ask, ['/logs', '/nowhere'])).rejects.toMatchObject({
    code: 'ENOENT', message: expect.stringContaining('/nowhere'),
  })
  await expect(findInputs(ask, ['/logs/*.csv'])).rejects.toMatchObject({ code: 'ENOENT', message: expect.stringContaining('/logs/*.csv') })
  await expect(findInputs(ask, [])).rejects.toMatchObject({ code: 'EINVAL' })
})
