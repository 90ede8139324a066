// Slots and memory that programs declare: what is refused, and which stages get what.

import { expect, test } from 'vitest'
import { planDataflow } from '../../../../src/plan/dataflow.ts'
import { fingerprintOf } from '../../../../src/plan/fingerprint.ts'
import { planMapReduce } from '../../../../src/plan/mapreduce.ts'
import { planBy } from '../../../../src/plan/choices.ts'
import { stagesOf } from '../../../../src/plan/stage.ts'
import { mapReduce } from '../../../../src/program/authoring.ts'
import { program } from '../../../../src/program/dataflow.ts'
import { checkResources } from '../../../../src/program/resources.ts'
import type { Sources } from '../../../../src/program/sources.ts'

test('amounts are numbers, or texts with a unit', () => {
  expect(checkResources('x', { cpu: 2, memory: '1.5 GiB' })).toEqual({ cpu: 2, memoryBytes: 1.5 * 2 ** 30 })
  expect(checkResources('x', { memory: 2 ** 29 })).toEqual({ memoryBytes: 2 ** 29 })
  expect(checkResources('x', { cpu: undefined })).toEqual({})
  for (const given of [
    { cpu: 0 }, { cpu: 1.5 }, { cpu: '2' }, { cpu: 5000 }, { memory: 5 }, { memory: '2 apples' }, { memory: '512MB' }, { disk: 1 }, 7, null,
  ])
    expect(() => checkResources('resources', given as never), JSON.stringify(given)).toThrow(/resources/)
  expect(() => mapReduce({ map() {}, resources: { shuffle: {} } as never })).toThrow(/an object with map, reduce or both/)
  expect(() => mapReduce({ map() {}, resources: { map: { cpu: 0 } } })).toThrow(/cpu of resources of map/)
})

const planOf = async (describe: (mill: Sources) => Promise<void>) => planDataflow(await program(describe).build({}))
const needsOf = (plan: Parameters<typeof planBy>[0]): unknown[] => stagesOf(planBy(plan)).map(({ needs }) => needs)

test('a stage gets the most that one of its steps declares, and no step of its own for it', async () => {
  const plan = await planOf(mill => mill.text('/a').resources({ cpu: 2 }).map(line => line).resources({ cpu: 1, memory: '64MiB' })
    .union(mill.text('/b').resources({ memory: '128MiB' })).countBy(line => line).map(([word]) => word).resources({ cpu: 3 })
    .sortBy(word => word).save('/out'))
  expect(needsOf(plan)).toEqual([{ cpu: 2, memoryBytes: 128 << 20 }, { cpu: 3 }, { cpu: 3 }, {}])
  for (const { branches } of stagesOf(planBy(plan))) for (const { steps } of branches)
    expect(steps.map(({ kind }) => kind)).not.toContain('resources')
})

test('each phase of a map-reduce job has its own, and the plan of a job that declares none is as it was', () => {
  const definition = { map() {}, reduce() {} }
  const memory = 256 << 20
  expect(needsOf(planMapReduce({ ...definition, resources: { map: { memory }, reduce: { cpu: 4 } } })))
    .toEqual([{ memoryBytes: memory }, { cpu: 4 }])
  expect(needsOf(planMapReduce({ ...definition, resources: { reduce: { cpu: 4 } } }))).toEqual([{}, { cpu: 4 }])
  expect(fingerprintOf(planMapReduce({ ...definition, resources: {} }))).toBe(fingerprintOf(planMapReduce(definition)))
})

test('a sort and a join of small inputs are done as they are without declared resources', async () => {
  const plan = await planOf(mill => mill.text('/a').resources({ cpu: 2 }).join(mill.text('/b'), a => a, b => b).save('/out'))
  expect(needsOf(plan)).toEqual([{ cpu: 2 }, {}, {}])
})
