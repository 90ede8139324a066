// Namenodes that are behind what datanodes have seen: one of two copies that both were started, or one with reused block ids, is refused
// until its directory is rebuilt. Whole namenodes over real directories, and the pure rule.

import fs from 'node:fs/promises'
import { expect, test } from 'vitest'
import { recover } from '../../../../namenode/backup/recover.ts'
import { lastJob } from '../../../../namenode/succession/recovered.ts'
import { nothingSeen, whyBehind, type Position, type Seen } from '../../../../src/protocol/position.ts'
import { copy, dir, eachInADirectory, live, seenOf, world } from './lives.ts'

eachInADirectory()

async function health({ namenode }: Awaited<ReturnType<typeof live>>): Promise<[number, unknown]> {
  const answer = await fetch(`http://${namenode.address}/healthz`)
  return [answer.status, await answer.json()]
}

test('of two copies that were both started, the one that no datanode has met is refused, and stays so however often it starts', async () => {
  const first = await live()
  await first.end()
  await copy('nn', 'copy')
  const met = await live()
  const seen = seenOf(await met.register())
  const other = await live('copy')
  expect(await health(other)).toEqual([200, { status: 'ok' }])
  await expect(other.register(seen)).rejects.toMatchObject({
    code: 'STALE_EPOCH',
    message: expect.stringContaining('two were started from copies of one directory'),
  })
  expect(await health(other)).toEqual([503, { status: 'behind' }])
  await other.end()
  await fs.rm(`${dir}/copy/behind.json`)
  for (let starts = 0; starts < 2; starts++) {
    const later = await live('copy')
    for (let i = 0; i < 5; i++) await later.mkdir(`/d${starts}-${i}`) // it gets far beyond what was seen
    await expect(later.register(seen)).rejects.toMatchObject({
      code: 'STALE_EPOCH',
      ...(starts === 1 && { message: expect.stringContaining(seen.incarnation!) }),
    })
    await later.end()
    await fs.rm(`${dir}/copy/behind.json`)
  }
  // The one that registered continues.
  expect((await met.register(seen)).epoch).toBe(seen.epoch)
})

test('a namenode whose epoch is higher than what was seen, and that would give block ids out a second time, is behind', async () => {
  const first = await live()
  const { epoch, at } = await first.register()
  await first.end()
  for (let starts = 0; starts < 2; starts++) await (await live()).end()
  const late = await live()
  const seen = { epoch: epoch + 1, seq: 0, nextBlock: at!.nextBlock }
  await late.register(seen)
  await expect(late.register({ ...seen, nextBlock: at!.nextBlock + 1 })).rejects.toMatchObject({
    code: 'STALE_EPOCH',
    message: expect.stringContaining(`block ids from ${at!.nextBlock} on`),
  })
})

test('a directory that has been brought up to date since it was found behind serves again', async () => {
  const first = await live()
  await first.end()
  await copy('nn', 'copy')
  const second = await live()
  const seen = seenOf(await second.register())
  await second.end()
  const old = await live('copy')
  await expect(old.register(seen)).rejects.toMatchObject({ code: 'STALE_EPOCH' })
  await old.end()
  for (const part of ['store', 'journal']) {
    await fs.rm(`${dir}/copy/${part}`, { recursive: true })
    await copy(`nn/${part}`, `copy/${part}`)
  }
  const now = await live('copy')
  await now.register(seen)
  await now.mkdir('/x')
  await expect(fs.stat(`${dir}/copy/behind.json`)).rejects.toMatchObject({ code: 'ENOENT' })
})

test('a sound state is rebuilt for the sake of an epoch that an operator asks for, and jobs get other numbers', async () => {
  const first = await live()
  await first.end()
  expect(await recover(world, { dir: `${dir}/nn` })).toMatchObject({ outcome: 'nothing' })
  expect(await recover(world, { dir: `${dir}/nn`, epoch: 9 })).toMatchObject({ outcome: 'recovered', epoch: 9, uncertain: true })
  const later = await live()
  expect((await later.register({ ...nothingSeen, epoch: 8, incarnation: 'x', seq: 1e9, nextBlock: 1e12 })).epoch).toBe(10)
})

test.each<[string, Partial<Position> & { epoch: number }, Seen, RegExp | undefined]>([
  ['an earlier epoch', { epoch: 4 }, { ...nothingSeen, epoch: 5 }, /epoch 5 has begun/],
  [
    'a namenode that does not know of positions', { epoch: 5, incarnation: undefined as never },
    { epoch: 5, incarnation: 'a', seq: 9, nextBlock: 9 },
    undefined,
  ],
  ['a datanode that has heard of epochs only', { epoch: 5, incarnation: 'b' }, { ...nothingSeen, epoch: 5 }, undefined],
  ['the same incarnation', { epoch: 5, incarnation: 'a', from: 3 }, { epoch: 5, incarnation: 'a', seq: 900, nextBlock: 9 }, undefined],
  [
    'another incarnation of the same epoch', { epoch: 5, incarnation: 'b' },
    { epoch: 5, incarnation: 'a', seq: 1, nextBlock: 1 },
    /two were started/,
  ],
  [
    'a later epoch that began right behind what was seen',
    { epoch: 6, incarnation: 'b', from: 101 },
    { epoch: 5, incarnation: 'a', seq: 100, nextBlock: 1 },
    undefined,
  ],
  [
    'a later epoch that began with an operation that was seen',
    { epoch: 6, incarnation: 'b', from: 100 },
    { epoch: 5, incarnation: 'a', seq: 100, nextBlock: 1 },
    /operation 100 had happened/,
  ],
  [
    'a later epoch, rebuilt since',
    { epoch: 6, incarnation: 'b', from: 10, rebuilt: 6 },
    { epoch: 5, incarnation: 'a', seq: 100, nextBlock: 1 },
    undefined,
  ],
  [
    'a later epoch, rebuilt before',
    { epoch: 7, incarnation: 'b', from: 10, rebuilt: 5 },
    { epoch: 5, incarnation: 'a', seq: 100, nextBlock: 1 },
    /operation 100 had happened/,
  ],
])('behind: %s', (_, { epoch, ...at }, seen, why) => {
  const found = whyBehind(
    {
      epoch,
      ...('incarnation' in at && at.incarnation === undefined
        ? {}
        : { at: { incarnation: 'z', from: 1000, seq: 1000, nextBlock: 1, rebuilt: 0, ...at } }),
    },
    seen,
  )
  if (why) expect(found).toMatch(why)
  else expect(found).toBeUndefined()
})

test('numbers of jobs that may have been lost are left out', () => {
  expect(lastJob({ get: () => undefined, * range() {} })).toBe(0)
})
