// Messages of paths that lead nowhere: they name the path that was asked for, and the name on it that is missing or is a file.

import { expect, test } from 'vitest'
import { mkdir, touch } from '../../../../namenode/namespace/names.ts'
import { stat } from '../../../../namenode/namespace/read.ts'
import { directoryAt, lowestAt } from '../../../../namenode/namespace/resolve.ts'
import { GristmillError } from '../../../../src/base/errors.ts'
import { file, openBench, root } from '../kit.ts'

function refusal(work: () => unknown): Pick<GristmillError, 'code' | 'message' | 'details'> {
  try { work() } catch (error) {
    if (error instanceof GristmillError) return { code: error.code, message: error.message, details: error.details }
    throw error
  }
  throw new Error('it is not refused')
}

test('a missing path is named once; if a directory above it is missing, the highest such directory is named too', async () => {
  const bench = await openBench()
  const { view } = bench.journal
  await bench.do(mkdir, { path: '/a' })
  const asked = (path: string) => refusal(() => stat(view, root, path))
  expect(asked('/x')).toEqual({ code: 'ENOENT', message: 'there is no /x', details: { path: '/x' } })
  expect(asked('/a/x')).toEqual({ code: 'ENOENT', message: 'there is no /a/x', details: { path: '/a/x' } })
  expect(asked('/a/x/y/z')).toEqual({
    code: 'ENOENT', message: 'there is no /a/x/y/z: /a/x does not exist', details: { path: '/a/x/y/z', missing: '/a/x' },
  })
  expect(asked('/x/y')).toEqual({
    code: 'ENOENT', message: 'there is no /x/y: /x does not exist', details: { path: '/x/y', missing: '/x' },
  })
  expect(refusal(() => directoryAt(view, root, '/a/x'))).toMatchObject({ message: 'there is no /a/x', details: { path: '/a/x' } })
})

test('a file where a directory should be is named, alone if it is the path itself', async () => {
  const bench = await openBench()
  const { view } = bench.journal
  await bench.do(mkdir, { path: '/a' })
  await bench.do(touch, file('/a/f'))
  expect(refusal(() => stat(view, root, '/a/f/x/y'))).toEqual({
    code: 'ENOTDIR', message: 'there is no /a/f/x/y: /a/f is a file, not a directory', details: { path: '/a/f/x/y', file: '/a/f' },
  })
  const itself = { code: 'ENOTDIR', message: '/a/f is a file, not a directory', details: { path: '/a/f' } }
  for (const at of [directoryAt, lowestAt]) expect(refusal(() => at(view, root, '/a/f'))).toEqual(itself)
})
