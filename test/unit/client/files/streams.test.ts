// Read and write streams, line reading and options of the library, on one in-memory file: ranges, back-pressure, aborts and flags as in
// node:fs, and forms that would lose bytes are refused.

import { once } from 'node:events'
import { Readable } from 'node:stream'
import { buffer } from 'node:stream/consumers'
import { pipeline } from 'node:stream/promises'
import { expect, test } from 'vitest'
import { performLocally } from '../../../../client/call/perform.ts'
import { readCopyOptions, type CopyOptions } from '../../../../client/files/copy.ts'
import { lineReadingOf, lineStreamOptions, linesOf, ReadStream, withoutMark } from '../../../../client/files/read.ts'
import { bytesOf, closeUnread, createOptions, WriteStream } from '../../../../client/files/write.ts'
import { abortError } from '../../../../src/base/abort.ts'
import { GristmillError } from '../../../../src/base/errors.ts'
import { textEncodings } from '../../../../src/base/formats.ts'
import { normalise } from '../../../../src/base/paths.ts'
import type { FileClient } from '../../../../src/file/client.ts'
import { mapReduce } from '../../../../src/program/authoring.ts'
import { inputOptions } from '../../../../src/protocol/task.ts'
import { onAbort } from '../../../kit/abort.ts'

/** One in-memory file, read in pieces of 10 bytes; records calls of a writer. */
class FakeFiles {
  readonly bytes = Buffer.from(Array.from({ length: 95 }, (_, i) => i))
  readonly told: string[] = []
  asked = 0
  closed = 0
  createError: Error | undefined
  writeGate: Promise<void> | undefined

  async *read(
    _file: unknown,
    { start = 0, end = Infinity, signal }: { start?: number; end?: number; signal?: AbortSignal },
  ): AsyncGenerator<Buffer> {
    try {
      for (let at = start; at < Math.min(end, this.bytes.length); at += 10) {
        this.asked++
        signal?.throwIfAborted()
        yield this.bytes.subarray(at, Math.min(at + 10, end, this.bytes.length))
      }
    } finally {
      this.closed++
    }
  }

  async locate(path: string) {
    this.told.push(`locate ${path}`)
    return { status: { type: 'file', path, length: this.bytes.length }, blocks: [] }
  }

  async create(path: string, { signal }: { signal?: AbortSignal }) {
    if (this.createError) throw this.createError
    this.told.push(`create ${path}`)
    const { told } = this
    return {
      write: async (bytes: Buffer) => {
        if (this.writeGate)
          await Promise.race([this.writeGate, new Promise((_, reject) => onAbort(signal, () => reject(signal!.reason as Error)))])
        told.push(`write ${bytes.toString()}`)
      },
      close: async () => { told.push('close'); return { length: 5 } },
      drop: async () => { told.push('abort') },
    }
  }

  get client(): FileClient { return this as unknown as FileClient }
}

const reading = (files: FakeFiles, options = {}): ReadStream => new ReadStream(files.client, { path: '/f' }, options)
const writing = (files: FakeFiles, options = {}): WriteStream => new WriteStream(files.client, '/f', options)

test('nothing is asked for before the stream is read, and no more than it has room for', async () => {
  const files = new FakeFiles()
  const stream = reading(files, { highWaterMark: 20 })
  await new Promise(setImmediate)
  expect(files.asked).toBe(0)
  stream.read(0)
  await new Promise(resolve => { setTimeout(resolve, 5) })
  expect(files.asked).toBeLessThanOrEqual(3)
  stream.destroy()
  await once(stream, 'close')
  expect(files.closed).toBe(1)
})

test('every range gives its bytes, with its end', async () => {
  for (const [start, end, highWaterMark] of [
    [0, 94, 7], [0, Infinity, 1000], [9, 10, 1], [94, 94, 3], [95, 100, 3], [13, 57, 10],
  ] as const) {
    const files = new FakeFiles()
    const stream = reading(files, { start, end, highWaterMark })
    const bytes = await buffer(stream)
    expect([...bytes]).toEqual([...files.bytes.subarray(start, end + 1)])
    expect(stream.bytesRead).toBe(bytes.length)
  }
})

