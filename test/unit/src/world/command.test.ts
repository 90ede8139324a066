// Unix commands as child processes: output and input of a program that has ended are handled as those of one that runs.

import { tmpdir } from 'node:os'
import { expect, test } from 'vitest'
import type { CommandProcess } from '../../../../src/ports/command.ts'
import { systemCommands } from '../../../../src/world/command.ts'

const start = (...argv: [string, ...string[]]): CommandProcess =>
  systemCommands.start({ argv, cwd: tmpdir(), env: { PATH: '/usr/bin:/bin' }, onError() {} })

async function rest(command: CommandProcess): Promise<string> {
  const pieces: Buffer[] = []
  for (let piece = await command.read(); piece; piece = await command.read()) pieces.push(piece)
  return Buffer.concat(pieces).toString()
}

test('output is kept until it is read, also after the program has ended', async () => {
  const command = start('echo', 'kept')
  // Until its end closes the pipe: it reads nothing itself.
  while (await command.write(Buffer.alloc(1 << 20))) { /* again */ }
  expect(await rest(command)).toBe('kept\n')
  expect(await command.ended).toEqual({ code: 0, signal: null })
  expect(await command.read()).toBe(undefined)
})

test('a write to a program that reads no more is told, and is no error', async () => {
  const command = start('true')
  const bytes = Buffer.alloc(1 << 20)
  while (await command.write(bytes)) { /* until the pipe is seen to be closed */ }
  expect(await command.write(bytes)).toBe(false)
  command.end()
  expect([await rest(command), await command.ended]).toEqual(['', { code: 0, signal: null }])
})

test('a program that is killed has no more output, and its end is told once', async () => {
  const command = start('sleep', '1000')
  const reading = command.read()
  command.kill()
  expect([await reading, await command.ended]).toEqual([undefined, { code: null, signal: 'SIGKILL' }])
  command.kill()
})

test('a program that cannot be started has ended, with the reason', async () => {
  const failing = [[['/nowhere'], 'ENOENT'], [['/etc/passwd'], 'EACCES'], [['echo', 'x'.repeat(3_000_000)], 'E2BIG']] as const
  for (const [argv, error] of failing) {
    const command = start(...argv as unknown as [string])
    expect([await command.write(Buffer.from('x')) || true, await rest(command), (await command.ended).error]).toEqual([true, '', error])
  }
})

test('nothing but the given environment reaches a program', async () => {
  const command = start('env')
  command.end()
  expect(await rest(command)).toBe('PATH=/usr/bin:/bin\n')
})
