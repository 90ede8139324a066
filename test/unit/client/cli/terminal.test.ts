// Names chosen by other users cannot control a terminal or forge output: every command, with hostile names in all data that it prints. In
// a pipe names are printed unchanged.

import { stripVTControlCharacters } from 'node:util'
import { expect, test } from 'vitest'
import { commandNames } from '../../../../client/cli/catalog.ts'
import { quoteName, showJson, showText } from '../../../../src/base/quote.ts'
import { runFake, type Given, type Seen } from './fake.ts'
import { Recorder } from './recorder.ts'

/** An escape that clears the screen, a colour, a bidi override, the one-byte form of an escape, a line that looks like ours. */
const hostile = 'a\u001b[2J\u001b[31m\u202egpj.\u009b5m\ngristmill: all is well'
const tree = () =>
  new Recorder(
    {
      [`/${hostile}/f`]: 'text', [`/${hostile}/sub/g`]: '', [`/d/${hostile}`]: 'line\n', '/d/plain': 'x\n',
      '/d/o': { type: 'file', owner: hostile, group: hostile },
    },
    hostile,
  )

const commands: readonly (readonly string[])[] = [
  ['ls', '/'], ['ls', '-l', '/'], ['ls', '-lR', '/'], ['ls', '-d', `/${hostile}`], ['ls', '/d', `/${hostile}`], ['find', '/'],
  ['find', '/', '-print0'], ['du', '/'], ['du', '-s', `/${hostile}`], ['count', `/${hostile}`], ['count', '-q', `/${hostile}`],
  ['checksum', `/d/${hostile}`], ['head', `/d/${hostile}`, '/d/plain'], ['tail', `/d/${hostile}`, '/d/plain'],
  ['stat', '-b', `/d/${hostile}`, '/d/o'], ['stat', '-c', '%n %U', `/d/${hostile}`], ['df'], ['status'], ['report'],
  ['fsck', '--locations', '/'], ['safemode'], ['trash', 'ls'], ['trash', 'restore', hostile], ['snapshot', 'create', '/d'],
  ['diff', '/d@1', '/d'], ['lineage', '/d'], ['lineage', '--mermaid', '/d'], ['why', '/d'],
  ['build'], ['rerun', 'job-1'], ['history', '/d'], ['history', 'rm', '/d@1'], ['rollback', `/${hostile}`],
  ['snapshot', 'ls'], ['snapshot', 'diff', '/d', 'a'], ['quota', 'get'], ['quota', 'get', `/${hostile}`],
  ['user', 'ls'], ['user', 'key', 'ada'],
  ['upload', 'ls'], ['upload', 'rm', '--older-than', '1s'], ['upload', 'rm', hostile],
  ['quota', 'set', '--names', '5', `/${hostile}`], ['xattr', 'ls', '/d'], ['xattr', 'get', '/d', 'user.a'], ['jobs'], ['queues'],
  ['job', 'last'],
  ['job', '--tasks', 'last'], ['kill', 'last'], ['logs', 'last'], ['run', 'x.ts'], ['run', '--detach', 'x.ts'],
  ['stream', '-i', '/a', '-o', '/b'],
  ['decommission', 'n1'],
  ['recommission', 'n1'], ['forget', hostile], ['maintenance', '--for', '1h', 'n1'], ['balance'],
  ['loglevel'], ['loglevel', 'warn', '--server', hostile], ['config', '--servers'], ['setrep', '4', `/d/${hostile}`],
  ['namenode', 'backup'],
  ['namenode', 'lost'], ['namenode', 'allow-deletions'], ['chmod', '600', `/d/${hostile}`], ['getfacl', '-R', '/d'],
  ['setfacl', '-m', `user:${hostile}:rwx`, '/d'], ['setfacl', '-b', `/d/${hostile}`], ['mkdir', `/new${hostile}`],
  ['touch', `/new${hostile}`], ['cp', `/d/${hostile}`, '/d2'],
  ['import', `http://h/${hostile}`, '/d/'], ['export', `/d/${hostile}`, `s3://bucket/${hostile}`],
  // Error messages.
  ['cat', `/no${hostile}`], ['ls', `/no${hostile}*`], ['rm', `/${hostile}`], ['rm', `/no${hostile}`],
  ['mv', `/d/${hostile}`, '/d/plain', `/no${hostile}`],
  ['mv', `/d/plain`, `/d/${hostile}`], ['mkdir', `/no${hostile}/x`], ['mkdir', `/d/${hostile}`], ['cat', `/d/${hostile}/`],
  ['job', hostile], ['logs', `x${hostile}`], ['chmod', 'u+q', '/d'], ['trash', hostile], ['ls', `--${hostile}`], [hostile],
  ['du', `/no${hostile}`], ['find', '/', '-newer', `/no${hostile}`], ['find', '/', '-size', hostile], ['setrep', hostile, '/d'],
  ['chown', `${hostile}`, '/d'],
]

