// Forms of readFile, and of the paths that every call takes.

import { encodings, life, type Form, type Given } from './form.ts'

export const reading: readonly Form[] = [
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
]
