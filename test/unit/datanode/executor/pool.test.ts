// Life cycle of the executor pool, with fake processes and a slow disk.

import { expect, test, vi } from 'vitest'
import { Pool } from '../../../../datanode/executor/pool.ts'
import { silent } from '../../../../src/ports/log.ts'
import type { ChildOptions } from '../../../../src/ports/process.ts'
import { systemClock } from '../../../../src/world/clock.ts'
import { systemRandom } from '../../../../src/world/random.ts'
import { ManualClock } from '../../../kit/manual-clock.ts'
import { MemoryDisk } from '../../../kit/memory-disk.ts'
import { checked } from '../../checked.ts'

class SlowDisk extends MemoryDisk {
  waiting: Array<() => void> = []
  slow = false
  override mkdir(): Promise<void> {
    return this.slow ? new Promise(resolve => { this.waiting.push(resolve) }) : Promise.resolve()
  }
}

test('a pool that stops while a process is about to start ends, and nothing starts after it', async () => {
  const disk = new SlowDisk()
  let alive = 0
  const processes = {
    endStrays: async () => 0,
    start: ({ onExit }: ChildOptions) => {
      alive++
      return {
        pid: alive, send() {}, residentBytes: () => 0,
        kill: () => {
          queueMicrotask(() => {
            alive--
            onExit({ code: null, signal: 'SIGKILL' })
          })
        },
      }
    },
  }
  const pool = checked(await Pool.open({
    world: { clock: systemClock, random: systemRandom(), log: silent, disk, processes },
    dir: '/node', slots: 1, memoryBytes: 1 << 20, onOutput() {},
  }))
  await pool.prepare()
  expect(alive).toBe(1)
  disk.slow = true
  const taken = pool.take({ user: 'ada', program: { id: 'p' }, memoryBytes: 2 << 20 } as never)
  const refused = expect(taken).rejects.toMatchObject({ code: 'ABORTED' })
  const stopping = pool.stop()
  await Promise.resolve()
  for (const go of disk.waiting) go()
  await stopping
  await refused
  expect(alive).toBe(0)
})

test('what processes of an earlier life of the node have left running is ended when the pool is opened, and of each process when it has ended', async () => {
  const ended: string[] = []
  const disk = new (class extends MemoryDisk {
    override mkdir(): Promise<void> { return Promise.resolve() }
    override async removeTree(path: string): Promise<void> { ended.push(`removed ${path}`) }
  })()
  const processes = {
    endStrays: async (directory: string) => {
      ended.push(`strays of ${directory}`)
      return 1
    },
    start: ({ onExit }: ChildOptions) => ({
      pid: 1, send() {}, residentBytes: () => 0,
      kill: () => {
        queueMicrotask(() => onExit({ code: null, signal: 'SIGKILL' }))
      },
    }),
  }
  const pool = checked(await Pool.open({
    world: { clock: systemClock, random: systemRandom(), log: silent, disk, processes },
    dir: '/node', slots: 1, memoryBytes: 1 << 20, onOutput() {},
  }))
  expect(ended.splice(0)).toEqual(['strays of /node/executor', 'removed /node/executor'])
  const { scratch } = await pool.take({ user: 'ada', program: { id: 'p' }, memoryBytes: 2 << 20 } as never)
  await pool.stop()
  expect(ended).toEqual([`strays of ${scratch}`, `removed ${scratch}`])
})

test('a scratch directory that a disk does not give up is removed later', async () => {
  let refuses = true
  const removed: string[] = []
  const disk = new (class extends MemoryDisk {
    override mkdir(): Promise<void> { return Promise.resolve() }
    override async removeTree(path: string): Promise<void> {
      if (refuses && path !== '/node/executor') throw Object.assign(new Error('EROFS'), { code: 'EROFS' })
      removed.push(path)
    }
  })()
  const clock = new ManualClock()
  const warn = vi.fn()
  const processes = {
    endStrays: async () => 0,
    start: ({ onExit }: ChildOptions) => ({
      pid: 1, send() {}, residentBytes: () => 0,
      kill: () => {
        queueMicrotask(() => onExit({ code: null, signal: 'SIGKILL' }))
      },
    }),
  }
  const pool = checked(await Pool.open({
    world: { clock, random: systemRandom(), log: { ...silent, warn }, disk, processes },
    dir: '/node', slots: 1, memoryBytes: 1 << 20, onOutput() {},
  }))
  const executor = await pool.take({ user: 'ada', program: { id: 'p' }, memoryBytes: 2 << 20 } as never)
  executor.kill('the test')
  for (let refusals = 1; refusals <= 3; refusals++) {
    await vi.waitFor(() => { expect(warn).toHaveBeenCalledTimes(refusals) }, 60_000)
    if (refusals < 3) clock.pass(10_000)
  }
  refuses = false
  clock.pass(10_000)
  await vi.waitFor(() => { expect(removed).toEqual(['/node/executor', executor.scratch]) }, 60_000)
  await pool.stop()
})

