// Virtual time: order of events, and events of dead and paused processes.

import { expect, test } from 'vitest'
import { Host } from '../../../kit/sim/host.ts'
import { Kernel } from '../../../kit/sim/kernel.ts'
import { Line } from '../../../kit/sim/line.ts'
import { Process } from '../../../kit/sim/process.ts'

/** Runs until no more events are due within `ms`. */
async function within(kernel: Kernel, ms: number): Promise<void> {
  const over = new Promise<void>(resolve => { kernel.schedule(ms, undefined, 'over', resolve) })
  kernel.start()
  await over
  await kernel.stop()
}

const processOn = (kernel: Kernel, name: string): Process => new Process(kernel, name, new Host(name))

test('time goes by in steps, and what an event sets off is done before the next one', async () => {
  const kernel = new Kernel(1)
  const seen: string[] = []
  kernel.schedule(20, undefined, 'late', () => seen.push(`late ${kernel.now}`))
  kernel.schedule(10, undefined, 'early', () => {
    void (async () => {
      for (let i = 0; i < 50; i++) await Promise.resolve()
      await new Promise(resolve => { setImmediate(resolve) })
      kernel.touch()
      seen.push(`early's work ${kernel.now}`)
    })()
  })
  await within(kernel, 3_600_000)
  expect(seen).toEqual(['early\'s work 10', 'late 20'])
})

test('events due at the same time run in an order that the seed chooses, and the same seed chooses the same', async () => {
  const orders = await Promise.all([1, 1, 2, 3].map(async seed => {
    const kernel = new Kernel(seed)
    const seen: number[] = []
    for (let i = 0; i < 10; i++) kernel.schedule(5, undefined, `${i}`, () => seen.push(i))
    await within(kernel, 10)
    return { order: seen.join(''), hash: kernel.hash }
  }))
  expect(orders[0]).toEqual(orders[1])
  expect(new Set(orders.map(({ order }) => order)).size).toBe(3)
  expect(new Set(orders.map(({ hash }) => hash)).size).toBe(3)
})

test('the state of a process is looked at between its events, the first finding is an error, and the trace is the same', async () => {
  const traceOf = async (wrongFrom: number): Promise<{ kernel: Kernel; looks: number; hash: string }> => {
    const kernel = new Kernel(1)
    const [watched, other] = [processOn(kernel, 'watched'), processOn(kernel, 'other')]
    const sums = { kept: 0, found: 0 }
    let looks = 0
    watched.watch(() => {
      looks++
      if (sums.kept !== sums.found) throw new Error(`sum: ${sums.kept} kept, ${sums.found} found`)
    })
    for (let i = 1; i <= 100; i++) {
      for (const each of [watched, other])
        each.clock.after(i, () => {
          if (each === other) return
          sums.found++
          // Wrong only until what the event has caused is at rest.
          void new Promise(resolve => { setImmediate(resolve) }).then(() => { if (i < wrongFrom) sums.kept = sums.found })
        })
    }
    await within(kernel, 200)
    return { kernel, looks, hash: kernel.hash }
  }
  const [right, wrong] = [await traceOf(1000), await traceOf(50)]
  expect([right.kernel.errors, right.looks]).toEqual([[], Math.floor(100 / 17)])
  expect(wrong.kernel.errors).toEqual([expect.stringMatching(/^watched: its state is wrong at 51\.000 ms: Error: sum: 49 kept, 51 found/)])
  expect(wrong.looks).toBe(3)
  expect(wrong.hash).toBe(right.hash)
})

test('a dead process never runs again, and a paused one runs late, its timers in their order', async () => {
  const kernel = new Kernel(1)
  const [dead, paused] = [processOn(kernel, 'dead'), processOn(kernel, 'paused')]
  const seen: string[] = []
  dead.clock.after(10, () => seen.push('dead'))
  for (const ms of [30, 20, 40, 90]) paused.clock.after(ms, () => seen.push(`${ms} at ${Math.round(kernel.now)}`))
  kernel.schedule(5, undefined, 'fate', () => { dead.end(); paused.pause() })
  kernel.schedule(60, undefined, 'thaw', () => paused.resume())
  await within(kernel, 200)
  expect(seen).toEqual(['20 at 60', '30 at 60', '40 at 60', '90 at 90'])
  expect(() => dead.must()).toThrow('dead is dead')
})

test('a process whose event loop stands still runs late, by itself; one that is stopped meanwhile waits for who stopped it', async () => {
  const kernel = new Kernel(4)
  const [stalled, both] = [processOn(kernel, 'stalled'), processOn(kernel, 'both')]
  const seen: string[] = []
  for (const each of [stalled, both]) each.clock.after(10, () => seen.push(`${each.name} ${Math.round(kernel.now)}`))
  void stalled.stall(50).then(() => seen.push(`over ${Math.round(kernel.now)}`))
  void both.stall(50)
  both.pause()
  kernel.schedule(30, undefined, 'again', () => { void stalled.stall(100) })
  kernel.schedule(200, undefined, 'resume', () => both.resume())
  await within(kernel, 300)
  expect(seen).toEqual(['over 50', 'stalled 130', 'both 200'])
})

test('a machine\'s clock may be wrong and fast; time that is measured does not jump with it', async () => {
  const kernel = new Kernel(1)
  const process = processOn(kernel, 'node')
  process.host.time.rate = 2
  const start = { now: process.clock.now(), mono: process.clock.mono() }
  let fired = 0
  process.clock.after(100, () => { fired = kernel.now })
  kernel.schedule(50, undefined, 'set', () => { process.host.time.offsetMs = -5_000 })
  await within(kernel, 100)
  expect(fired).toBe(50)
  expect(process.clock.now() - start.now).toBe(200 - 5_000)
  expect(process.clock.mono() - start.mono).toBe(200)
})

test('no wait is so short that time stands still', async () => {
  const kernel = new Kernel(1)
  const { clock } = processOn(kernel, 'node')
  const start = clock.mono()
  const waited = (async () => {
    for (let i = 0; i < 100; i++) await clock.sleep(1e-13)
    return clock.mono() - start
  })()
  await within(kernel, 5_000)
  expect(await waited).toBeGreaterThan(0.09)
})

test('messages on a line keep their order though they are due at once, and virtual time stands still for real work', async () => {
  const kernel = new Kernel(4)
  const process = processOn(kernel, 'receiver')
  const line = new Line(kernel, process)
  const seen: number[] = []
  for (let i = 0; i < 20; i++) line.send('message', () => seen.push(i))
  let took = -1
  kernel.schedule(1, undefined, 'compile', () => {
    void kernel.outside(() => new Promise(resolve => { setTimeout(resolve, 20) })).then(() => { took = kernel.now })
  })
  await within(kernel, 10)
  expect(seen).toEqual(Array.from({ length: 20 }, (_, i) => i))
  expect(took).toBe(1)
})

test('an error that comes out of an event is told at once, and kept for the verdict', async () => {
  const told: number[] = []
  const kernel: Kernel = new Kernel(1, { onError: () => { told.push(kernel.now) } })
  kernel.schedule(1, undefined, 'bad', () => { throw new Error('what nobody expected') })
  await within(kernel, 5)
  expect(told).toEqual([1])
  expect(kernel.errors).toHaveLength(1)
  expect(kernel.errors[0]).toContain('what nobody expected')
})
