// Wires kept for the next transfer, on a manual clock and fake connections: how long and how many are kept, and wires that break meanwhile.

import { expect, test } from 'vitest'
import { address } from '../../../../src/base/ids.ts'
import { limits } from '../../../../src/base/limits.ts'
import { Wires } from '../../../../src/file/wires.ts'
import { transferPath } from '../../../../src/protocol/transfer.ts'
import { ManualClock } from '../../../kit/manual-clock.ts'
import { turns } from './reading.ts'
import { checked } from '../../checked.ts'

const server = address('a:1')

function open(idleMs?: number) {
  const clock = new ManualClock()
  const connects: unknown[] = []
  const events: string[] = []
  const deaths: Array<() => void> = []
  const net = {
    connect: async (to: string, request: unknown, options: unknown) => {
      const number = connects.push({ to, request, options })
      const closed = Promise.withResolvers<void>()
      deaths.push(() => closed.resolve())
      return {
        closed: closed.promise,
        setProgressTimeout: (ms: number) => events.push(`${number} progress ${ms}`),
        destroy: () => {
          events.push(`${number} destroyed`)
          closed.resolve()
        },
        end: async () => {
          events.push(`${number} ended`)
        },
      }
    },
  }
  const wires = checked(new Wires({
    net: net as never,
    caller: { admission: (path: string) => ({ for: path }) } as never,
    clock, ...(idleMs !== undefined && { idleMs }),
  }))
  return { wires, clock, connects, events, deaths }
}

test('a wire is opened with admission, a bound and patience, and kept for the next transfer to the same server only', async () => {
  const { wires, clock, connects, events } = open()
  const { signal } = new AbortController()
  const first = await wires.take(server, { signal, progressMs: 5 })
  expect(first).toMatchObject({ address: server, used: false })
  expect(connects).toEqual([
    { to: server, request: { path: transferPath, headers: { for: transferPath } }, options: { signal, timeoutMs: 5_000 } },
  ])
  wires.give(first)
  const again = await wires.take(server)
  expect([again.channel === first.channel, again.used]).toEqual([true, true])
  expect(events).toEqual(['1 progress 5', `1 progress ${limits.progressTimeoutMs}`])
  // It is in use: no other transfer gets it, and its idle time does not run.
  expect(await wires.take(server)).toMatchObject({ used: false })
  clock.pass(1e6)
  expect([connects.length, events.includes('1 destroyed')]).toEqual([2, false])
  wires.give(again)
  expect(await wires.take(address('b:1'))).toMatchObject({ used: false })
  expect(await wires.take(server, { fresh: true })).toMatchObject({ used: false })
  expect((await wires.take(server)).channel).toBe(first.channel)
})

test('the wire returned last is used first; one that is unused for 15 seconds is closed', async () => {
  const { wires, clock, events } = open()
  const [first, second] = [await wires.take(server), await wires.take(server)]
  wires.give(first)
  clock.pass(1)
  wires.give(second)
  clock.pass(14_998)
  expect(events.filter(event => event.endsWith('destroyed'))).toEqual([])
  clock.pass(1)
  expect(events.filter(event => event.endsWith('destroyed'))).toEqual(['1 destroyed'])
  expect((await wires.take(server)).channel).toBe(second.channel)
  wires.give(second)
  wires.give(await wires.take(server, { fresh: true }))
  expect(await wires.take(server)).toMatchObject({ used: true })
  expect((await wires.take(server)).channel).toBe(second.channel)
  expect(clock.waiting).toBe(0)
})

test('a wire that dies while it is idle is forgotten', async () => {
  const { wires, clock, deaths } = open()
  const held = [await wires.take(server), await wires.take(server)]
  for (const one of held) wires.give(one)
  deaths[1]!()
  await turns()
  expect(clock.waiting).toBe(1)
  expect((await wires.take(server)).channel).toBe(held[0]!.channel)
  expect(await wires.take(server)).toMatchObject({ used: false })
})

test('eight idle wires are kept for a server; more, and those given back after the end, are ended in good order', async () => {
  const { wires, clock, events, connects } = open()
  const held = []
  for (let i = 0; i < 10; i++) held.push(await wires.take(server))
  for (const one of held.slice(0, 9)) wires.give(one)
  await turns()
  expect(events.filter(event => !event.includes('progress'))).toEqual(['9 ended', '9 destroyed'])
  for (let i = 0; i < 8; i++) expect(await wires.take(server)).toMatchObject({ used: true })
  expect(connects).toHaveLength(10)
  for (const one of held.slice(0, 3)) wires.give(one)
  events.length = 0
  wires.close()
  expect(events).toEqual(['1 destroyed', '2 destroyed', '3 destroyed'])
  wires.give(held[9]!)
  await turns()
  expect([events.slice(3), clock.waiting]).toEqual([['10 ended', '10 destroyed'], 0])
})

test('an aborted caller opens no wire', async () => {
  const { wires, connects } = open()
  await expect(wires.take(server, { signal: AbortSignal.abort(new Error('enough')) })).rejects.toMatchObject({ code: 'ABORTED' })
  expect(connects).toEqual([])
})
