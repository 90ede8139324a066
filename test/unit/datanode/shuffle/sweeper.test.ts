// Removal of map outputs whose jobs ended while this node was unreachable, in a temporary directory and on a namenode that the test
// controls: outputs of running jobs stay, and nothing is removed without the namenode's reply.

import { mkdtempSync, readdirSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, expect, test } from 'vitest'
import { GristmillError } from '../../../../src/base/errors.ts'
import { address } from '../../../../src/base/ids.ts'
import { FramePool } from '../../../../src/block/ring.ts'
import type { Clock } from '../../../../src/ports/clock.ts'
import type { Disk } from '../../../../src/ports/disk.ts'
import { silent } from '../../../../src/ports/log.ts'
import type { Caller } from '../../../../src/rpc/call.ts'
import { localDisk } from '../../../../src/world/disk.ts'
import { MapOutputs } from '../../../../datanode/shuffle/mapoutputs.ts'
import { OutputSweeper } from '../../../../datanode/shuffle/sweeper.ts'

let dir: string
beforeEach(async () => {
  dir = mkdtempSync(join(tmpdir(), 'gristmill-sweep-'))
  for (const job of ['over', 'running', 'unknown']) {
    await localDisk.mkdir(`${dir}/shuffle/${job}`)
    for (const kind of ['data', 'index']) writeFileSync(`${dir}/shuffle/${job}/${job}.0.0.0.${kind}`, 'x')
  }
})
afterEach(() => { rmSync(dir, { recursive: true, force: true }) })

const answers: Record<string, () => object> = {
  over: () => ({ state: 'succeeded', finishedMs: 5 }),
  running: () => ({ state: 'running' }),
  unknown: () => { throw new GristmillError('ENOENT', 'there is no job') },
}

async function sweeper(more: { session?: () => number; mono?: () => number; answer?: (job: string) => object; disk?: Partial<Disk> } = {}) {
  const timers: Array<{ ms: number; work: () => void; cancelled: boolean }> = []
  const asked: string[] = []
  const call = async (_to: unknown, message: { name: string }, { job }: { job: string }): Promise<object> => {
    expect(message.name).toBe('job.watch')
    asked.push(job)
    return more.answer ? more.answer(job) : answers[job]!()
  }
  const made = new OutputSweeper({
    clock: {
      mono: more.mono ?? (() => 0),
      after: (ms: number, work: () => void) => {
        const timer = { ms, work, cancelled: false }
        timers.push(timer)
        return () => {
          timer.cancelled = true
        }
      },
    } as unknown as Clock,
    log: silent, namenode: address('n:1'), session: more.session ?? (() => 1), caller: () => ({ call }) as unknown as Caller,
    outputs: await MapOutputs.open({ disk: { ...localDisk, ...more.disk }, dir, pool: new FramePool(), log: silent }),
  })
  return { made, timers, asked }
}

const left = (): string[] => readdirSync(`${dir}/shuffle`).sort()

test('outputs of jobs that have ended, or are unknown to the namenode, are removed; those of running jobs stay', async () => {
  const { made, asked } = await sweeper()
  await made.sweep()
  expect(asked.sort()).toEqual(['over', 'running', 'unknown'])
  expect(left()).toEqual(['running'])
  await made.stop()
})

test('outputs that cannot be removed keep no others', async () => {
  const { made } = await sweeper({
    answer: () => ({ state: 'succeeded', finishedMs: 5 }),
    disk: {
      removeTree: async path => {
        if (path.endsWith('running')) await localDisk.removeTree(path)
        else throw new Error('not ours')
      },
    },
  })
  await made.sweep()
  expect(left()).toEqual(['over', 'unknown'])
  await made.stop()
})

test('nothing is removed on a guess: not without contact, not when the namenode does not answer', async () => {
  const away = await sweeper({ session: () => 0 })
  await away.made.sweep()
  expect([away.asked, left()]).toEqual([[], ['over', 'running', 'unknown']])
  const deaf = await sweeper({ answer: () => { throw new GristmillError('UNAVAILABLE', 'gone') } })
  await deaf.made.sweep()
  expect(left()).toEqual(['over', 'running', 'unknown'])
})

test('a sweep is due in each session until all answers are there, rarely after that, and not after the end', async () => {
  let [now, session, isDeaf] = [0, 0, false]
  const { made, timers, asked } = await sweeper({
    session: () => session, mono: () => now,
    answer: job => {
      if (isDeaf) throw new GristmillError('UNAVAILABLE', 'gone')
      return answers[job]!()
    },
  })
  const looks = async (): Promise<number> => {
    asked.length = 0
    const count = timers.length
    now += timers.at(-1)!.ms
    timers.at(-1)!.work()
    await expect.poll(() => timers.length).toBe(count + 1)
    return asked.length
  }
  // No session: no question.
  expect([await looks(), left()]).toEqual([0, ['over', 'running', 'unknown']])
  session = 7
  isDeaf = true
  expect([await looks(), left()]).toEqual([1, ['over', 'running', 'unknown']])
  isDeaf = false
  expect([await looks(), left()]).toEqual([3, ['running']])
  // The same session has no news for ten minutes; the namenode's next one may.
  expect(await looks()).toBe(0)
  session = 8
  expect(await looks()).toBe(1)
  const sweptAt = now
  while (await looks() === 0) ;
  expect(now - sweptAt).toBe(600_000)
  await made.stop()
  expect(timers.at(-1)!.cancelled).toBe(true)
})