/** Cursor movements of a progress bar. */
const cursor = /\u001b\[(?:\?(?:25|7)[lh]|1G|0[JK]|\d+A)/g // oxlint-disable-line no-control-regex

/** Commands that talk to processes or to a disk: they print through the same printer, and are tested elsewhere. */
const elsewhere = new Set(['put', 'get', 'getmerge', 'append', 'init', 'config', 'console', 'test', 'datanode', 'gateway', 'serve',
  'serve-kv', 'up', 'down', 'status', 'completion', 'chown', 'cat', 'sql'])

const seenBy = (words: readonly string[], given: Given): Promise<Seen> => runFake(tree(), words, { env: { NO_COLOR: '1' }, ...given })

const unshown = /[\u0000-\u0009\u000b-\u001f\u007f-\u009f\u202a-\u202e\u2066-\u2069]/ // oxlint-disable-line no-control-regex

/** Stored values, messages of programs and usage errors may have several lines. */
const severalLines = ([command = '', ...more]: readonly string[]): boolean =>
  command === hostile
  || ['xattr', 'job', 'run', 'stream', 'trash', 'setrep', 'chown'].includes(command)
  || more.includes('-size')
  || more.includes(`x${hostile}`)

test.each(commands.filter(([command]) => command !== 'status').map(words => [words.map(showText).join(' ').slice(0, 60), words] as const))(
  'gristmill %s',
  async (_, words) => {
    for (const json of [[], ['--json']]) {
      const { out, err } = await seenBy([...words, ...json], { terminal: { columns: 100 } })
      const spaces = words.includes('-print0') ? /[\t\0]/g : '\t' // oxlint-disable-line no-control-regex
      const shown = `${out}${err}`.replaceAll(cursor, '').replaceAll(spaces, ' ')
      expect(unshown.exec(shown)?.[0], JSON.stringify(shown)).toBeUndefined()
      if (!severalLines(words))
        expect(
          shown.split('\n').filter(line => line.startsWith('gristmill: all is well')),
          JSON.stringify(shown),
        ).toEqual([])
    }
  },
)

test('every command is among them', () => {
  const looked = new Set(commands.map(([command]) => command))
  expect(
    commandNames.filter(name => !looked.has(name) && !elsewhere.has(name)),
  ).toEqual([])
})

test('in a pipe names are as they are, and on a terminal a shell takes them back', async () => {
  const out = async (words: string[], given: Given = {}): Promise<string> =>
    (
      await runFake(new Recorder({ '/d/a\nb': 'x', '/d/c d': 'x', "/d/it's": 'x', '/d/ü': 'x' }), words, {
        env: { NO_COLOR: '1' }, ...given,
      })
    ).out
  expect(await out(['ls', '/d'])).toBe('a\nb\nc d\nit\'s\nü\n')
  expect(await out(['find', '/d', '-type', 'f', '-print0'])).toBe('/d/a\nb\0/d/c d\0/d/it\'s\0/d/ü\0')
  expect(await out(['find', '/d', '-type', 'f'], { terminal: { columns: 20 } })).toBe(`'/d/a'$'\\n''b'\n'/d/c d'\n"/d/it's"\n/d/ü\n`)
  expect(await out(['du', '/d'], { terminal: { columns: 20 } })).toBe('4\t/d\n')
})

test('colours of ls are ours, and a coloured name is none', async () => {
  const { out } = await runFake(new Recorder({ '/d/\u001b[31mred': {}, '/d/plain': {} }), ['ls', '/d'], { terminal: { columns: 80 } })
  expect(out).toBe(`\u001b[1m\u001b[34m$'\\x1b''[31mred'\u001b[39m\u001b[22m  \u001b[1m\u001b[34mplain\u001b[39m\u001b[22m\n`)
})

test('output of a program is shown unchanged', async () => {
  const mill = tree()
  mill.job = () => ({ logs: async function* () { yield { attempt: `${mill.jobId}/0.0.0`, node: 'n', text: '\u001b[31mred\n' } } })
  expect((await runFake(mill, ['logs', 'last'], { terminal: { columns: 80 } })).out).toContain('\u001b[31mred\n')
})

test('names are quoted as GNU ls quotes them', () => {
  const cases: [string, string][] = [
    ['plain-1.txt', 'plain-1.txt'], ['a b', `'a b'`], [`it's`, `"it's"`], [`it's $5`, `'it'\\''s $5'`], ['a\nb', `'a'$'\\n''b'`],
    ['x\u202ey', `'x'$'\\u202e''y'`], ['\u009bm', `$'\\u009b''m'`], ['ü小', 'ü小'], ['[1]', `'[1]'`], ['', `''`],
    ['👨\u200d👩', '👨\u200d👩'], ['a\u200db', `'a'$'\\u200d''b'`], ['\ufeffx', `$'\\ufeff''x'`],
  ]
  for (const [name, quoted] of cases) expect(quoteName(name), JSON.stringify(name)).toBe(quoted)
  expect(showText('a\u001bb\u202e\n')).toBe('a\\x1bb\\u202e\\n')
  const json = JSON.stringify({ [hostile]: '\u{e0041}\u202e' })
  expect(showJson(json)).not.toMatch(unshown)
  expect(JSON.parse(showJson(json))).toEqual(JSON.parse(json))
})

test('tables of a terminal of 80 columns fit it, and states have their colours', async () => {
  const mill = new Recorder({ '/d': {} }, 'a/rather/long/name/of/a/directory/or/of/a/program/that/another/user/has/chosen')
  for (const words of [['jobs'], ['df']]) {
    const { out } = await runFake(mill, words, { terminal: { columns: 80 } })
    expect(out.split('\n').length).toBeGreaterThan(2)
    expect(stripVTControlCharacters(out).split('\n').filter(line => line.length > 80), words.join(' ')).toEqual([])
  }
  const painted = /\u001b\[3[123]m\w+\u001b\[39m/ // oxlint-disable-line no-control-regex
  expect((await runFake(mill, ['jobs'], { terminal: { columns: 80 } })).out).toMatch(painted)
  expect((await runFake(mill, ['jobs'])).out).not.toContain('\u001b')
})
