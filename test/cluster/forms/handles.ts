// Forms of open, and of the calls of its handle.

import { text } from 'node:stream/consumers'
import type { Form, Given } from './form.ts'

export const handles: readonly Form[] = [
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
]
