// Options of `put`: record format by file name, and the field separator of CSV. Pure functions.

import { expect, test } from 'vitest'
import { parseDelimiter } from '../../../../../client/cli/files/options.ts'
import { formatOfName } from '../../../../../src/base/formats.ts'

test('the kind of records is guessed from the name, and bytes are not cut', () => {
  expect(['a.csv', 'b.NDJSON', 'c.jsonl', 'd.log', 'e.txt.gz', 'f', 'g.bin'].map(formatOfName)).toEqual([
    'csv', 'jsonl', 'jsonl', 'lines', 'bytes', 'bytes', 'bytes',
  ])
})

test('what separates fields is one ASCII character; a tab can be written out', () => {
  expect([';', '|', ' ', 'tab', '\\t', '\t'].map(parseDelimiter)).toEqual([';', '|', ' ', '\t', '\t', '\t'])
  for (const text of ['', ';;', 'é', '"', '\n']) expect(() => parseDelimiter(text)).toThrow(/cannot separate CSV columns/)
})