test('a reader that stops early closes what it read from, once', async () => {
  const files = new FakeFiles()
  const stream = reading(files, { highWaterMark: 5 })
  const closed = new Promise(resolve => { stream.once('close', resolve) })
  for await (const chunk of stream) {
    expect((chunk as Buffer).length).toBe(5)
    break
  }
  await closed
  expect(files.closed).toBe(1)
})

test('an error of the source is the stream\'s, with path and call', async () => {
  const files = new FakeFiles()
  files.read = (() => ({ next: () => Promise.reject(new GristmillError('ENOENT', 'gone')), return: () => Promise.resolve() })) as never
  await expect(buffer(reading(files))).rejects.toMatchObject({ code: 'ENOENT', details: { path: '/f', syscall: 'read' } })
})

test('a range that cannot be is refused at once', () => {
  for (const options of [{ start: -1 }, { start: 1.5 }, { end: NaN }, { start: 3, end: 2 }]) {
    expect(() => reading(new FakeFiles(), options), JSON.stringify(options)).toThrow(expect.objectContaining({ code: 'EINVAL' }))
  }
})

test('pieces are written in order and the file is closed once at the end', async () => {
  const files = new FakeFiles()
  const stream = writing(files)
  await pipeline(Readable.from(['a', 'b', 'c']), stream)
  expect(files.told).toEqual(['create /f', 'write a', 'write b', 'write c', 'close'])
  expect(stream).toMatchObject({ bytesWritten: 3, status: { length: 5 } })
})

test('a stream without a byte still makes its file', async () => {
  const files = new FakeFiles()
  await new Promise<void>(resolve => { writing(files).end(() => resolve()) })
  expect(files.told).toEqual(['create /f', 'close'])
})

test('a stream that is destroyed is given up, also while a write waits', async () => {
  const files = new FakeFiles()
  files.writeGate = new Promise(() => {})
  const stream = writing(files)
  stream.write('never')
  await new Promise(setImmediate)
  stream.destroy()
  await once(stream, 'close')
  expect(files.told).toEqual(['create /f', 'abort'])
})

test('a signal that was aborted before gives the stream up', async () => {
  const files = new FakeFiles()
  const stream = writing(files, { signal: AbortSignal.abort(new Error('no')) })
  await expect(once(stream, 'close')).rejects.toMatchObject({ code: 'ABORTED', message: 'the operation was aborted: no' })
  expect(files.told).not.toContain('close')
})

test('a path that cannot be written is an error before any byte is written', async () => {
  const files = new FakeFiles()
  files.createError = new GristmillError('EEXIST', 'there already')
  const stream = writing(files)
  const [error] = await once(stream, 'error') as [unknown]
  expect(error).toMatchObject({ code: 'EEXIST', details: { path: '/f', syscall: 'open' } })
})

test('lines are the same however the bytes are cut', async () => {
  const text = 'a\n\nü 小\r\n\r\nlong line \r inside\nlast'
  const expected = ['a', '', 'ü 小', '', 'long line \r inside', 'last']
  const bytes = Buffer.from(text)
  for (let size = 1; size <= bytes.length; size++) {
    const pieces = async function* (): AsyncGenerator<Buffer> {
      for (let at = 0; at < bytes.length; at += size) yield bytes.subarray(at, at + size)
    }
    expect(await Array.fromAsync(linesOf(pieces())), `pieces of ${size}`).toEqual(expected)
  }
  expect(await Array.fromAsync(linesOf((async function* () {})()))).toEqual([])
})

test('no line is given after an abort, though its bytes have come', async () => {
  const abort = new AbortController()
  const lines = linesOf((async function* () { yield Buffer.from('a\nb\nc\n') })(), 'utf8', abort.signal)
  expect(await lines.next()).toEqual({ done: false, value: 'a' })
  abort.abort()
  await expect(lines.next()).rejects.toMatchObject({ code: 'ABORTED' })
})

test('the source of a file that cannot be created is closed', async () => {
  const stream = Readable.from(['x'])
  await closeUnread(stream, undefined)
  expect(stream.destroyed).toBe(true)
  let closed = 0
  const source = (fails: boolean) => ({
    [Symbol.asyncIterator]: () => ({
      next: async () => ({ done: false, value: 'x' }),
      return: async () => {
        closed++
        if (fails) throw new Error('it cannot be closed')
        return { done: true, value: undefined }
      },
    }),
  }) as never
  for (const fails of [false, true]) await closeUnread(source(fails), undefined)
  expect(closed).toBe(2)
})

