// Forms of the calls for names and attributes: mkdir, rm, rename, readdir, stat, access, chmod, chown, utimes.

import { mode, type Form, type Given } from './form.ts'

export const names: readonly Form[] = [
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
  ['rm of a directory by its dot', async ({ fs, at }) => {
    await fs.mkdir(at('d'))
    await fs.rm(at('d/.'), { recursive: true })
  }],
  ['rm of a directory by the dots of another', async ({ fs, at }) => {
    await fs.mkdir(at('d/e'), { recursive: true })
    await fs.rm(at('d/e/../..'), { recursive: true })
  }, 'refused'],
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
]
