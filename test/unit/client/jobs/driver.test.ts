// What a failure of the machine that runs a program makes of the run: with a log another process goes on, and nothing is recorded; without
// one the run fails, and the process of its submitter does not.

import { expect, test } from 'vitest'
import { ProgramDriver } from '../../../../client/jobs/drive.ts'
import type { LoadEvent, PlannedProgramStep } from '../../../../client/load/driving.ts'
import { GristmillError } from '../../../../src/base/errors.ts'

const full = Object.assign(new Error('ENOSPC: no space left on device, write'), { code: 'ENOSPC' })
const step = {
  number: 1, method: 'values', after: 0, clock: '', planned: { lowered: 'abcdef1234567890' }, returns: 'values',
} as unknown as PlannedProgramStep

interface Given {
  readonly hasLog: boolean
  readonly submit?: () => Promise<never>
  readonly deliver?: () => Promise<void>
  readonly gets?: () => Promise<void>
}

function driver({ hasLog, submit, deliver, gets }: Given) {
  const recorded: string[] = []
  const log = {
    results: [], isFailure: () => false, sends: async () => 'id', sentBefore: async () => undefined,
    gets: gets ?? (async () => { recorded.push('result') }), ends: async () => { recorded.push('end') },
  }
  const made = new ProgramDriver({
    loading: { deliver: deliver ?? (async () => {}), end: async () => {}, hasPrinted: false },
    shipping: { close: async () => {} }, release: async () => {}, isFatal: () => false, dropResult: async () => {},
    readsOf: () => undefined,
    jobOf: () => { throw new Error('no job was sent before') },
    submit: submit ?? (async () => ({ id: 'job-1', wait: async () => ({ job: 'job-1' }), kill: async () => {} })),
    readResult: async () => ['a'],
    log: hasLog ? log : undefined,
  } as never, { id: 'run', nowMs: 0 })
  return { made, recorded }
}

const take = (made: ProgramDriver, event: Partial<LoadEvent> | object): Promise<unknown> => {
  made.take(event as LoadEvent)
  return made.ended.then(() => 'ended', (error: unknown) => error)
}

test('a disk of this machine that fails a step ends this process only, and the program gets no failure', async () => {
  const { made, recorded } = driver({ hasLog: true, submit: async () => { throw full } })
  expect(await take(made, { step })).toMatchObject({ cause: full })
  expect(recorded).toEqual([])
})

test('a machine whose requests the cluster does not believe, because its clock is wrong, ends this process only', async () => {
  const wrong = new GristmillError('UNAUTHENTICATED', 'the signature is 93598 s ahead; set the clocks of the two machines')
  const { made, recorded } = driver({ hasLog: true, submit: async () => { throw wrong } })
  expect(await take(made, { step })).toBe(wrong)
  expect(recorded).toEqual([])
})

test('so does one that cannot hold a result on its way to the program, or a value that the program broadcasts', async () => {
  const result = driver({ hasLog: true, deliver: async () => { throw full } })
  expect(await take(result.made, { step })).toMatchObject({ cause: full })
  expect(result.recorded).toEqual(['result'])
  const value = driver({ hasLog: true })
  const error = { code: 'INTERNAL', message: 'the value cannot be kept', details: { errno: 'ENOSPC' } }
  expect(await take(value.made, { error })).toMatchObject({ message: 'the value cannot be kept' })
  expect(value.recorded).toEqual([])
})

test('a program gets no result that is not in its log: while the record is on its way, and when it is refused', async () => {
  const steps: string[] = []
  const record = Promise.withResolvers<void>()
  const reached = Promise.withResolvers<void>()
  const gets = async (): Promise<void> => {
    steps.push('record')
    reached.resolve()
    await record.promise
    steps.push('recorded')
  }
  const delivered = Promise.withResolvers<void>()
  const deliver = async (): Promise<void> => {
    steps.push('delivered')
    delivered.resolve()
  }
  const { made } = driver({ hasLog: true, gets, deliver })
  made.take({ step } as never)
  await reached.promise
  await new Promise(resolve => { setImmediate(resolve) })
  expect(steps).toEqual(['record'])
  record.resolve()
  await delivered.promise
  expect(steps).toEqual(['record', 'recorded', 'delivered'])
  const replaced = new GristmillError('ABORTED', 'another process drives the program now')
  const refused = driver({ hasLog: true, gets: async () => { throw replaced }, deliver: async () => { steps.push('another') } })
  expect(await take(refused.made, { step })).toBe(replaced)
  expect(steps).not.toContain('another')
})

test('a program that fails ends for all', async () => {
  const { made, recorded } = driver({ hasLog: true })
  expect(await take(made, { error: { code: 'JOB_FAILED', message: 'it threw', details: {} } })).toMatchObject({ message: 'it threw' })
  expect(recorded).toEqual(['end'])
})

test('an attached run whose result cannot be given to its program fails', async () => {
  const { made } = driver({ hasLog: false, deliver: async () => { throw full } })
  const failure = await take(made, { step })
  expect(failure).toBeInstanceOf(GristmillError)
  expect(failure).toMatchObject({ code: 'INTERNAL', cause: full })
})
