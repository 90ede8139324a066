// docs/format/journal.md shows bytes; they are the ones that the code writes.

import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { expect, test } from 'vitest'
import { encodeFrame, encodeHeader } from '../../../namenode/journal/frame.ts'

test('the worked example of the journal page is what the code writes', () => {
  const page = readFileSync(join(import.meta.dirname, '../../../docs/format/journal.md'), 'utf8')
  const shown = [...page.matchAll(/^ {4}00[0-9a-f]0 {2}((?:[0-9a-f]{2} {1,2}){1,16})/gm)].map(row => row[1]!.replaceAll(' ', '')).join('')
  const bytes = Buffer.concat([encodeHeader(7), encodeFrame({ seq: 7, epoch: 2, timeMs: 1_700_000_000_000, operations: ['["x",{}]'] })])
  expect(shown).toBe(bytes.toString('hex'))
})
