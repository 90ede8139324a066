// Forms of createReadStream, of its streams, and of signals.

import { once } from 'node:events'
import { PassThrough, Readable, Writable } from 'node:stream'
import { buffer, text } from 'node:stream/consumers'
import { pipeline } from 'node:stream/promises'
import { life, type Form, type Given } from './form.ts'

export const readStreams: readonly Form[] = [
  // read streams
  ...[
    undefined, null, 'utf8', {}, { start: 2 }, { end: 4 }, { start: 2, end: 4 }, { start: 0, end: 0 }, { start: 9 }, { start: 10 },
    { start: 50, end: 60 }, { end: Infinity }, { encoding: 'hex' }, { encoding: null }, { highWaterMark: 3 }, { flags: 'r' },
    { autoClose: true, emitClose: true },
  ].map(
    options =>
      [
        `createReadStream with ${JSON.stringify(options)}`,
        async ({ fs, digits }: Given) => (await Array.fromAsync(fs.createReadStream(digits, options))).join(''),
      ] as const,
  ),
  ...[
    'nope', 5, true, { start: -1 }, { start: 1.5 }, { start: NaN }, { start: '1' }, { start: null }, { end: '5' }, { end: -1 },
    { start: 5, end: 2 }, { signal: {} }, { flags: 'zz' }, { encoding: 'nope' }, { start: Infinity },
  ].map(
    options =>
      [
        `createReadStream with ${JSON.stringify(options)} fails`,
        async ({ fs, digits }: Given) => text(fs.createReadStream(digits, options)),
      ] as const,
  ),
  [
    'createReadStream of a descriptor',
    async ({ fs, digits }) => {
      const file = await fs.open(digits)
      return text(fs.createReadStream(digits, { fd: file }))
    },
    'refused',
  ],
  [
    'events of a read stream',
    async ({ fs, digits }) => {
      const stream = fs.createReadStream(digits)
      return life(stream, ['open', 'ready', 'data', 'end'], () => {})
    },
  ],
  [
    'a read stream opens before it is read',
    async ({ fs, digits }) => {
      const stream = fs.createReadStream(digits)
      await once(stream, 'ready')
      return [stream.pending, await text(stream), stream.bytesRead]
    },
  ],
  [
    'a read stream of what is not there fails without being read',
    async ({ fs, at }) => {
      const stream = fs.createReadStream(at('nope'))
      return life(stream, ['open'], () => {})
    },
  ],
  [
    'close of a read stream',
    async ({ fs, digits }) => {
      const stream = fs.createReadStream(digits)
      return life(stream, ['data'], () => stream.close())
    },
  ],
  [
    'close of a read stream that is open',
    async ({ fs, digits }) => {
      const stream = fs.createReadStream(digits)
      await once(stream, 'ready')
      return new Promise(resolve => {
        stream.close((error: unknown) => resolve([(error as { code: string }).code, stream.destroyed]))
      })
    },
  ],
  [
    'a read stream that is left early',
    async ({ fs, digits }) => {
      const stream = fs.createReadStream(digits, { highWaterMark: 2 })
      for await (const chunk of stream)
        return [
          chunk.toString(),
          await new Promise(resolve => {
            stream.once('close', () => resolve('closed'))
            stream.destroy()
          }),
        ]
      return undefined
    },
  ],
  [
    'a read stream without autoClose',
    async ({ fs, digits }) => {
      const stream = fs.createReadStream(digits, { autoClose: false })
      await buffer(new PassThrough().end())
      stream.resume()
      await once(stream, 'end')
      await new Promise(setImmediate)
      const was = stream.destroyed
      stream.destroy()
      return was
    },
  ],
  [
    'a read stream through a pipeline that fails',
    async ({ fs, digits }) => {
      const stream = fs.createReadStream(digits)
      await pipeline(
        stream,
        new Writable({
          write(_chunk, _encoding, done) {
            done(new Error('full'))
          },
        }),
      ).catch(() => {})
      return [stream.destroyed]
    },
  ],
  ['a web stream of a read stream', async ({ fs, digits }) => text(Readable.toWeb(fs.createReadStream(digits)) as never)],
  // signals
  ...[undefined, 'enough', new Error('enough')].flatMap(
    reason =>
      [
        [
          `readFile that was aborted with ${String(reason)}`,
          ({ fs, digits }: Given) => fs.readFile(digits, { signal: AbortSignal.abort(reason) }),
        ],
        [
          `writeFile that was aborted with ${String(reason)}`,
          ({ fs, at }: Given) => fs.writeFile(at('w'), 'x', { signal: AbortSignal.abort(reason) }),
        ],
        [
          `createReadStream that was aborted with ${String(reason)}`,
          ({ fs, digits }: Given) => text(fs.createReadStream(digits, { signal: AbortSignal.abort(reason) })),
        ],
      ] as const,
  ),
]
