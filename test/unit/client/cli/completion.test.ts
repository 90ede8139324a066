// Completion scripts of bash, fish and zsh, made from the real catalogue. Bash sources its script and completes commands, verbs, options
// and files, and asks the command for names of the cluster, which prints them without starting anything.

import { spawnSync } from 'node:child_process'
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import path from 'node:path'
import { expect, test } from 'vitest'
import { globals, loadAll } from '../../../../client/cli/catalog.ts'
import { completionScript } from '../../../../client/cli/completionscript.ts'
import { MemoryDisk } from '../../../kit/memory-disk.ts'
import { FakeMill, runFake } from './fake.ts'
import { Recorder } from './recorder.ts'

const words = { commands: (await loadAll()).map(({ spec }) => spec), globals }

/** Completions that bash offers for a line: sources the script and calls its function. */
function offered(...line: string[]): string[] {
  return reply(['gristmill', ...line], '_gristmill')
}

/** The command of the script is a function that prints how it was called. */
function reply(line: readonly string[], call: string): string[] {
  const script = `${completionScript('bash', words)}
gristmill() { local IFS=' '; echo "asked $*"; }; npx() { local IFS=' '; echo "npx $*"; }
COMP_LINE='${line.join(' ').replaceAll(`'`, `'\\''`)}'; COMP_POINT=\${#COMP_LINE}; COMP_WORDBREAKS=$' \\t\\n:'
COMP_WORDS=(${line.flatMap(word => word.split(/(:)/)).map(word => `'${word.replaceAll(`'`, `'\\''`)}'`).join(' ')}); COMP_CWORD=$((\${#COMP_WORDS[@]} - 1))
${call}; printf '%s\\n' "\${COMPREPLY[@]}"`
  const { stdout, stderr } = spawnSync('bash', ['-c', script], { encoding: 'utf8', cwd: import.meta.dirname })
  expect(stderr).toBe('')
  return stdout.trim().split('\n').filter(Boolean)
}

/** The line that an interactive bash makes of a typed line and Tab; the cluster has /logs/a.log. */
function offeredTyped(line: string): string {
  const start = path.join(mkdtempSync(path.join(tmpdir(), 'gristmill-completion-')), 'bashrc')
  writeFileSync(start, `${completionScript('bash', words)}
gristmill() { for name in /logs/ /logs/a.log; do [[ $name == "\${@: -1}"* ]] && echo "$name" && return; done; }
npx() { gristmill "$@"; }
bind -x '"\\C-g": echo "line<$READLINE_LINE>"'`)
  try {
    const { stdout } = spawnSync('bash', ['--noprofile', '--rcfile', start, '-i'], {
      input: `${line}\t\u0007\u0015exit\n`, encoding: 'utf8', env: { ...process.env, INPUTRC: '/dev/null', HISTFILE: '', TERM: 'dumb' },
    })
    return /line<(.*)>/.exec(stdout)?.[1] ?? stdout
  } finally {
    rmSync(path.dirname(start), { recursive: true })
  }
}

test('bash completes commands, then the options of that command, else files', () => {
  expect(offered('ch')).toEqual(['checksum', 'chmod', 'chown'])
  expect(offered('--json', 'setr')).toEqual(['setrep'])
  expect(offered('put', '--repl')).toEqual(['--replication'])
  expect(offered('ls', '--ove')).toEqual([])
  expect(offered('ls', '--js')).toEqual(['--json'])
  expect(offered('init', 'completion.t')).toEqual(['completion.test.ts'])
})

test('bash completes the verbs of a command, then the options of that verb', () => {
  expect(offered('trash', '')).toEqual(['ls', 'restore', 'empty'])
  expect(offered('trash', 'r')).toEqual(['restore'])
  expect(offered('trash', 'restore', '--ove')).toEqual(['--overwrite'])
  expect(offered('trash', 'ls', '--ove')).toEqual([])
  expect(offered('trash', '--json', 'empty', '--ol')).toEqual(['--older-than'])
  expect(offered('namenode', '--po')).toEqual(['--port'])
  expect(offered('namenode', 'recover', '--d')).toEqual(['--dir', '--dry-run'])
  expect(offered('job', 'publish', '--ou')).toEqual(['--output'])
  expect(offered('trash', 'restore', 'completion.t')).toEqual([])
  expect(offered('help', 'trash', 'em')).toEqual(['empty'])
})

