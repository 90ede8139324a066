// Forms of writeFile: data, options, flags.

import { Readable } from 'node:stream'
import { mode, type Form, type Given } from './form.ts'

export const writing: readonly Form[] = [
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
]
