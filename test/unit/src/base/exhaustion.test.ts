// Errors of this machine, as opposed to those of a program, of a server, or of another machine that a server has told.

import { expect, test } from 'vitest'
import { GristmillError } from '../../../../src/base/errors.ts'
import { isExhaustion, isOfMachine } from '../../../../src/base/exhaustion.ts'

const raw = (code: string, more: object = {}): Error => Object.assign(new Error(`${code}: it failed`), { code, ...more })

test('a full, broken or read-only disk and a lack of descriptors or memory are of the machine; a missing file is not', () => {
  for (const code of ['ENOSPC', 'EDQUOT', 'EIO', 'EROFS', 'EMFILE', 'ENOMEM']) expect(isOfMachine(raw(code))).toBe(true)
  for (const other of [raw('ENOENT'), raw('EACCES'), new Error('x'), 'ENOSPC', undefined, null]) expect(isOfMachine(other)).toBe(false)
})

test("an error that was made of one of the machine is the machine's; an answer of a server of the same name is not", () => {
  expect(isOfMachine(new GristmillError('INTERNAL', 'x', { cause: raw('EIO') }))).toBe(true)
  const full = new GristmillError('ENOSPC', 'x', { cause: raw('ENOSPC') })
  expect(isOfMachine(new GristmillError('INTERNAL', 'x', { cause: full }))).toBe(true)
  expect(isOfMachine(new GristmillError('INTERNAL', 'x', { details: { errno: 'ENOSPC' } }))).toBe(true)
  expect(isOfMachine(new GristmillError('ENOSPC', 'no datanode has space'))).toBe(false)
  expect(isOfMachine(new GristmillError('INTERNAL', 'x', { cause: new Error('x') }))).toBe(false)
  expect(isOfMachine(new GristmillError('ENOENT', 'x', { cause: raw('EIO') }))).toBe(false)
})

test('a failed sync says that data is lost, whatever its code', () => {
  expect(isExhaustion(raw('ENOMEM', { syscall: 'read' }))).toBe(true)
  expect(isExhaustion(raw('ENOMEM', { syscall: 'fdatasync' }))).toBe(false)
})