test('bash completes values of options, built-in programs and topics', () => {
  expect(offered('put', '--format', 'j')).toEqual(['jsonl'])
  expect(offered('init', '-t', '')).toEqual(['wordcount', 'csv', 'jsonl', 'join', 'topn'])
  expect(offered('run', 'x.ts', '--encoding', 'utf16')).toEqual(['utf16le', 'utf16be'])
  expect(offered('ls', '--config', 'completion.t')).toEqual(['completion.test.ts'])
  expect(offered('completion', 'z')).toEqual(['zsh'])
  expect(offered('help', 'exit')).toEqual(['exit-codes'])
  // Without the part before the colon, which bash keeps.
  expect(offered('run', 'gristmill:wo')).toEqual(['wordcount'])
})

test('bash completes values of options that stand before the command, and takes none of them for the command', () => {
  expect(offered('--color', '')).toEqual(['auto', 'always', 'never'])
  expect(offered('--cluster', 'em')).toEqual(['embedded'])
  expect(offered('--color', 'never', 'chec')).toEqual(['checksum'])
  expect(offered('--cluster', 'mill:8620', 'trash', 'r')).toEqual(['restore'])
  expect(offered('--cluster', 'mill:8620', 'chec')).toEqual(['checksum'])
  expect(offered('ls', '--color', 'n')).toEqual(['never'])
})

test('bash completes levels and servers', () => {
  expect(offered('loglevel', 'd')).toEqual(['debug'])
  expect(offered('loglevel', '--server', 'na')).toEqual(['namenode', 'asked completion --list nodes -- na'])
})

test('bash asks for the names of the cluster that the line selects, and for none if that cannot be known', () => {
  const paths = (...selected: string[]): string[] => [['asked', ...selected, 'completion --list paths -- /no'].join(' ')]
  expect(offered('--cluster', 'embedded', 'ls', '/no')).toEqual(paths('--cluster embedded'))
  expect(offered('ls', '--cluster', 'mill:8620', '/no')).toEqual(paths('--cluster mill:8620'))
  expect(offered('--cluster', '=', 'mill:8620', 'ls', '/no')).toEqual(paths('--cluster mill:8620'))
  expect(offered('--home', '/a b', '--secret-file', 's', 'rm', '/no')).toEqual(paths('--home /a b', '--secret-file s'))
  expect(offered('--home', '~/other', 'rm', '/no')).toEqual(paths(`--home ${process.env['HOME']}/other`))
  expect(offered('--home', '$OTHER', 'rm', '/no')).toEqual([])
  expect(offered('--home', '"$OTHER"', 'rm', '/no')).toEqual([])
  expect(offered('--home', `'/a$b\`'`, 'rm', '/no')).toEqual(paths('--home /a$b`'))
  expect(offered('--json', 'ls', '/no')).toEqual(paths())
})

test('names of the cluster are no patterns of local files', () => {
  const script = `${completionScript('bash', words)}
gristmill() { printf '%s\\n' '/*' '/a b' '[ab]'; }
COMP_LINE='gristmill cat /'; COMP_POINT=\${#COMP_LINE}; COMP_WORDBREAKS=$' \\t\\n:'; COMP_WORDS=(gristmill cat /); COMP_CWORD=2
_gristmill; printf '%s\\n' "\${COMPREPLY[@]}"; case $- in *f*) echo 'globs are off' ;; esac`
  expect(spawnSync('bash', ['-c', script], { encoding: 'utf8' }).stdout).toBe('/*\n/a b\n[ab]\n')
})

test('bash asks the command for names of the cluster', () => {
  expect(offered('cat', '/lo')).toEqual(['asked completion --list paths -- /lo'])
  expect(offered('run', 'x.ts', '-i', '/a\\ b')).toEqual(['asked completion --list paths -- /a b'])
  expect(offered('job', 'publish', 'j')).toEqual(['asked completion --list jobs -- j'])
  expect(offered('job', '--tasks', 'la')).toEqual(['asked completion --list jobs -- la'])
  expect(offered('decommission', '10.0.0.7:8')).toEqual(['asked completion --list nodes -- 10.0.0.7:8'])
  expect(offered('put', 'completion.t')).toEqual(['completion.test.ts', 'asked completion --list paths -- completion.t'])
  expect(offered('status', '/lo')).toEqual([])
})

