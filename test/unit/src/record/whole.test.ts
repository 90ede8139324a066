// Whole file as one record: text or bytes, compressed or not, and files that are too large.

import { gzipSync } from 'node:zlib'
import { expect, test } from 'vitest'
import { newReadCounters } from '../../../../src/record/records.ts'
import { wholeBatch, wholeBytesMax } from '../../../../src/record/whole.ts'
import { dice } from '../../../kit/dice.ts'
import { rangeOf, readAll } from './ranges.ts'

const text = 'größer\nals 40 bytes, so that it comes in several pieces of a source that uses its buffer again'
const bytes = Buffer.from(text)
const range = (of: Buffer) => rangeOf(of, { path: '/f' }, dice(3))

test('the text of a file is one record at its beginning, with or without a byte order mark, packed or not', async () => {
  for (const of of [
    bytes, Buffer.concat([Buffer.from('\ufeff'), bytes]), gzipSync(bytes),
    gzipSync(Buffer.concat([Buffer.from('\ufeff'), bytes])),
  ]) {
    const counters = newReadCounters()
    expect(await readAll([range(of)], { format: 'whole' }, counters)).toEqual([{ value: { path: '/f', text }, offset: 0, path: '/f' }])
    expect(counters.invalidUtf8Records).toBe(0)
  }
  expect(await readAll([range(Buffer.alloc(0))], { format: 'whole' })).toEqual([{ value: { path: '/f', text: '' }, offset: 0, path: '/f' }])
})

test('the bytes of a file are one record as they are', async () => {
  const packed = gzipSync(bytes)
  for (const of of [bytes, packed])
    expect(await readAll([range(of)], { format: 'whole', bytes: true })).toEqual([
      { value: { path: '/f', bytes: of }, offset: 0, path: '/f' },
    ])
})

test('invalid UTF-8 is counted, or refused, or read in the given encoding', async () => {
  const odd = Buffer.concat([bytes, Buffer.of(0xff)])
  const counters = newReadCounters()
  expect(await readAll([range(odd)], { format: 'whole' }, counters)).toMatchObject([{ value: { text: `${text}\ufffd` } }])
  expect(counters.invalidUtf8Records).toBe(1)
  await expect(readAll([range(odd)], { format: 'whole', invalidUtf8: 'error' })).rejects.toMatchObject({
    code: 'EINVAL', details: { path: '/f', offset: 0 },
  })
  expect(await readAll([range(odd)], { format: 'whole', encoding: 'latin1' }, counters)).toMatchObject([
    { value: { text: odd.toString('latin1') } },
  ])
  expect(await readAll([range(Buffer.from(text, 'utf16le'))], { format: 'whole', encoding: 'utf16le' }, counters)).toMatchObject([
    { value: { text } },
  ])
  expect(counters.invalidUtf8Records).toBe(1)
})

test('a file that is larger than one record may be is refused before it is read', async () => {
  const huge = (end: number) => ({ ...range(bytes), end })
  await expect(wholeBatch(huge(wholeBytesMax + 1), { format: 'whole' }, newReadCounters())).rejects.toMatchObject({
    code: 'TOO_LARGE',
    message: expect.stringContaining(`has ${wholeBytesMax + 1} bytes`) as string,
    details: { path: '/f' },
  })
  // A file of exactly that size is read.
  const failing = { ...huge(wholeBytesMax), open() { throw new Error('it is opened') } } as never
  await expect(wholeBatch(failing, { format: 'whole', bytes: true }, newReadCounters())).rejects.toThrow('it is opened')
})
