// List of accepted mutants: each quotes a line that exists and gives a reason.

import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { expect, test } from 'vitest'

const root = join(import.meta.dirname, '../../../..')
interface Accepted { readonly file: string; readonly line: string; readonly why: string }

const accepted = JSON.parse(readFileSync(join(root, 'test/mutation/accepted.json'), 'utf8')) as Accepted[]

test('each accepted mutant is of a line that is there, and has a reason', () => {
  const packed = (text: string): string => text.replaceAll(/\s+/g, '')
  const gone = accepted.filter(({ file, line }) => !packed(readFileSync(join(root, file), 'utf8')).includes(packed(line)))
  expect(gone).toEqual([])
  expect(accepted.filter(({ why }) => why.length < 20)).toEqual([])
})
