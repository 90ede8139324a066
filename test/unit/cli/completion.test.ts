import { spawnSync } from 'node:child_process'
import { expect, test } from 'vitest'
import { globals, groups } from '../../../client/cli/catalog/globals.ts'
import { completionScript } from '../../../client/cli/completion.ts'

const words = { commands: groups.flatMap(group => group.commands), globals }

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

test('fish and zsh scripts name every command', () => {
  for (const shell of ['fish', 'zsh'] as const) {
    const script = completionScript(shell, words)
    for (const { name } of words.commands) expect(script, name).toMatch(new RegExp(`\\b${name}\\b`))
  }
})