test('whatever writeFile accepts becomes bytes, and nothing else does', async () => {
  const all = async (data: Parameters<typeof bytesOf>[0]) => Buffer.concat(await Array.fromAsync(bytesOf(data, 'utf8'))).toString('hex')
  expect(await all('aü')).toBe('61c3bc')
  expect(await all(new Uint16Array([1, 2]).subarray(1))).toBe('0200')
  expect(await all(['a', Buffer.from('b')])).toBe('6162')
  for (const wrong of [[5], 5, null, undefined, {}])
    await expect(all(wrong as never)).rejects.toMatchObject({ code: 'EINVAL', message: expect.stringContaining('strings and bytes') })
})

test('what a source throws is what writeFile throws, as in node:fs', async () => {
  const own = Object.assign(new RangeError('row 17 is too long'), { code: 'MY_CODE' })
  const failing = async function* (): AsyncGenerator<string> { yield 'a'; throw own }
  const read = async (data: Parameters<typeof bytesOf>[0]): Promise<unknown> =>
    performLocally(
      'open', '/f', () => ({}), () => Array.fromAsync(bytesOf(data, 'utf8')),
    ).catch((error: unknown) => error)
  expect(await read(failing())).toBe(own)
  expect(await read({ [Symbol.iterator]: () => ({ next: () => { throw own } }) })).toBe(own)
  expect(await read((async function* (): AsyncGenerator<string> { yield 'a'; throw 'text' })())).toBe('text')
  // Errors of the library come from the call that failed.
  expect(await read([5] as never)).toMatchObject({ code: 'EINVAL', details: { syscall: 'open' } })
  // An abort takes precedence.
  const aborted = AbortSignal.abort()
  await expect(
    performLocally(
      'open', '/f', () => ({ signal: aborted }), () => Array.fromAsync(bytesOf(failing(), 'utf8')),
    ),
  ).rejects.toMatchObject({ code: 'ABORTED' })
})

test('a source that throws when it is closed does not hide the error for which it is closed', async () => {
  const source = (...values: unknown[]) => ({
    [Symbol.asyncIterator]: () => {
      const rest = values[Symbol.iterator]()
      return { next: async () => rest.next(), return: () => { throw new Error('it cannot be closed') } }
    },
  }) as never
  await expect(Array.fromAsync(bytesOf(source('a', 5), 'utf8'))).rejects.toMatchObject({ code: 'EINVAL' })
  // The same for an error of the cluster, while a chunk is written.
  const full = new GristmillError('ENOSPC', 'no datanode has space')
  await expect((async () => { for await (const _ of bytesOf(source('a', 'b'), 'utf8')) throw full })()).rejects.toBe(full)
})

test('an abort is obeyed while a source is being closed', async () => {
  const abort = new AbortController()
  const closing = Promise.withResolvers<void>()
  const destroyed = Promise.withResolvers<void>()
  const source = {
    destroy: () => destroyed.resolve(),
    [Symbol.asyncIterator]: () => ({
      next: async () => ({ done: false, value: 5 }),
      return: () => {
        closing.resolve()
        return new Promise(() => {})
      },
    }),
  }
  const read = Array.fromAsync(bytesOf(source as never, 'utf8', abort.signal))
  await closing.promise
  abort.abort()
  await expect(read).rejects.toMatchObject({ code: 'EINVAL' })
  await destroyed.promise
})

test('the flags of node:fs mean what they mean there, and those that would lose bytes here are refused', () => {
  expect(createOptions({})).toMatchObject({ overwrite: true })
  expect(createOptions({ flag: 'wx' })).toMatchObject({ overwrite: false })
  for (const flag of ['a', 'ax', 'r+', 'w+']) expect(() => createOptions({ flag: flag as 'w' })).toThrow(/written once and whole/)
})

test('block sizes and replicas that cannot be are refused in words', () => {
  expect(() => createOptions({ blockSize: 5 })).toThrow('the block size is 5; it must be a whole number from 512 to')
  expect(() => createOptions({ replication: 0 })).toThrow('the number of replicas is 0; it must be a whole number from 1 to 16')
  expect(() => createOptions({ replication: 1.5 })).toThrow('the number of replicas is 1.5')
})

