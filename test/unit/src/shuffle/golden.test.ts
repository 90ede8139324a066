// Documented bytes of segments and keys: the worked examples of docs/format are written and read by the code.

import fs from 'node:fs/promises'
import { describe, expect, test } from 'vitest'
import { decodeIndex } from '../../../../src/shuffle/segment.ts'
import { scratch, segmentsOf, groupsOf, writeOutput } from './kit.ts'

/** Hex digits of an indented block of the document, without its comments. */
function hexAfter(text: string, heading: string): string {
  const block = text.slice(text.indexOf(heading)).split('\n\n')[1]!
  return block.split('\n').map(line => line.slice(4).split(/ {3,}(?=[A-Za-z"])/)[0]!.replaceAll(' ', '')).join('')
}

describe('the documented format', () => {
  test('the worked example of docs/format/segment.md is what is written and read', async () => {
    const document = await fs.readFile(new URL('../../../../docs/format/segment.md', import.meta.url), 'utf8')
    const directory = await scratch()
    const result = await writeOutput(
      directory,
      [
        ['mill', 1], ['the', 300], ['mill', 'é'], ['grain', -2],
      ],
      { name: 'example', partitions: 2 },
    )
    expect((await fs.readFile(result.file)).toString('hex')).toBe(hexAfter(document, 'Data file, 81 bytes'))
    const index = Buffer.from(hexAfter(document, 'Index file, 72 bytes'), 'hex')
    expect((await fs.readFile(result.indexFile)).equals(index)).toBe(true)
    expect(decodeIndex(index, 'example')).toEqual(result.partitions)
    expect(await groupsOf(await segmentsOf([result], 0), directory)).toEqual([['grain', [-2]], ['mill', [1, 'é']]])
  })

  test('every key in the table of docs/format/key.md has the bytes that stand beside it', async () => {
    const { encodeKey } = await import('../../../../src/shuffle/key.ts')
    const { GrowingBuffer } = await import('../../../../src/shuffle/buffer.ts')
    const document = await fs.readFile(new URL('../../../../docs/format/key.md', import.meta.url), 'utf8')
    const rows = [...document.matchAll(/^\| `([^`]+)` \| `([0-9a-f ]+)`/gm)]
    expect(rows.length).toBeGreaterThan(12)
    for (const [, key, hex] of rows) {
      const sink = new GrowingBuffer()
      encodeKey(/^-?\d+n$/.test(key!) ? BigInt(key!.slice(0, -1)) : JSON.parse(key!.replaceAll('\\0', '\\u0000')) as string, sink)
      expect(sink.bytes.toString('hex', 0, sink.length), key).toBe(hex!.replaceAll(' ', ''))
    }
  })
})
