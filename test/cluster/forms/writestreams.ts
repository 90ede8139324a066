// Forms of createWriteStream, and of its streams.

import { once } from 'node:events'
import { PassThrough } from 'node:stream'
import { pipeline } from 'node:stream/promises'
import { ended, life, mode, type Form, type Given } from './form.ts'

export const writeStreams: readonly Form[] = [
  // write streams
  ...[
    undefined, null, 'latin1', {}, { encoding: 'hex' }, { mode: 0o600 }, { mode: '600' }, { highWaterMark: 2 }, { flags: 'w' },
    { start: 0 }, { autoClose: true, emitClose: true }, { flush: true },
  ].map(
    options =>
      [
        `createWriteStream with ${JSON.stringify(options)}`,
        async ({ fs, at }: Given) => {
          const stream = fs.createWriteStream(at('w'), options)
          stream.write('abcd')
          await ended(stream, 'ef')
          return [(await fs.readFile(at('w'))).toString('hex'), stream.bytesWritten, mode(await fs.stat(at('w'))).slice(-3)]
        },
      ] as const,
  ),
  ...['nope', 5, true, { start: -1 }, { signal: {} }, { flags: 'zz' }, { encoding: 'nope' }, { mode: 'x' }].map(
    options =>
      [
        `createWriteStream with ${JSON.stringify(options)} fails`,
        async ({ fs, at }: Given) => {
          const stream = fs.createWriteStream(at('w'), options)
          await ended(stream)
        },
      ] as const,
  ),
  [
    'createWriteStream that appends',
    async ({ fs, at }) => {
      const stream = fs.createWriteStream(at('w'), { flags: 'a' })
      await ended(stream)
    },
    'refused',
  ],
  [
    'createWriteStream in the middle',
    async ({ fs, at }) => {
      const stream = fs.createWriteStream(at('w'), { start: 5 })
      await ended(stream)
    },
    'refused',
  ],
  [
    'events of a write stream',
    async ({ fs, at }) => {
      const stream = fs.createWriteStream(at('w'))
      return life(stream, ['open', 'ready', 'finish'], () => stream.end('abc'))
    },
  ],
  [
    'a write stream that ends before it is open',
    async ({ fs, at }) => {
      const stream = fs.createWriteStream(at('w'))
      stream.end()
      await once(stream, 'close')
      return [(await fs.stat(at('w'))).size, stream.bytesWritten]
    },
  ],
  [
    'a write stream that cannot be opened',
    async ({ fs, at }) => {
      const stream = fs.createWriteStream(at('no/such'))
      return life(stream, ['open', 'finish'], () => stream.write('x'))
    },
  ],
  [
    'a write stream with wx over a file',
    async ({ fs, digits }) => {
      const stream = fs.createWriteStream(digits, { flags: 'wx' })
      return life(stream, ['open', 'finish'], () => stream.end('x'))
    },
  ],
  [
    'close of a write stream',
    async ({ fs, at }) => {
      const stream = fs.createWriteStream(at('w'))
      stream.write('abc')
      await new Promise(resolve => {
        stream.close(resolve)
      })
      return [await fs.readFile(at('w'), 'utf8'), stream.destroyed]
    },
  ],
  [
    'close of a write stream twice',
    async ({ fs, at }) => {
      const stream = fs.createWriteStream(at('w'))
      await new Promise(resolve => {
        stream.close(resolve)
      })
      await new Promise(resolve => {
        stream.close(resolve)
      })
      return stream.closed
    },
  ],
  [
    'a write after the end',
    async ({ fs, at }) => {
      const stream = fs.createWriteStream(at('w'))
      stream.end('x')
      return new Promise(resolve => {
        stream.on('error', (error: { code: string }) => resolve(error.code))
        stream.write('y')
      })
    },
  ],
  [
    'a destroyed write stream tells its error once',
    async ({ fs, at }) => {
      const stream = fs.createWriteStream(at('w'))
      return life(stream, ['finish'], () => {
        stream.write('x')
        stream.destroy(new Error('enough'))
        stream.destroy(new Error('again'))
      })
    },
  ],
  [
    'back-pressure of a write stream',
    async ({ fs, at }) => {
      const stream = fs.createWriteStream(at('w'), { highWaterMark: 10 })
      const first = [stream.write('12345'), stream.write('67890')]
      await once(stream, 'drain')
      stream.end()
      await once(stream, 'close')
      return [first, stream.writableHighWaterMark, await fs.readFile(at('w'), 'utf8')]
    },
  ],
  [
    'a pipeline into a write stream',
    async ({ fs, at, digits }) => {
      await pipeline(fs.createReadStream(digits, { highWaterMark: 3 }), fs.createWriteStream(at('w')))
      return fs.readFile(at('w'), 'utf8')
    },
  ],
  [
    'a pipeline that is aborted',
    async ({ fs, at }) => {
      const aborting = new AbortController()
      const [source, stream] = [new PassThrough(), fs.createWriteStream(at('w'))]
      const done = pipeline(source, stream, { signal: aborting.signal })
      source.write('x')
      await once(stream, 'ready')
      aborting.abort()
      return [await done.catch((error: Error) => error.name), source.destroyed, stream.destroyed]
    },
  ],
]
