// Jobs of the steps of a program: in the order of the steps, however they come; results are dropped at the end.

import { expect, test } from 'vitest'
import { StepJobs } from '../../../../client/jobs/stepjobs.ts'

const step = (number: number, returns: 'nothing' | 'values' = 'values') => ({ number, returns })
const job = (id: string) => ({ id }) as never

test('a job is told when all steps before its own have jobs, or have ended without', async () => {
  const jobs = new StepJobs()
  let told: string | undefined
  const first = jobs.at(0).then(found => { told = found!.id })
  jobs.add(step(3), job('c'))
  await Promise.resolve()
  expect(told).toBeUndefined()
  jobs.addNone(1)
  jobs.add(step(2), job('b'))
  await first
  expect([told, (await jobs.at(1))!.id, jobs.all.map(({ id }) => id), jobs.of(1)]).toEqual(['b', 'c', ['b', 'c'], undefined])
})

test('at the end of the program each job is told, and then none', async () => {
  const jobs = new StepJobs()
  jobs.add(step(2), job('b'))
  const later = jobs.at(1)
  jobs.end()
  expect([(await jobs.at(0))!.id, await later]).toEqual(['b', undefined])
})

test('results of all jobs are dropped, also of one whose step got another job, and a failure keeps none of the others', async () => {
  const jobs = new StepJobs()
  jobs.add(step(1), job('a'))
  jobs.add(step(1), job('b'))
  jobs.add(step(2, 'nothing'), job('c'))
  jobs.add(step(3), job('d'))
  const dropped: string[] = []
  await jobs.drop(async id => {
    if (id === 'a') throw new Error('not now')
    dropped.push(id)
  })
  expect([dropped, ['a', 'b', 'c', 'd'].map(id => jobs.keeps(id))]).toEqual([['b', 'd'], [true, true, false, true]])
})
