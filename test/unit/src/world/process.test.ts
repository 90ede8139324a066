// Child processes, started for real: environment, messages, output, limits and end; no descendant outlives its child, and strays of a dead
// parent are found.

import { spawn } from 'node:child_process'
import fs from 'node:fs'
import os from 'node:os'
import { fileURLToPath } from 'node:url'
import { afterEach, expect, test, vi } from 'vitest'
import type { Child } from '../../../../src/ports/process.ts'
import { childProcesses } from '../../../../src/world/process.ts'
import { GroupWatch, watchScript } from '../../../../src/world/watch.ts'
import { childrenOf } from '../../../kit/process/children.ts'

const main = new URL('child/main.ts', import.meta.url)
const running: Array<Pick<Child, 'kill'>> = []
afterEach(() => { for (const child of running.splice(0)) child.kill() })

interface Started {
  child: Child
  output: { stdout: string; stderr: string }
  next(): Promise<unknown>
  exit: Promise<{ code: number | null; signal: string | null }>
  events: string[]
}

function start({
  args = [] as string[], env = {} as Record<string, string>, heapBytesMax = 64 << 20, writable = undefined as string[] | undefined,
} = {}): Started {
  const output = { stdout: '', stderr: '' }
  const events: string[] = []
  const messages: unknown[] = []
  const waiting: Array<(message: unknown) => void> = []
  const exit = Promise.withResolvers<{ code: number | null; signal: string | null }>()
  const child = childProcesses.start({
    main, args, env, cwd: os.tmpdir(), heapBytesMax, ...(writable && { writable }),
    onOutput(bytes, stream) {
      output[stream] += bytes.toString()
      events.push('output')
    },
    onMessage(message) {
      events.push('message')
      const next = waiting.shift()
      if (next) next(message)
      else messages.push(message)
    },
    onExit(end) {
      events.push('exit')
      exit.resolve(end)
    },
  })
  running.push(child)
  return {
    child, output, events, exit: exit.promise,
    next: () =>
      messages.length > 0
        ? Promise.resolve(messages.shift())
        : new Promise(resolve => {
            waiting.push(resolve)
          }),
  }
}

const alive = (pid: number): boolean => {
  try {
    // A zombie that its new parent has not reaped yet is not alive.
    return !/^\d+ \(.*\) Z/.test(fs.readFileSync(`/proc/${pid}/stat`, 'latin1'))
  } catch {
    return false
  }
}

async function gone(pid: number): Promise<void> {
  while (alive(pid)) await new Promise(resolve => setTimeout(resolve, 20))
}

test('a child has exactly the environment, arguments and directory that it was given', async () => {
  const { child, next } = start({ args: ['one', 'two'], env: { ONLY: 'this' } })
  expect(await next()).toBe('ready')
  child.send({ say: 'env' })
  expect(await next()).toEqual({ env: { ONLY: 'this' }, args: ['one', 'two'], cwd: fs.realpathSync(os.tmpdir()), ppid: process.pid })
})

test('messages keep their structure: bytes, maps, big integers', async () => {
  const { child, next } = start()
  await next()
  const message = { say: 'echo', bytes: new Uint8Array([1, 2, 3]), map: new Map([['a', 1n]]) }
  child.send(message)
  expect(await next()).toEqual(message)
})

test('output comes by stream', async () => {
  const { child, next, output } = start()
  await next()
  child.send({ say: 'output' })
  await next()
  while (output.stderr === '' || output.stdout === '') await new Promise(resolve => setTimeout(resolve, 5))
  expect(output).toEqual({ stdout: 'to stdout', stderr: 'to stderr' })
})

test('the end comes once, after the last message and the last output', async () => {
  const { child, exit, output, events } = start()
  child.send({ say: 'last' })
  expect(await exit).toEqual({ code: 7, signal: null })
  expect(output.stdout).toHaveLength(100_000)
  expect(events.filter(event => event === 'message')).toHaveLength(2)
  expect(events.at(-1)).toBe('exit')
  expect(events.filter(event => event === 'exit')).toHaveLength(1)
  child.kill()
  child.send('into nothing')
  expect(child.residentBytes()).toBe(0)
})

