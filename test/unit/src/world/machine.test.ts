// Processes of the local machine: birth times identify them, signals reach them, and a launched program writes into its files.

import { once } from 'node:events'
import { spawn } from 'node:child_process'
import fs from 'node:fs/promises'
import os from 'node:os'
import path from 'node:path'
import { fileURLToPath } from 'node:url'
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

test('a launched process of gristmill does nothing before it may begin, and ends if the one that launched it is killed before', async () => {
  const dir = await fs.mkdtemp(path.join(os.tmpdir(), 'gristmill-machine-'))
  const pids: number[] = []
  try {
    const url = (file: string): URL => new URL(`../../../../${file}`, import.meta.url)
    const options = (name: string) => ({
      main: fileURLToPath(url('client/cli/gristmill.js')), args: ['--version'], cwd: dir,
      env: { GRISTMILL_HELD: '1', GRISTMILL_HOME: path.join(dir, `${name}-home`), PATH: process.env['PATH'] },
      stdoutFile: path.join(dir, `${name}.out`), stderrFile: path.join(dir, `${name}.err`),
    })
    const script = `const { localMachine } = await import(${JSON.stringify(url('src/world/machine.ts').href)})
      const { pid } = localMachine.launch(${JSON.stringify(options('killed'))})
      console.log(pid); setInterval(() => {}, 1000)`
    const launcher = spawn(process.execPath, ['--input-type=module', '-e', script], { stdio: ['ignore', 'pipe', 'inherit'] })
    pids.push(launcher.pid!)
    const gone = once(launcher, 'exit')
    const held = Number(await new Promise<string>(resolve => launcher.stdout.once('data', (bytes: Buffer) => resolve(bytes.toString()))))
    pids.push(held)
    const begun = machine.launch(options('begun'))
    pids.push(begun.pid)
    begun.begin()
    // The later one has ended its work while the first one waits.
    expect(await begun.ended).toEqual({ code: 0, signal: null })
    expect(await fs.readFile(path.join(dir, 'begun.out'), 'utf8')).toMatch(/^[0-9.]+\n$/)
    expect(machine.born(held)).toBeDefined()
    expect(await fs.readFile(path.join(dir, 'killed.out'), 'utf8')).toBe('')
    machine.signal(launcher.pid!, 'SIGKILL')
    await gone
    while (machine.born(held) !== undefined) await new Promise(resolve => { setTimeout(resolve, 5) })
    expect(await fs.readFile(path.join(dir, 'killed.out'), 'utf8')).toBe('')
    expect(await fs.readFile(path.join(dir, 'killed.err'), 'utf8')).toContain('nothing was done')
    expect(await fs.readdir(dir)).not.toContain('killed-home')
  } finally {
    for (const pid of pids) machine.signal(pid, 'SIGKILL')
    await fs.rm(dir, { recursive: true, force: true })
  }
})
