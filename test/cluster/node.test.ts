// Argument forms that node:fs documents, each passed to node:fs on a local directory and to the library on an embedded cluster. Both have
// the same outcome, or the library refuses the form with an error; it never interprets it differently.

import { createReadStream, createWriteStream, mkdtempSync, rmSync } from 'node:fs'
import * as local from 'node:fs/promises'
import { once } from 'node:events'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { PassThrough, Readable, Writable } from 'node:stream'
import { buffer, text } from 'node:stream/consumers'
import { pipeline } from 'node:stream/promises'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { open, type Mill } from '../../client/index.ts'

/** Untyped on purpose: a compiler would reject half of these arguments. */
interface Given {
  readonly fs: any
  /** A new path, in the local directory or in the cluster. */
  readonly at: (name: string) => string
  /** A file with the content 0123456789. */
  readonly digits: string
  readonly dir: string
}
type Case = readonly [title: string, run: (given: Given) => Promise<unknown>, refused?: 'refused']

const mode = (stats: { mode: number }): string => stats.mode.toString(8)
/** Events of a stream until it is closed, and its state then. */
const life = async (stream: any, names: readonly string[], start: () => void): Promise<unknown> => {
  const events: string[] = []
  for (const name of [...names, 'close', 'error']) stream.on(name, () => events.push(name))
  const before = [stream.pending, stream.closed]
  start()
  await new Promise(resolve => { stream.once('close', resolve) })
  return { events, before, after: [stream.pending, stream.closed, stream.destroyed] }
}

const ended = (stream: any, last = 'x'): Promise<void> => new Promise((resolve, reject) => {
  stream.once('error', reject)
  stream.end(last, (error?: Error | null) => { if (error) reject(error); else resolve() })
})

const encodings = ['utf8', 'utf-8', 'UTF8', 'latin1', 'binary', 'ascii', 'hex', 'base64', 'base64url', 'utf16le', 'ucs2']

