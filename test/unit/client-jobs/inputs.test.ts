import { expect, test } from 'vitest'
import { findInputs } from '../../../client/jobs/inputs.ts'
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
  expect(await paths('/logs')).toEqual(['/logs/2026/deep/f.log', '/logs/2026/e.log', '/logs/a.log', '/logs/b.log', '/logs/c.txt', '/logs/d.log'])
  expect(await paths('/_private')).toEqual(['/_private/h.log'])
})

test('globs match files, and directories stand for what is in them', async () => {
  expect(await paths('/logs/*.log')).toEqual(['/logs/a.log', '/logs/b.log', '/logs/d.log'])
  expect(await paths('/logs/{a,c}.*')).toEqual(['/logs/a.log', '/logs/c.txt'])
  expect(await paths('/logs/**/*.log')).toEqual(['/logs/2026/deep/f.log', '/logs/2026/e.log', '/logs/a.log', '/logs/b.log', '/logs/d.log'])
  expect(await paths('/logs/20*')).toEqual(['/logs/2026/deep/f.log', '/logs/2026/e.log'])
  expect(await paths('/*/h.log').catch(error => error.code)).toEqual('ENOENT') // _private is hidden
})

test('what is not there is named', async () => {
  await expect(findInputs(ask, ['/logs', '/nowhere'])).rejects.toMatchObject({ code: 'ENOENT', message: expect.stringContaining('/nowhere') })
  await expect(findInputs(ask, ['/logs/*.csv'])).rejects.toMatchObject({ code: 'ENOENT', message: expect.stringContaining('/logs/*.csv') })
  await expect(findInputs(ask, [])).rejects.toMatchObject({ code: 'EINVAL' })
})
