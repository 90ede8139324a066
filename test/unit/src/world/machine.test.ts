// Processes of the local machine: birth times identify them, signals reach them, and a launched program writes into its files.

import { once } from 'node:events'
import { spawn } from 'node:child_process'
import fs from 'node:fs/promises'
import os from 'node:os'
import path from 'node:path'
import { expect, test } from 'vitest'
import { localMachine as machine } from '../../../../src/world/machine.ts'

test('a process has one time of birth while it lives, and none when it is gone', async () => {
  const first = machine.born(process.pid)
  expect(first).toBeTypeOf('string')
  expect(machine.born(process.pid)).toBe(first)
  const child = spawn(process.execPath, ['-e', 'setInterval(() => {}, 1000)'], { stdio: 'ignore' })
  const ended = once(child, 'exit')
  expect(machine.born(child.pid!)).not.toBe(first)
  machine.signal(child.pid!, 'SIGKILL')
  await ended
  expect(machine.born(child.pid!)).toBeUndefined()
  machine.signal(child.pid!, 'SIGTERM')
})

test('a launched program writes into its files, and its end is reported', async () => {
  const dir = await fs.mkdtemp(path.join(os.tmpdir(), 'gristmill-machine-'))
  try {
    const main = path.join(dir, 'main.js')
    await fs.writeFile(
      main,
      'process.stdout.write(process.argv[2] + Object.keys(process.env).filter(name => name === "ONLY")); process.stderr.write("late"); process.exitCode = 3',
    )
    await fs.writeFile(path.join(dir, 'out'), 'what was there before')
    await fs.writeFile(path.join(dir, 'err'), 'early ')
    const launched = machine.launch({
      main, args: ['word '], env: { ONLY: '1', MISSING: undefined }, cwd: dir, stdoutFile: path.join(dir, 'out'),
      stderrFile: path.join(dir, 'err'),
    })
    expect(await launched.ended).toEqual({ code: 3, signal: null })
    expect(await fs.readFile(path.join(dir, 'out'), 'utf8')).toBe('word ONLY')
    expect(await fs.readFile(path.join(dir, 'err'), 'utf8')).toBe('early late')
  } finally {
    await fs.rm(dir, { recursive: true, force: true })
  }
})