test('bash completes a word that begins with a quote, and stays inside it', () => {
  const paths = (name: string): string[] => [`asked completion --list paths -- ${name}`]
  expect(offered('cat', `'/lo`)).toEqual(paths('/lo'))
  expect(offered('cat', '"/lo')).toEqual(paths('/lo'))
  expect(offered('cat', `'/lo'`)).toEqual(paths('/lo'))
  expect(offered('cat', `'/a b`)).toEqual(paths('/a b'))
  expect(offered('cat', '"/a\\$b')).toEqual(paths('/a$b'))
  expect(offered('cat', `'/a\\b`)).toEqual(paths('/a\\b'))
  expect(offered('init', `'completion.t`)).toEqual(['completion.test.ts'])
  // Bash does not divide a word in quotes at its colons.
  expect(offeredTyped(`gristmill run 'gristmill:wo`)).toBe(`gristmill run 'gristmill:wordcount' `)
  expect(offeredTyped(`gristmill cat '/lo`)).toBe(`gristmill cat '/logs/`)
  expect(offeredTyped(`npx gristmill cat "/lo`)).toBe(`npx gristmill cat "/logs/`)
  expect(offeredTyped(`gristmill cat '/logs/a`)).toBe(`gristmill cat '/logs/a.log' `)
})

test('npx gristmill is completed as gristmill is, and other commands of npx are not', () => {
  expect(reply(['npx', 'gristmill', 'chm'], '_gristmill_npx')).toEqual(['chmod'])
  expect(reply(['npx', 'gristmill', 'cat', '/lo'], '_gristmill_npx')).toEqual(['npx --no gristmill completion --list paths -- /lo'])
  expect(reply(['npx', '--no', 'gristmill', 'chm'], '_gristmill_npx')).toEqual(['chmod'])
  expect(reply(['npx', '-y', '--quiet', 'gristmill', 'trash', 'r'], '_gristmill_npx')).toEqual(['restore'])
  expect(reply(['npx', 'vitest', 'chm'], '_gristmill_npx')).toEqual([])
  expect(reply(['npx', '--no', 'gristmi'], '_gristmill_npx')).toEqual([])
})

const list = async (mill: FakeMill, kind: string, prefix: string): Promise<string> => {
  const disk = new MemoryDisk()
  await disk.mkdir('/home/embedded')
  const { code, out, err } = await runFake(mill, ['completion', '--list', kind, '--', prefix], { disk, clock: { sleep: never } })
  expect([code, err]).toEqual([0, ''])
  return out
}

const never = (_ms: number, signal?: AbortSignal): Promise<void> =>
  new Promise((_, reject) => signal?.addEventListener('abort', () => reject(new Error('aborted'))))

test('paths begin with what was typed, directories end with a slash, and hidden names need their dot', async () => {
  const mill = new FakeMill({ '/logs/a.log': 'x', '/logs/a b/c': 'x', '/logs/.hidden': 'x', '/lost': 'x' })
  expect(await list(mill, 'paths', '/lo')).toBe('/logs/\n/lost\n')
  expect(await list(mill, 'paths', '/logs/')).toBe('/logs/a b/\n/logs/a.log\n')
  expect(await list(mill, 'paths', '/logs/.')).toBe('/logs/.hidden\n')
  expect(await list(mill, 'paths', 'logs/a.')).toBe('logs/a.log\n')
  expect(await list(mill, 'paths', '')).toBe('/logs/\n/lost\n')
  expect(await list(mill, 'paths', '/nope/')).toBe('')
})

test('jobs and datanodes are listed by what was typed', async () => {
  const mill = new Recorder({ '/d': {} })
  expect(await list(mill, 'jobs', '')).toMatch(/^last\nj0+1\n/)
  expect(await list(mill, 'jobs', 'la')).toBe('last\n')
  expect(await list(mill, 'nodes', 'nowhere')).toBe('')
})

test('a cluster that does not answer, or was never made, gives no names and no error', async () => {
  const silent = Object.assign(new FakeMill({}), { list: () => ({ [Symbol.asyncIterator]: () => ({ next: () => never(0) }) }) })
  const disk = new MemoryDisk()
  await disk.mkdir('/home/embedded')
  const late = await runFake(silent, ['completion', '--list', 'paths', '--', '/'], { disk, clock: { sleep: async () => {} } })
  expect(late).toMatchObject({ code: 0, out: '', err: '' })
  const given = { disk: new MemoryDisk(), clock: { sleep: never } }
  const unmade = await runFake(new FakeMill({ '/a': 'x' }), ['completion', '--list', 'paths', '--', '/'], given)
  expect(unmade).toMatchObject({ code: 0, out: '', err: '' })
})

test('fish and zsh scripts name every command and verb', () => {
  for (const shell of ['fish', 'zsh'] as const) {
    const script = completionScript(shell, words)
    for (const { name, verbs = [] } of words.commands) {
      for (const one of [name, ...verbs.map(verb => verb.name)]) expect(script, `${name} ${one}`).toMatch(new RegExp(`\\b${one}\\b`))
    }
  }
})