test('an invalid path is reported as such', () => {
  for (const wrong of [undefined, null, 5, new URL('file:///a')])
    expect(() => normalise(wrong as never)).toThrow(/^a path is a string, not /)
})

test('lines are read in encodings of text, and no others', () => {
  for (const [encoding, text, decode] of [
    [undefined, undefined, 'utf8'], [null, undefined, 'utf8'], ['utf8', 'utf8', 'utf8'], ['UTF-8', 'utf8', 'utf8'],
    ['latin1', 'latin1', 'latin1'], ['binary', 'latin1', 'latin1'], ['ascii', 'utf8', 'ascii'], ['utf16le', 'utf16le', 'utf8'],
    ['UTF-16LE', 'utf16le', 'utf8'], ['ucs2', 'utf16le', 'utf8'], ['ucs-2', 'utf16le', 'utf8'], ['utf16be', 'utf16be', 'utf8'],
    ['utf-16be', 'utf16be', 'utf8'], ['windows1252', 'windows1252', 'utf8'], ['Windows-1252', 'windows1252', 'utf8'],
  ] as const)
    expect(lineReadingOf(encoding), String(encoding)).toEqual({ text, decode })
  for (const encoding of ['hex', 'base64', 'nope', 5, {}])
    expect(() => lineReadingOf(encoding)).toThrow(expect.objectContaining({ code: 'EINVAL' }))
})

test('a file and a handle read lines in the same encodings, however they are written', () => {
  for (const encoding of ['UTF-16BE', 'utf16be', 'Windows-1252', 'UTF-8', 'ucs-2', 'ASCII', 'binary', undefined, null]) {
    for (const given of [encoding, { encoding }])
      expect(lineStreamOptions(given as never).reading, String(encoding)).toEqual(lineReadingOf(encoding))
  }
  for (const encoding of ['hex', 'nope', 5])
    expect(() => lineStreamOptions({ encoding } as never)).toThrow(
      expect.objectContaining({ code: 'EINVAL', message: expect.stringContaining('lines are read as utf8') }),
    )
})

test('text has the same encodings in the library, in programs and in the namenode\'s messages', () => {
  const schema = (inputOptions as unknown as { properties: { encoding: { anyOf: ReadonlyArray<{ const: string }> } } }).properties.encoding
  expect(schema.anyOf.map(each => each.const)).toEqual(textEncodings)
  const program = (encoding: string) => () => mapReduce({ input: { path: '/a', encoding: encoding as never }, map() {} })
  for (const encoding of textEncodings) {
    expect(lineReadingOf(encoding).text).toBe(encoding)
    expect(program(encoding)).not.toThrow()
  }
  expect(program('nope')).toThrow(new RegExp(textEncodings.join('.*')))
})

test('a byte order mark is no part of the first line, in whatever pieces it comes', async () => {
  for (const text of ['\ufeffa\nb', '\ufeff', 'ab', 'a', '', '\ufeff\ufeffa']) {
    const bytes = Buffer.from(text)
    for (let size = 1; size <= 8; size++) {
      const pieces = async function* (): AsyncGenerator<Buffer> {
        for (let at = 0; at < bytes.length; at += size) yield bytes.subarray(at, at + size)
      }
      expect(Buffer.concat(await Array.fromAsync(withoutMark(pieces()))).toString(), JSON.stringify(text)).toBe(text.replace('\ufeff', ''))
    }
  }
})

test('a progress callback that throws ends its copy, and is called no more', () => {
  let calls = 0
  const given: CopyOptions = { onProgress: () => { calls++; throw new Error('my bar') } }
  const { onProgress, signal } = readCopyOptions(given)
  onProgress!({ bytes: 1, files: 0 })
  onProgress!({ bytes: 2, files: 0 })
  expect(calls).toBe(1)
  expect(signal!.aborted).toBe(true)
  expect(abortError(signal!)).toMatchObject({
    code: 'ABORTED',
    message: expect.stringContaining('onProgress threw: my bar'),
    cause: new Error('my bar'),
  })
})