test('a kill reaches the whole group, and a grandchild that holds the pipes does not hold back the end', async () => {
  const { child, next, exit } = start()
  await next()
  child.send({ say: 'grandchild' })
  const { pid } = await next() as { pid: number }
  expect(alive(pid)).toBe(true)
  child.kill()
  expect(await exit).toEqual({ code: null, signal: 'SIGKILL' })
  await gone(pid)
})

test('a process of another user below a child is left alone, and causes no error', async () => {
  const { child, next, exit } = start()
  await next()
  child.send({ say: 'grandchild' })
  const { pid } = await next() as { pid: number }
  const real = process.kill.bind(process)
  // Error of the system if the grandchild has changed its user (sudo).
  const kill = vi.spyOn(process, 'kill').mockImplementation((target, signal) => {
    if (target === pid || target === -pid) throw Object.assign(new Error('kill EPERM'), { code: 'EPERM', errno: -1, syscall: 'kill' })
    return real(target, signal)
  })
  try {
    child.kill()
    expect(kill.mock.calls).toContainEqual([pid, 'SIGKILL'])
    expect((await exit).signal).toBe('SIGKILL')
  } finally {
    kill.mockRestore()
  }
  await gone(pid) // it is in the same process group
})

test('a grandchild does not outlive a child that ends by itself', async () => {
  const { child, next, exit } = start()
  await next()
  child.send({ say: 'grandchild' })
  const { pid } = await next() as { pid: number }
  child.send({ say: 'last' })
  expect((await exit).code).toBe(7)
  await gone(pid)
})

test('resident memory is reported while the child runs, and its heap is limited', async () => {
  const { child, next, exit, output } = start({ heapBytesMax: 32 << 20 })
  await next()
  expect(child.residentBytes()).toBeGreaterThan(10 << 20)
  child.send({ say: 'fill' })
  const end = await exit
  expect(end.code === 0 && end.signal === null).toBe(false)
  expect(output.stderr).toContain('heap')
})

test('a child that cannot be started is an error', () => {
  expect(() =>
    childProcesses.start({
      main, args: [], env: {}, cwd: '/nowhere/at/all', heapBytesMax: 1 << 26, onOutput() {}, onMessage() {}, onExit() {},
    }),
  ).toThrow(/cannot start/)
})

test.each([
  ['loop', 0], ['loop', 600], ['idle', 0],
] as const)('a child dies when its parent is killed, even inside an endless loop (%s, after %i ms)', async (what, ms) => {
  const parent = spawn(process.execPath, [fileURLToPath(new URL('child/orphan.ts', import.meta.url)), what], {
    stdio: ['ignore', 'pipe', 'inherit'],
  })
  running.push({ kill: () => parent.kill('SIGKILL') })
  const pid = Number(await new Promise<string>(resolve => parent.stdout.once('data', (bytes: Buffer) => resolve(bytes.toString()))))
  await new Promise(resolve => setTimeout(resolve, ms))
  expect(alive(pid)).toBe(true)
  parent.kill('SIGKILL')
  await gone(pid)
})

test.each(['loop-beside', 'idle-beside'])('what a child has started dies when the parent of the child is killed (%s)', async what => {
  const parent = spawn(process.execPath, [fileURLToPath(new URL('child/orphan.ts', import.meta.url)), what], {
    stdio: ['ignore', 'pipe', 'inherit'],
  })
  running.push({ kill: () => parent.kill('SIGKILL') })
  const pid = Number(await new Promise<string>(resolve => parent.stdout.once('data', (bytes: Buffer) => resolve(bytes.toString()))))
  expect(alive(pid)).toBe(true)
  parent.kill('SIGKILL')
  await gone(pid)
})

test('a child in an endless loop dies with its parent also if the shell that watches them was killed before', async () => {
  const parent = spawn(process.execPath, [fileURLToPath(new URL('child/orphan.ts', import.meta.url)), 'loop'], {
    stdio: ['ignore', 'pipe', 'inherit'],
  })
  running.push({ kill: () => parent.kill('SIGKILL') })
  const pid = Number(await new Promise<string>(resolve => parent.stdout.once('data', (bytes: Buffer) => resolve(bytes.toString()))))
  const shell = (): number | undefined => childrenOf(parent.pid!).find(one => one !== pid)
  const first = shell()!
  process.kill(first, 'SIGKILL')
  await vi.waitFor(() => expect([undefined, first]).not.toContain(shell()), { timeout: 120_000, interval: 20 })
  // The turn in which the parent has started the other shell is over once it answers.
  parent.kill('SIGUSR2')
  await new Promise(resolve => { parent.stdout.once('data', resolve) })
  expect(alive(pid)).toBe(true)
  parent.kill('SIGKILL')
  await gone(pid)
})

