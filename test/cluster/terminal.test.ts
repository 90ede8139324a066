// Hostile names on a real terminal, made by script(1): a real cluster and a real process.

import { execFile } from 'node:child_process'
import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { promisify } from 'node:util'
import { expect, test } from 'vitest'
import { run } from '../kit/cluster.ts'

const bin = join(import.meta.dirname, '../../client/cli/gristmill.js')
const execute = promisify(execFile)

const hasScript = await execute('script', ['-qec', 'true', '/dev/null']).then(() => true, () => false)
if (!hasScript) console.warn('NOT TESTED: there is no script(1) of util-linux on this machine, so nothing was shown on a real terminal')

test.skipIf(!hasScript)('names do nothing to a terminal, and are what they are in a pipe', async () => {
  // because only script(1) makes a terminal; a warning tells when it is missing
  const dir = await mkdtemp(join(tmpdir(), 'gristmill-terminal-'))
  const env = {
    PATH: process.env['PATH'] ?? '', HOME: dir, GRISTMILL_HOME: dir, GRISTMILL_CLUSTER: 'embedded', NO_COLOR: '1', TERM: 'xterm',
  }
  const name = '/a\u001b[2Jb\u202ec'
  const shown = `'/a'$'\\x1b''[2Jb'$'\\u202e''c'`
  /** Visible output of a command; on a terminal both streams are one. */
  const seen = async (...words: string[]): Promise<string> => {
    const line = [process.execPath, bin, ...words].map(word => `'${word.replaceAll(`'`, `'\\''`)}'`).join(' ')
    const shown = execute('script', ['-qec', line, '/dev/null'], { env })
    shown.child.stdin!.end() // script(1) may wait for more to be typed when the command has ended
    return (await shown.catch((error: { stdout: string }) => error)).stdout
  }
  try {
    expect(await run(['put', '-', name], env, 'x')).toMatchObject({ code: 0 })
    expect((await run(['find', '/', '-type', 'f'], env)).stdout).toBe(`${name}\n`)
    for (const words of [
      ['du', name], ['count', '/*'], ['cat', `${name}/x`], ['rm', `${name}x`],
    ]) {
      const text = await seen(...words)
      expect(text, words.join(' ')).not.toMatch(/\u001b\[2J|\u202e/) // oxlint-disable-line no-control-regex
    }
    expect(await seen('find', '/', '-type', 'f')).toBe(`${shown}\r\n`)
  } finally {
    await rm(dir, { recursive: true, force: true })
  }
})
