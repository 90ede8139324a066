// Semaphore: random work with aborts, counted from outside. Its state is looked at after each call.

import { getEventListeners } from 'node:events'
import { expect, test } from 'vitest'
import { Semaphore } from '../../../../src/base/queue.ts'
import { dice } from '../../../kit/dice.ts'
import { checked } from '../../checked.ts'

test('at most so many pieces of work run at a time, in order, whatever is aborted or fails meanwhile; then all places are free', async () => {
  const random = dice(11)
  const places = checked(new Semaphore(3))
  const running = new Map<number, () => void>()
  const waiting: number[] = []
  const aborts = new Map<number, AbortController>()
  const ends: Array<Promise<unknown>> = []
  let most = 0
  const settle = async (): Promise<void> => { for (let i = 0; i < 8; i++) await Promise.resolve() }
  for (let i = 0; i < 500; i++) {
    const action = random.below(5)
    if (action < 2) {
      // A third of them wait with a signal that others wait with as well.
      const controller = random.below(3) === 0 ? [...aborts.values()].at(-1) ?? new AbortController() : new AbortController()
      if (controller.signal.aborted) continue
      aborts.set(i, controller)
      waiting.push(i)
      ends.push(places.run(() => new Promise<void>((resolve, reject) => {
        expect(waiting.shift(), 'the one that waits longest').toBe(i)
        running.set(i, () => (random.below(4) === 0 ? reject(new Error('it failed')) : resolve()))
        most = Math.max(most, running.size)
      }), controller.signal).catch((error: unknown) => (error as Error).message))
    } else if (action < 4 && running.size > 0) {
      const [each, end] = random.pick([...running])
      running.delete(each)
      end()
    } else if (waiting.length > 0) {
      const ended = aborts.get(random.pick(waiting))!
      waiting.splice(0, waiting.length, ...waiting.filter(each => aborts.get(each) !== ended))
      ended.abort(new Error('enough'))
    }
    await settle()
    expect(places.waiting).toBe(waiting.length)
  }
  while (running.size > 0 || waiting.length > 0) {
    for (const end of running.values()) end()
    running.clear()
    await settle()
  }
  expect(new Set(await Promise.all(ends))).toEqual(new Set([undefined, 'it failed', 'enough']))
  expect(most).toBe(3)
  expect(places.waiting).toBe(0)
})

test('a hundred thousand that wait with one signal have one listener, get their places in order, or are all refused at once', async () => {
  const places = new Semaphore(2)
  const controller = new AbortController()
  const { signal } = controller
  const started: number[] = []
  const all = Array.from({ length: 100_000 }, (_, i) => places.run(async () => { started.push(i) }, signal))
  expect(getEventListeners(signal, 'abort')).toHaveLength(1)
  await Promise.all(all)
  expect(started).toEqual(all.map((_, i) => i))
  expect(getEventListeners(signal, 'abort')).toHaveLength(0)
  const [first, second] = [await places.acquire(signal), await places.acquire(signal)]
  const refused = Array.from({ length: 100_000 }, () => places.acquire(signal).catch((error: unknown) => (error as Error).message))
  const other = places.acquire()
  controller.abort(new Error('enough'))
  expect(new Set(await Promise.all(refused))).toEqual(new Set(['enough']))
  expect(places.waiting).toBe(1)
  first()
  ;(await other)()
  second()
  places.checkState()
})

test('many with signals of their own are aborted one by one, and the line is no longer than twice what waits in it', async () => {
  const places = checked(new Semaphore(1))
  const release = await places.acquire()
  const controllers = Array.from({ length: 300 }, () => new AbortController())
  const got: number[] = []
  const all = controllers.map(({ signal }, i) => places.acquire(signal).then(free => { got.push(i); free() }, () => {}))
  for (let i = 0; i < 300; i++) if (i % 7 !== 3) controllers[(i * 11) % 300]!.abort()
  await Promise.resolve()
  release()
  await Promise.all(all)
  expect(got).toEqual(controllers.flatMap(({ signal }, i) => (signal.aborted ? [] : [i])))
  expect(places.waiting).toBe(0)
})

test('a place is taken at once if it is free, and before no one who waits', async () => {
  const places = checked(new Semaphore(1))
  const release = places.tryAcquire()!
  expect(places.tryAcquire()).toBeUndefined()
  const second = places.acquire()
  release()
  expect(places.tryAcquire()).toBeUndefined()
  ;(await second)()
  expect(places.tryAcquire()).toBeDefined()
})

test('a place that is given back twice goes to one of those who wait', async () => {
  const places = checked(new Semaphore(1))
  const release = await places.acquire()
  const [second, third] = [places.acquire(), places.acquire()]
  release()
  release()
  const next = await second
  expect(places.waiting).toBe(1)
  next()
  await third
})
