// Exactly-once sinks in the simulation, by fixed seeds: against models of Kafka and of S3, with calls that are lost, late or done at the
// same time, and exporters that are killed. Each planted bug is found by one of the seeds.

import { expect, test } from 'vitest'
import { simulateObjects, simulateTopic } from './sinks.ts'

const seeds = Array.from({ length: 40 }, (_, i) => String(i + 1))

test.each([['a topic', simulateTopic], ['objects below a prefix', simulateObjects]])(
  'exports to %s leave each row once, whatever is lost, late or killed', async (_, simulate) => {
    let kills = 0
    for (const seed of seeds) {
      kills += await simulate(seed).catch((error: unknown) => {
        throw new Error(`seed ${seed}: ${(error as Error).message}`, { cause: error })
      })
    }
    expect(kills).toBeGreaterThan(seeds.length / 4)
  },
)

test.each([
  ['progress outside of the transaction of its rows', simulateTopic, 'apart'],
  ['an exporter that does not end the one before', simulateTopic, 'unfenced'],
  ['a record of the commit before all objects', simulateObjects, 'early record'],
] as const)('a planted bug is caught: %s', async (_, simulate, bug) => {
  let caught = false
  for (const seed of seeds) {
    await simulate(seed, bug).catch(() => { caught = true })
    if (caught) break
  }
  expect(caught).toBe(true)
})
