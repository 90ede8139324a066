// Completion scripts of bash, fish and zsh, made from the real catalogue. Bash sources its script and completes commands, verbs, options
// and files.

import { spawnSync } from 'node:child_process'
import { expect, test } from 'vitest'
import { globals, loadAll } from '../../../../client/cli/catalog.ts'
import { completionScript } from '../../../../client/cli/completion.ts'

const words = { commands: (await loadAll()).map(({ spec }) => spec), globals }

/** Completions that bash offers for a line: sources the script and calls its function. */
function offered(...line: string[]): string[] {
  const script = `${completionScript('bash', words)}
COMP_WORDS=(gristmill ${line.map(word => `'${word}'`).join(' ')}); COMP_CWORD=${line.length}
_gristmill; printf '%s\\n' "\${COMPREPLY[@]}"`
  const { stdout, stderr } = spawnSync('bash', ['-c', script], { encoding: 'utf8', cwd: import.meta.dirname })
  expect(stderr).toBe('')
  return stdout.trim().split('\n').filter(Boolean)
}

test('bash completes commands, then the options of that command, else files', () => {
  expect(offered('ch')).toEqual(['checksum', 'chmod', 'chown'])
  expect(offered('--json', 'setr')).toEqual(['setrep'])
  expect(offered('put', '--repl')).toEqual(['--replication'])
  expect(offered('ls', '--ove')).toEqual([])
  expect(offered('ls', '--js')).toEqual(['--json'])
  expect(offered('put', 'completion.t')).toEqual(['completion.test.ts'])
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
  expect(offered('trash', 'restore', 'completion.t')).toEqual(['completion.test.ts'])
  expect(offered('help', 'trash', 'em')).toEqual(['empty'])
})

test('fish and zsh scripts name every command and verb', () => {
  for (const shell of ['fish', 'zsh'] as const) {
    const script = completionScript(shell, words)
    for (const { name, verbs = [] } of words.commands) {
      for (const one of [name, ...verbs.map(verb => verb.name)]) expect(script, `${name} ${one}`).toMatch(new RegExp(`\\b${one}\\b`))
    }
  }
})