test('executors that cannot start are started with pauses between them, each is logged with its output, and a start that succeeds ends the pauses', async () => {
  const clock = new ManualClock()
  const error = vi.fn()
  const children: ChildOptions[] = []
  const processes = {
    endStrays: async () => 0,
    start: (options: ChildOptions) => {
      children.push(options)
      return {
        pid: children.length, send() {}, residentBytes: () => 0,
        kill: () => { queueMicrotask(() => options.onExit({ code: null, signal: 'SIGKILL' })) },
      }
    },
  }
  const pool = checked(await Pool.open({
    world: { clock, random: systemRandom(), log: { ...silent, error }, disk: new SlowDisk(), processes },
    dir: '/node', slots: 1, memoryBytes: 1 << 20, onOutput() {},
  }))
  await pool.prepare()
  for (const [failures, pauseMs] of [[1, 500], [2, 1000], [3, 2000], [4, 4000], [5, 5000], [6, 5000]] as const) {
    expect(children).toHaveLength(failures)
    children.at(-1)!.onOutput(Buffer.from('Error: Cannot find module\n'), 'stderr')
    children.at(-1)!.onExit({ code: 1, signal: null })
    expect(error).toHaveBeenCalledTimes(failures)
    expect(error).toHaveBeenLastCalledWith(
      expect.stringContaining('could not be started'),
      expect.objectContaining({ output: 'Error: Cannot find module\n', reason: expect.stringContaining('exit code 1'), failures }),
    )
    expect(pool.pauseMs).toBe(pauseMs)
    clock.pass(pauseMs - 1)
    await new Promise(setImmediate)
    expect(children).toHaveLength(failures)
    clock.pass(1)
    await vi.waitFor(() => { expect(children).toHaveLength(failures + 1) }, 60_000)
  }
  children.at(-1)!.onMessage({ kind: 'ready' })
  expect(pool.pauseMs).toBe(0)
  await pool.stop()
  expect(error).toHaveBeenCalledTimes(6)
})

test('a spare is ended when no task came for a minute, and another one is started with the next task', async () => {
  const clock = new ManualClock()
  const alive = new Set<number>()
  let last = 0
  const processes = {
    endStrays: async () => 0,
    start: ({ onExit }: ChildOptions) => {
      const pid = ++last
      alive.add(pid)
      return {
        pid, send() {}, residentBytes: () => 0,
        kill: () => {
          alive.delete(pid)
          onExit({ code: null, signal: 'SIGKILL' })
        },
      }
    },
  }
  const pool = checked(await Pool.open({
    world: { clock, random: systemRandom(), log: silent, disk: new SlowDisk(), processes },
    dir: '/node', slots: 1, memoryBytes: 1 << 20, onOutput() {},
  }))
  await pool.prepare()
  clock.pass(59_999)
  expect([...alive]).toEqual([1])
  clock.pass(1)
  expect([...alive]).toEqual([])
  // The end of a process is followed by the start of a spare, but not on a node without tasks.
  clock.pass(10_000)
  await new Promise(setImmediate)
  expect(last).toBe(1)
  const executor = await pool.take({ user: 'ada', program: { id: 'p' } } as never)
  expect([...alive]).toEqual([2])
  clock.pass(300)
  await vi.waitFor(() => { expect([...alive]).toEqual([2, 3]) }, 60_000)
  pool.give(executor)
  // The first look finds the spare, which is younger than a minute; the next one finds both.
  clock.pass(60_000)
  clock.pass(60_000)
  expect([...alive]).toEqual([])
  await pool.stop()
})
