// The pool's own life, with processes that are none and a disk that takes its time.

import { expect, test } from 'vitest'
import { Pool } from '../../../datanode/executor/pool.ts'
import { silent } from '../../../src/ports/log.ts'
import type { ChildOptions } from '../../../src/ports/process.ts'
import { systemClock } from '../../../src/world/clock.ts'
import { systemRandom } from '../../../src/world/random.ts'
import { MemoryDisk } from '../../kit/memory-disk.ts'

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
    start: ({ onExit }: ChildOptions) => {
      alive++
      return { pid: alive, send() {}, residentBytes: () => 0, kill: () => { queueMicrotask(() => { alive--; onExit({ code: null, signal: 'SIGKILL' }) }) } }
    },
  }
  const pool = await Pool.open({ world: { clock: systemClock, random: systemRandom(), log: silent, disk, processes }, dir: '/node', slots: 1, memoryBytes: 1 << 20, onOutput() {} })
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
