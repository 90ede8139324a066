// Commands and files of a stream job, before anything is sent: words, checks of the options, names of files.

import { expect, test } from 'vitest'
import { commandWords } from '../../../../client/jobs/commandwords.ts'
import { readRunOptions } from '../../../../client/jobs/options.ts'
import { readStreamOptions, runStream, type StreamOptions } from '../../../../client/jobs/stream.ts'
import type { RunTools } from '../../../../client/jobs/run.ts'
import { MemoryDisk } from '../../../kit/memory-disk.ts'

const words = (text: string): readonly string[] => commandWords(text, { name: 'mapper' })

test.each([
  ['cat', ['cat']],
  ['  wc   -l\t-c ', ['wc', '-l', '-c']],
  [`awk '{ print $1 | "sort" }'`, ['awk', '{ print $1 | "sort" }']],
  [`grep "a  b"'c'd`, ['grep', 'a  bcd']],
  ['grep a\\.b$ c*', ['grep', 'a\\.b$', 'c*']],
  [`printf '' ""`, ['printf', '', '']],
  ['sed s/$1/x/', ['sed', 's/$1/x/']],
])('%s is split without a shell', (text, expected) => {
  expect(words(text)).toEqual(expected)
})

test.each(['a | b', 'a; b', 'a && b', 'a > b', 'a < b', '(a)', '`a`', 'echo $HOME', 'echo ${A}', 'echo $(a)', 'a\nb', 'a|b'])(
  '%s is given to a shell', text => {
    expect(words(text)).toEqual(['/bin/sh', '-c', text])
  },
)

test('a command without a program, or with an open quote, is refused', () => {
  expect(() => words('  ')).toThrow('the mapper "  " names no program; give one, such as cat')
  expect(() => words(`'' x`)).toThrow('names no program')
  expect(() => words(`awk '{ print }`)).toThrow(`has a quote ' that is not closed; close it`)
  expect(() => words('a\0b')).toThrow('has a NUL character')
  expect(commandWords('cat', { name: 'mapper', shell: true })).toEqual(['/bin/sh', '-c', 'cat'])
})

const paramsOf = (more: Partial<StreamOptions>) => readStreamOptions({ input: '/a', output: '/b', ...more }).params

test('there is a shuffle with a reducer or a number of reducers, and none with 0', () => {
  expect(paramsOf({ map: 'cat' })).toEqual({ map: ['cat'], shuffle: false, format: 'lines' })
  expect(paramsOf({ map: 'cat', reduce: 'wc -l' })).toEqual({ map: ['cat'], reduce: ['wc', '-l'], shuffle: true, format: 'lines' })
  expect(paramsOf({ map: 'cat', reduce: 'aggregate' })).toEqual({ map: ['cat'], aggregates: true, shuffle: true, format: 'lines' })
  expect(paramsOf({ reducers: 2 })).toEqual({ shuffle: true, reducers: 2, format: 'lines' })
  expect(paramsOf({ reduce: 'wc', reducers: 0 })).toEqual({ shuffle: false, format: 'lines' })
  expect(() => paramsOf({ map: 'cat', combine: 'wc' })).toThrow('a combiner has no effect without reducers')
})

test('options are checked before anything is sent', () => {
  expect(paramsOf({
    map: ['a b', '$x'], inputFormat: 'csv', fieldSeparator: ',', reduceSeparator: '=', keyFields: 2, partitionFields: 1,
    order: ['1', '-k2,3nr'],
  })).toEqual({
    map: ['a b', '$x'], shuffle: false, format: 'csv', separator: ',', joiner: '=', keyFields: 2, partitionFields: 1,
    order: [{ first: 1, numeric: false, reverse: false }, { first: 2, last: 3, numeric: true, reverse: true }],
  })
  const wrong: ReadonlyArray<readonly [object, string]> = [
    [{ input: [] }, 'stream has no input'], [{ output: undefined }, 'stream has no output'], [{ map: 5 }, 'the mapper is number 5; it is a text, or an array'],
    [{ reduce: [] }, 'the reducer is'], [{ files: 'a' }, 'the files are "a"; they are an array'],
    [{ keyFields: 0 }, 'number of key fields'],
    [{ inputFormat: 'xml' }, 'the input format is "xml"; it is text, csv or jsonl'], [{ fieldSeparator: '' }, 'the field separator is'],
    [{ order: '2x' }, 'the order "2x" is not known'], [{ order: '3,2' }, 'the order "3,2" is not known'], [{ shell: 'yes' }, 'shell'],
    [{ reducers: -1 }, 'number of reducers'], [{ unheard: 1 }, 'unheard'],
  ]
  for (const [more, message] of wrong) expect(() => paramsOf(more), message).toThrow(message)
})

test('a file to send along must be there, and its name must be free', async () => {
  const disk = new MemoryDisk()
  await disk.mkdir('/w/sub')
  for (const name of ['/w/a', '/w/sub/a']) await disk.writeFileDurable(name, Buffer.from(name))
  const run = (files: string[]): Promise<unknown> =>
    runStream({ disk, workingDirectory: '/w' } as unknown as RunTools, readStreamOptions({ input: '/a', output: '/b', files }))
  await expect(run(['none'])).rejects.toThrow('there is no file /w/none to send along')
  await expect(run(['sub'])).rejects.toThrow('/w/sub cannot be sent along: it is no file')
  await expect(run(['a', '/w/sub/a'])).rejects.toThrow('two files to send along have the name a; give one of them another name: /w/sub/a#NAME')
  await expect(run(['a#tmp'])).rejects.toThrow('cannot have the name "tmp"')
})

test('a limit of memory in which no task can begin is refused, with the least one', () => {
  for (const memoryBytes of [0, 1 << 20]) {
    const refused = expect.objectContaining({ code: 'EINVAL', message: expect.stringContaining('at least 16.0 MiB') as string }) as Error
    expect(() => readRunOptions({ memoryBytes })).toThrow(refused)
    expect(() => readStreamOptions({ input: '/a', output: '/b', memoryBytes })).toThrow(refused)
  }
  expect(readRunOptions({ memoryBytes: 16 << 20 }).memoryBytes).toBe(16 << 20)
})