const cases: readonly Case[] = [
  // readFile
  ...[undefined, null, {}, { encoding: null }, { encoding: undefined }, { flag: 'r' }, { flag: null }, { signal: undefined }].map(
    options => [`readFile, ${JSON.stringify(options)}`, ({ fs, digits }: Given) => fs.readFile(digits, options)] as const,
  ),
  ...encodings.flatMap(
    encoding =>
      [
        [`readFile as ${encoding}`, ({ fs, digits }: Given) => fs.readFile(digits, encoding)],
        [`readFile as { encoding: ${encoding} }`, ({ fs, digits }: Given) => fs.readFile(digits, { encoding })],
      ] as const,
  ),
  ...['nope', 'buffer', 5, true, { encoding: 'nope' }, { encoding: 5 }, { signal: null }, { signal: {} }, { signal: 'x' }].map(
    options => [`readFile with ${JSON.stringify(options)} fails`, ({ fs, digits }: Given) => fs.readFile(digits, options)] as const,
  ),
  ['readFile with a flag that writes', ({ fs, digits }) => fs.readFile(digits, { flag: 'w+' }), 'refused'],
  ['readFile with an option that is not known', ({ fs, digits }) => fs.readFile(digits, { encodign: 'utf8' }), 'refused'],
  ['options that are inherited', ({ fs, digits }) => fs.readFile(digits, Object.create({ encoding: 'utf8' }))],
  ['readFile of what is not there', ({ fs, at }) => fs.readFile(at('nope'))],
  ['readFile of a directory', ({ fs, dir }) => fs.readFile(dir)],
  // paths
  ['a path of bytes', ({ fs, digits }) => fs.readFile(Buffer.from(digits), 'utf8')],
  ['a path of a Uint8Array', ({ fs, digits }) => fs.readFile(new Uint8Array(Buffer.from(digits)), 'utf8')],
  ['a path with a slash at the end', ({ fs, dir }) => fs.readdir(`${dir}/`)],
  ...['stat', 'access', 'readFile', 'readdir', 'rm', 'open'].flatMap(call =>
    ['/', '/.', '//'].map(
      end =>
        [
          `${call} of a file, with ${end} at the end`,
          async ({ fs, digits }: Given) => {
            await fs[call](`${digits}${end}`)
          },
        ] as const,
    ),
  ),
  ['chmod of a file with a slash at the end', ({ fs, digits }) => fs.chmod(`${digits}/`, 0o600)],
  ['writeFile over a file with a slash at the end', ({ fs, digits }) => fs.writeFile(`${digits}/`, 'x')],
  ['writeFile of a new file with a slash at the end', ({ fs, at }) => fs.writeFile(`${at('w')}/`, 'x')],
  ['rename of a file with a slash at the end', ({ fs, digits, at }) => fs.rename(`${digits}/`, at('w'))],
  ['rename of a file to a name with a slash at the end', ({ fs, digits, at }) => fs.rename(digits, `${at('w')}/`)],
  [
    'rename of a directory, both with a slash at the end',
    async ({ fs, at }) => {
      await fs.mkdir(`${at('a')}/`)
      await fs.rename(`${at('a')}/`, `${at('b')}/`)
      return (await fs.stat(`${at('b')}/`)).isDirectory()
    },
  ],
  [
    'streams of a file with a slash at the end',
    async ({ fs, digits }) => {
      const stream = fs.createReadStream(`${digits}/`)
      return life(stream, ['open'], () => stream.resume())
    },
  ],
  ['a path that is a file: URL', ({ fs, digits }) => fs.readFile(new URL(`file://${digits}`)), 'refused'],
  ...['', '/\0', 5, null, undefined, {}, [], true, Symbol('s'), new URL('http://x/y')].flatMap(path =>
    ['stat', 'readFile', 'readdir', 'mkdir', 'rm', 'open', 'access'].map(
      call => [`${call} of ${path instanceof URL ? path.href : String(path)} fails`, ({ fs }: Given) => fs[call](path)] as const,
    ),
  ),
  // writeFile
  ...(
    [
      ['a string', 'ü'], ['a Buffer', Buffer.from([1, 2])], ['a Uint16Array', new Uint16Array([258])],
      ['a DataView', new DataView(new ArrayBuffer(3))], ['an array', ['a', Buffer.from('b')]], ['a Float64Array', new Float64Array([1])],
    ] as const
  ).map(
    ([title, data]) =>
      [
        `writeFile of ${title}`,
        async ({ fs, at }: Given) => {
          await fs.writeFile(at('w'), data)
          return fs.readFile(at('w'))
        },
      ] as const,
  ),
  [
    'writeFile of a generator',
    async ({ fs, at }) => {
      await fs.writeFile(
        at('w'),
        (function* () {
          yield 'a'
          yield Buffer.from('b')
        })(),
      )
      return fs.readFile(at('w'), 'utf8')
    },
  ],
  [
    'writeFile of an async generator',
    async ({ fs, at }) => {
      await fs.writeFile(
        at('w'),
        (async function* () {
          yield 'a'
          yield 'b'
        })(),
      )
      return fs.readFile(at('w'), 'utf8')
    },
  ],
  [
    'writeFile of a stream',
    async ({ fs, at }) => {
      await fs.writeFile(at('w'), Readable.from(['a', 'b']))
      return fs.readFile(at('w'), 'utf8')
    },
  ],
  ...[5, null, undefined, {}, true, [5], 5n, new ArrayBuffer(2)].map(
    (data, i) => [`writeFile of what is no data fails, ${i}`, async ({ fs, at }: Given) => fs.writeFile(at('w'), data)] as const,
  ),
  ...[
    undefined, null, 'utf8', 'latin1', 'hex', { encoding: 'base64' }, { flag: 'w' }, { flag: null }, { flush: true }, { flush: false },
  ].map(
    options =>
      [
        `writeFile with ${JSON.stringify(options)}`,
        async ({ fs, at }: Given) => {
          await fs.writeFile(at('w'), 'abcd', options)
          return fs.readFile(at('w'))
        },
      ] as const,
  ),
  ...[0o600, 0o640, '600', '0644'].map(
    bits =>
      [
        `writeFile with the mode ${bits}`,
        async ({ fs, at }: Given) => {
          await fs.writeFile(at('w'), 'x', { mode: bits })
          return mode(await fs.stat(at('w')))
        },
      ] as const,
  ),
  ...[
    'nope', 5, { encoding: 'nope' }, { mode: '0o600' }, { mode: 'x' }, { mode: -1 }, { mode: 1.5 }, { flag: 'zz' }, { flush: 5 },
    { signal: {} },
  ].map(
    options => [`writeFile with ${JSON.stringify(options)} fails`, ({ fs, at }: Given) => fs.writeFile(at('w'), 'x', options)] as const,
  ),
  ...['wx', 'xw'].map(
    flag => [`writeFile with ${flag} over a file fails`, ({ fs, digits }: Given) => fs.writeFile(digits, 'x', { flag })] as const,
  ),
  ...['a', 'ax', 'r+', 'w+', 'as'].map(
    flag => [`writeFile with ${flag}`, ({ fs, at }: Given) => fs.writeFile(at('w'), 'x', { flag }), 'refused'] as const,
  ),
  ['writeFile where no directory is', ({ fs, at }) => fs.writeFile(at('no/such'), 'x')],
  // mkdir, rm, rename
  ...[
    undefined, null, {}, 0o700, '700', { mode: 0o750 }, { mode: '750' }, { recursive: false }, { recursive: true },
    { recursive: true, mode: 0o711 },
  ].map(
    options =>
      [
        `mkdir with ${JSON.stringify(options)}`,
        async ({ fs, at }: Given) => {
          await fs.mkdir(at('d'), options)
          return mode(await fs.stat(at('d')))
        },
      ] as const,
  ),
  ...['0o700', 'x', { recursive: 'yes' }, { mode: 'x' }, { mode: -1 }].map(
    options => [`mkdir with ${JSON.stringify(options)} fails`, ({ fs, at }: Given) => fs.mkdir(at('d'), options)] as const,
  ),
  ['mkdir of what is there', ({ fs, dir }) => fs.mkdir(dir)],
  ['mkdir of what is there, recursive', ({ fs, dir }) => fs.mkdir(dir, { recursive: true })],
  ['mkdir below a file', ({ fs, digits }) => fs.mkdir(`${digits}/d`)],
  ...[undefined, {}, { force: true }, { recursive: true }, { recursive: true, force: true, maxRetries: 3, retryDelay: 10 }].map(
    options =>
      [
        `rm with ${JSON.stringify(options)}`,
        async ({ fs, at }: Given) => {
          await fs.writeFile(at('f'), 'x')
          await fs.rm(at('f'), options)
          return fs.access(at('f'))
        },
      ] as const,
  ),
  ...['x', { force: 'yes' }, { recursive: 1 }, { maxRetries: -1 }, { retryDelay: 'x' }].map(
    options => [`rm with ${JSON.stringify(options)} fails`, ({ fs, at }: Given) => fs.rm(at('nope'), options)] as const,
  ),
  ['rm of what is not there', ({ fs, at }) => fs.rm(at('nope'))],
  ['rm of what is not there, with force', ({ fs, at }) => fs.rm(at('nope'), { force: true })],
  [
    'rename over a file',
    async ({ fs, at, digits }) => {
      await fs.writeFile(at('f'), 'x')
      await fs.rename(digits, at('f'))
      return fs.readFile(at('f'), 'utf8')
    },
  ],
  ['rename of what is not there', ({ fs, at }) => fs.rename(at('nope'), at('f'))],
  ['rename to nothing', ({ fs, digits }) => fs.rename(digits, null)],
  ['rename of a directory into itself', ({ fs, dir }) => fs.rename(dir, `${dir}/below`)],
  // readdir
  ...[undefined, null, 'utf8', {}, { encoding: 'utf8' }, { encoding: null }, { withFileTypes: false }, { recursive: false }].map(
    options =>
      [`readdir with ${JSON.stringify(options)}`, async ({ fs, dir }: Given) => (await fs.readdir(dir, options)).toSorted()] as const,
  ),
  [
    'readdir, recursive',
    async ({ fs, dir }) => {
      await fs.mkdir(`${dir}/a/b`, { recursive: true })
      await fs.writeFile(`${dir}/a/b/c`, '')
      return (await fs.readdir(dir, { recursive: true })).toSorted()
    },
  ],
  [
    'readdir with types',
    async ({ fs, dir }) =>
      (await fs.readdir(dir, { withFileTypes: true })).map((entry: any) => [
        entry.name, entry.isFile(), entry.isDirectory(), entry.isSymbolicLink(), entry.parentPath === dir,
      ]),
  ],
  ['readdir as buffers', ({ fs, dir }) => fs.readdir(dir, 'buffer'), 'refused'],
  ...[5, 'nope'].map(
    options => [`readdir with ${JSON.stringify(options)} fails`, ({ fs, dir }: Given) => fs.readdir(dir, options)] as const,
  ),
  ['readdir of a file', ({ fs, digits }) => fs.readdir(digits)],
  // stat, access
  ...[undefined, {}, { bigint: false }].map(
    options =>
      [
        `stat with ${JSON.stringify(options)}`,
        async ({ fs, digits }: Given) => {
          const stats = await fs.stat(digits, options)
          return [stats.size, stats.isFile(), stats.isDirectory(), typeof stats.mtimeMs, stats.mtime instanceof Date]
        },
      ] as const,
  ),
  ['stat in bigints', ({ fs, digits }) => fs.stat(digits, { bigint: true }), 'refused'],
  ...[undefined, null, 0].map(wanted => [`access with ${wanted}`, ({ fs, digits }: Given) => fs.access(digits, wanted)] as const),
  ['access with R_OK', ({ fs, digits }) => fs.access(digits, 4), 'refused'],
  ['access with what is no mode', ({ fs, digits }) => fs.access(digits, 'r')],
  // chmod, chown, utimes
  ...[0o600, 0o100640, '640', '0640', 0].map(
    bits =>
      [
        `chmod to ${bits}`,
        async ({ fs, digits }: Given) => {
          await fs.chmod(digits, bits)
          return mode(await fs.stat(digits))
        },
      ] as const,
  ),
  ...['0o640', '8', '', 'x', -1, 1.5, NaN, 2 ** 32, null, undefined, {}, true].map(
    bits => [`chmod to ${JSON.stringify(bits)} fails`, ({ fs, digits }: Given) => fs.chmod(digits, bits)] as const,
  ),
  ['chmod to set-user-ID', ({ fs, digits }) => fs.chmod(digits, 0o4755), 'refused'],
  ['chown by numbers', ({ fs, digits }) => fs.chown(digits, process.getuid!(), process.getgid!()), 'refused'],
  ...[5, 5.25, '5', new Date(5000), 1_700_000_000.123].map(
    time =>
      [
        `utimes with ${String(time)}`,
        async ({ fs, digits }: Given) => {
          await fs.utimes(digits, time, time)
          return Math.round((await fs.stat(digits)).mtimeMs)
        },
      ] as const,
  ),
  ...['x', NaN, Infinity, null, undefined, 5n, {}, true].map(
    time => [`utimes with ${String(time)} fails`, ({ fs, digits }: Given) => fs.utimes(digits, 1, time)] as const,
  ),
  ['utimes with no access time', ({ fs, digits }) => fs.utimes(digits, null, 1)],
  ['utimes with a Date that is none', ({ fs, digits }) => fs.utimes(digits, 1, new Date(NaN)), 'refused'],
  // open and its handle
  ...[undefined, null, 'r', 0].map(
    flags =>
      [
        `open with ${flags}`,
        async ({ fs, digits }: Given) => {
          const file = await fs.open(digits, flags)
          try {
            return (await file.stat()).size
          } finally {
            await file.close()
          }
        },
      ] as const,
  ),
  [
    'open with a mode',
    async ({ fs, digits }) => {
      const file = await fs.open(digits, 'r', 0o666)
      try {
        return await file.readFile('utf8')
      } finally {
        await file.close()
      }
    },
  ],
  ...['w', 'a', 'r+', 'wx+', 'rs+', 1].map(
    flags =>
      [
        `open with ${flags}`,
        async ({ fs, digits }: Given) => {
          const file = await fs.open(digits, flags)
          await file.close()
        },
        'refused',
      ] as const,
  ),
  ...['zz', 1.5, {}].map(flags => [`open with ${JSON.stringify(flags)} fails`, ({ fs, digits }: Given) => fs.open(digits, flags)] as const),
  ...(
    [
      ['(buffer)', [new Uint8Array(4)]], ['(buffer, offset)', [new Uint8Array(4), 2]],
      ['(buffer, offset, length)', [new Uint8Array(4), 1, 2]],
      ['(buffer, 0, 4, 2)', [new Uint8Array(4), 0, 4, 2]],
      ['a bigint position', [new Uint8Array(4), 0, 4, 2n]],
      ['position -1', [new Uint8Array(4), 0, 4, -1]], ['nulls', [new Uint8Array(4), null, null, null]],
      ['undefined', [new Uint8Array(4), undefined, undefined, undefined]],
      ['(buffer, {})', [new Uint8Array(4), {}]], ['(buffer, null)', [new Uint8Array(4), null]],
      ['(buffer, options)', [new Uint8Array(4), { offset: 1, length: 2, position: 3 }]],
      ['(options)', [{ buffer: new Uint8Array(4), offset: 1, length: 2, position: 3 }]],
      ['no bytes', [new Uint8Array(4), 0, 0]], ['a Uint16Array', [new Uint16Array(2), 0, 4, 1]],
      ['a DataView', [new DataView(new ArrayBuffer(4)), 0, 3, 1]],
      ['at the end', [new Uint8Array(4), 0, 4, 8]],
      ['behind the end', [new Uint8Array(4), 0, 4, 100]],
      ['a length that is too long', [new Uint8Array(4), 0, 5]],
      ['an offset that is too far', [new Uint8Array(4), 5]],
      ['a negative offset', [new Uint8Array(4), -1]], ['a negative length', [new Uint8Array(4), 0, -1]],
      ['a negative position', [new Uint8Array(4), 0, 4, -2]],
      ['half a position', [new Uint8Array(4), 0, 4, 1.5]],
      ['a position in words', [new Uint8Array(4), 0, 4, 'x']],
      ['an offset in words', [new Uint8Array(4), 'x']], ['a string', ['abc']], ['a number', [5]],
    ] as const
  ).map(
    ([title, args]) =>
      [
        `FileHandle.read: ${title}`,
        async ({ fs, digits }: Given) => {
          const file = await fs.open(digits)
          try {
            const { bytesRead, buffer: got } = await file.read(...args)
            return [bytesRead, Buffer.from(got.buffer, got.byteOffset, got.byteLength).toString('hex')]
          } finally {
            await file.close()
          }
        },
      ] as const,
  ),
  [
    'FileHandle.read without anything',
    async ({ fs, digits }) => {
      const file = await fs.open(digits)
      const { bytesRead, buffer: got } = await file.read()
      await file.close()
      return [bytesRead, got.length]
    },
  ],
  [
    'reads that name no position go on where the last one ended',
    async ({ fs, digits }) => {
      const file = await fs.open(digits)
      const reads = await Promise.all(Array.from({ length: 4 }, () => file.read(Buffer.alloc(3))))
      await file.close()
      return reads.map(({ bytesRead, buffer: got }) => got.toString('latin1', 0, bytesRead)).toSorted()
    },
  ],
  [
    'readFile of a handle goes on where the last read ended',
    async ({ fs, digits }) => {
      const file = await fs.open(digits)
      await file.read(Buffer.alloc(3))
      const both = [await file.readFile('utf8'), await file.readFile('utf8')]
      await file.close()
      return both
    },
  ],
  [
    'a stream of a handle goes on there too, and closes it',
    async ({ fs, digits }) => {
      const file = await fs.open(digits)
      await file.read(Buffer.alloc(3))
      const rest = await text(file.createReadStream({ end: 2 }))
      return [
        rest,
        await file.stat().then(
          () => 'open', () => 'closed',
        ),
      ]
    },
  ],
  [
    'a stream of a handle with a start, which it leaves open',
    async ({ fs, digits }) => {
      const file = await fs.open(digits)
      const all = [
        await text(file.createReadStream({ start: 2, end: 4, autoClose: false })),
        (await file.read(Buffer.alloc(2))).buffer.toString(),
      ]
      await file.close()
      return all
    },
  ],
  [
    'lines of a handle',
    async ({ fs, at }) => {
      await fs.writeFile(at('l'), 'a\r\nb\n\nlast')
      const file = await fs.open(at('l'))
      return [
        await Array.fromAsync(file.readLines()),
        await file.stat().then(
          () => 'open', () => 'closed',
        ),
      ]
    },
  ],
  [
    'a closed handle',
    async ({ fs, digits }) => {
      const file = await fs.open(digits)
      await file.close()
      await file.close()
      return file.read(Buffer.alloc(1))
    },
  ],
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

/** Argument errors of node:fs as codes of the library. */
function outcomeOf(error: any): unknown {
  if (error.name === 'AbortError') return { error: 'AbortError' }
  const code: string = error.code ?? error.name
  return { error: /^ERR_|^EBADF$/.test(code) ? 'EINVAL' : code }
}

describe('forms of node:fs', () => {
  let dir: string
  let mill: Mill
  let areas = 0

  beforeAll(async () => {
    dir = mkdtempSync(join(tmpdir(), 'gristmill-node-'))
    mill = await open(join(dir, 'mill'))
  })
  afterAll(async () => {
    await mill?.close()
    rmSync(dir, { recursive: true, force: true })
  })

  async function outcome(fs: any, area: string, run: Case[1]): Promise<unknown> {
    await fs.mkdir(area, { recursive: true })
    const digits = `${area}/digits`
    await fs.writeFile(digits, '0123456789')
    try {
      return { value: await run({ fs, dir: area, digits, at: name => `${area}/${name}` }) }
    } catch (error) {
      return { ...outcomeOf(error) as object, message: (error as Error).message }
    }
  }

  test.each(cases.map(each => [...each] as [string, Case[1], Case[2]]))('%s', async (_, run, refused) => {
    const area = `area${++areas}`
    const found = await outcome(mill, `/${area}`, run) as { value?: unknown; error?: string; message?: string }
    if (refused) {
      expect(found).toMatchObject({ error: 'EINVAL', message: expect.stringMatching(/.{20}/) })
      return
    }
    const nodes = await outcome({ ...local, createReadStream, createWriteStream }, join(dir, area), run) as typeof found
    if (nodes.error !== undefined) expect(found, `node:fs said: ${nodes.message}`).toMatchObject({ error: nodes.error })
    else expect(found).toEqual(nodes)
  })
})
