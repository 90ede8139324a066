// Users' functions on a simulated computer: their cost, and the one call that misbehaves.

import { expect, test } from 'vitest'
import { mapReduce, type MapReduce } from '../../../../src/program/authoring.ts'
import { Host } from '../../../kit/sim/host.ts'
import { Kernel } from '../../../kit/sim/kernel.ts'
import { withUserCodeCost, type UserCodeFailure } from '../../../kit/sim/usercode.ts'
import { Process } from '../../../kit/sim/process.ts'

/** A program that records its records, loaded as an executor on some computer would load it. */
async function on(
  work: (
    map: (record: string) => void | Promise<void>,
    machine: { host: Host; kernel: Kernel; seen: string[]; exits: () => number },
  ) => Promise<void>,
  make: (program: MapReduce) => unknown = program => program,
): Promise<void> {
  const kernel = new Kernel(1)
  const host = new Host('machine')
  const process = new Process(kernel, 'executor', host)
  const seen: string[] = []
  let exits = 0
  const program = mapReduce({
    map(record: string) {
      seen.push(record)
    },
  })
  const modules = withUserCodeCost({ urlOf: file => file, load: async () => ({ default: make(program) }) }, process, () => {
    exits++
    process.end()
  })
  kernel.start()
  try {
    const exported = ((await modules.load('', '')) as { default: MapReduce | ((params: object) => Promise<MapReduce>) }).default
    const { definition } = typeof exported === 'function' ? await exported({}) : exported
    await work(
      async record => {
        await definition.map(record as never, () => {}, {} as never)
      },
      { host, kernel, seen, exits: () => exits },
    )
  } finally {
    await kernel.stop()
  }
}

test('calls take virtual time, on a slow computer a lot, and each record comes once and in order', () =>
  on(async (map, { host, kernel, seen }) => {
    const records = Array.from({ length: 2000 }, (_, i) => `record ${i}`)
    for (const record of records) await map(record)
    const usual = kernel.now
    expect(usual).toBeGreaterThan(0)
    host.userCode.factor = 100
    for (const record of records) await map(record)
    expect((kernel.now - usual) / usual).toBeGreaterThan(50)
    expect(seen).toEqual([...records, ...records])
  }))

test('a program that is built from its parameters is slowed as well', () => on(async (map, { host, kernel, seen }) => {
  host.userCode.factor = 10_000
  await map('grain')
  expect(seen).toEqual(['grain'])
  expect(kernel.now).toBeGreaterThan(100)
}, program => () => program))

test.each<UserCodeFailure>(['throw', 'exit', 'hang'])('one call, the one that was chosen, goes wrong: %s', how =>
  on(async (map, { host, kernel, seen, exits }) => {
    host.userCode.failure = { how, left: 2 }
    await map('first')
    let settled = false
    const second = Promise.resolve()
      .then(() => map('second'))
      .finally(() => {
        settled = true
      })
    if (how === 'throw') await expect(second).rejects.toThrow('told to throw')
    await new Promise<void>(resolve => {
      kernel.schedule(100_000, undefined, 'long after', resolve)
    })
    expect(settled).toBe(how === 'throw')
    expect(exits()).toBe(how === 'exit' ? 1 : 0)
    expect(seen).toEqual(['first'])
    if (how !== 'throw') return
    await map('third')
    expect(seen).toEqual(['first', 'third'])
  }),
)