test('a shell that cannot run ends no parent, and is not started again and again', async () => {
  const watch = new GroupWatch('/bin/false')
  watch.begin()
  const { pid } = watch
  watch.add(2 ** 30)
  await vi.waitFor(() => expect(watch.pid).toBeUndefined(), { timeout: 120_000, interval: 20 })
  watch.remove(2 ** 30)
  watch.begin()
  expect(watch.pid).not.toBe(pid)
  expect(() => { new GroupWatch('/nowhere/sh').begin() }).toThrow(/cannot start \/nowhere\/sh, .*: check/)
})

test('the watch kills the groups that are left, and none of a child that has ended', async () => {
  const groups = Array.from({ length: 3 }, () => spawn('sleep', ['1000'], { detached: true, stdio: 'ignore' }).pid!)
  const [left, ended, last] = groups as [number, number, number]
  try {
    const shell = spawn('/bin/sh', ['-c', watchScript], { stdio: ['pipe', 'ignore', 'ignore'] })
    const exit = new Promise(resolve => { shell.once('exit', resolve) })
    shell.stdin.end(`run ${left}\nrun ${ended}\nrun ${last}\nend ${ended}\nend ${2 ** 30}\n`)
    await exit
    await Promise.all([gone(left), gone(last)])
    expect(alive(ended)).toBe(true)
  } finally {
    for (const pid of groups) if (alive(pid)) process.kill(pid, 'SIGKILL')
  }
})

test('strays are found by their TMPDIR, or by their working directory if they have no terminal; others are let be', async () => {
  const dir = fs.realpathSync(fs.mkdtempSync(`${os.tmpdir()}/gristmill-strays-`))
  fs.mkdirSync(`${dir}/1/below`, { recursive: true })
  fs.mkdirSync(`${dir}/10`)
  fs.symlinkSync(dir, `${dir}/link`)
  const begin = (cwd: string, env: Record<string, string> = {}): number => {
    const made = spawn('sleep', ['1000'], { cwd, env: { PATH: process.env['PATH'], ...env }, detached: true, stdio: 'ignore' })
    made.unref()
    return made.pid!
  }
  const strays = [begin('/', { TMPDIR: `${dir}/1` }), begin('/', { TMPDIR: `${dir}/1/below` }), begin(`${dir}/1`), begin(`${dir}/1/below`)]
  const others = [begin('/'), begin(`${dir}/10`), begin(dir, { TMPDIR: dir }), begin('/', { TMPDIR: `${dir}/10`, OLDPWD: `${dir}/1` })]
  try {
    expect(await childProcesses.endStrays(`${dir}/link/1`)).toBeGreaterThanOrEqual(3) // TMPDIR as it was set, without resolving links
    await childProcesses.endStrays(`${dir}/1`)
    for (const pid of strays) await gone(pid)
    expect(others.map(alive)).toEqual(others.map(() => true))
    expect(await childProcesses.endStrays(`${dir}/1`)).toBe(0)
  } finally {
    for (const pid of [...strays, ...others]) if (alive(pid)) process.kill(pid, 'SIGKILL')
    fs.rmSync(dir, { recursive: true })
  }
})

test('a child with a list of directories writes there and nowhere else', async () => {
  const dir = fs.realpathSync(fs.mkdtempSync(`${os.tmpdir()}/gristmill-belt-`))
  try {
    fs.mkdirSync(`${dir}/in`)
    const { child, next } = start({ writable: [`${dir}/in`] })
    await next()
    child.send({ say: 'write', path: `${dir}/in/file` })
    expect(await next()).toBe('written')
    child.send({ say: 'write', path: `${dir}/out` })
    expect(await next()).toBe('ERR_ACCESS_DENIED')
    expect(fs.readdirSync(dir)).toEqual(['in'])
  } finally {
    fs.rmSync(dir, { recursive: true })
  }
})
