// Table of record formats: stored numbers never change, and options, extensions and record ends belong to the formats that list them.

import { expect, test } from 'vitest'
import {
  extensionOf, formatOfName, formats, hasHeader, inputFormatDefault, inputFormats, inputsWith, isBinary, isDelimited, outputFormatDefault,
  outputFormats, outputsWith, readFormatOf, recordEnd, recordFormats,
} from '../../../../src/base/formats.ts'

test('the stored number of a format is its index, and never changes', () => {
  expect(recordFormats).toEqual(['bytes', 'lines', 'jsonl', 'csv'])
  expect(recordFormats.map(name => formats[name].stored)).toEqual([0, 1, 2, 3])
})

test('inputs and outputs are named in the order of messages, the default first', () => {
  expect(inputFormats).toEqual(['lines', 'jsonl', 'csv', 'whole', 'avro'])
  expect(outputFormats).toEqual(['text', 'jsonl', 'csv', 'avro'])
  expect([inputFormats[0], outputFormats[0]]).toEqual([inputFormatDefault, outputFormatDefault])
})

test('an option belongs to the formats that list it', () => {
  expect(['delimiter', 'header', 'bytes', 'largeIntegers', 'columns'].map(inputsWith)).toEqual([['csv'], ['csv'], ['whole'], ['jsonl'], []])
  expect(['delimiter', 'header', 'columns', 'bytes', 'schema', 'codec'].map(outputsWith))
    .toEqual([['csv'], ['csv'], ['csv'], [], ['avro'], ['avro']])
})

test('an extension belongs to one format, and the files of an output are stored in the format of their extension', () => {
  const all = recordFormats.flatMap(name => (formats[name] as { extensions?: readonly string[] }).extensions ?? [])
  expect(new Set(all).size).toBe(all.length)
  for (const name of outputFormats) expect(formatOfName(`part-00000${extensionOf(name)}`)).toBe(formats[name].output.as)
  expect(['/a/B.CSV', 'a.csv.gz', 'csv', 'a.', 'a.toString'].map(formatOfName)).toEqual(['csv', 'bytes', 'bytes', 'bytes', 'bytes'])
})

test('only CSV has rows, a delimiter and a header', () => {
  expect([...recordFormats, ...inputFormats, ...outputFormats].map(recordEnd)).toEqual([
    undefined, 'newline', 'newline', 'row', 'newline', 'newline', 'row', 'file', 'marker', 'newline', 'newline', 'row',
    'marker',
  ])
  expect(recordFormats.filter(isDelimited)).toEqual(['csv'])
  expect(inputFormats.filter(hasHeader)).toEqual(['csv'])
  expect(inputFormats.filter(isBinary)).toEqual(['avro'])
  expect(outputFormats.map(readFormatOf)).toEqual(['lines', 'jsonl', 'csv', 'avro'])
})
