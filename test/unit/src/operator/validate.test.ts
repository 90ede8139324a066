// Schemas of a program's input: what map gets, and what becomes of records that the schema refuses; with the schemas of a library, and in
// executor processes.

import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { z } from 'zod'
import { RecordsOperator } from '../../../../src/operator/recordsoperator.ts'
import { validateStep, type ValidateFunction } from '../../../../src/operator/validate.ts'
import type { Step } from '../../../../src/operator/operator.ts'
import type { StandardSchema } from '../../../../src/program/definition.ts'
import { newReadCounters } from '../../../../src/record/records.ts'
import { Bench, program } from '../../datanode/executor/kit.ts'
import { batchOf } from './kit.ts'

const validateOf = (schema: StandardSchema): ValidateFunction => record => schema['~standard'].validate(record)

/** Records that map got, in order, and the counters of the reader, which has read all records. */
async function mapped(
  schema: StandardSchema, records: readonly unknown[], badRecords?: 'skip',
): Promise<{ got: unknown[]; records: number; badRecords: number }> {
  const counters = { ...newReadCounters(), records: records.length }
  const got: unknown[] = []
  const last: Step<unknown> = { push: record => { got.push(record); return undefined }, finish: () => undefined }
  await new RecordsOperator(validateStep(validateOf(schema), { badRecords, counters }, last).push).push(batchOf(records))
  return { got, records: counters.records, badRecords: counters.badRecords }
}

const user = z.object({ id: z.string(), age: z.coerce.number().min(0) })

test('map gets what the schema returns', async () => {
  expect(await mapped(user, [{ id: 'a', age: '5', more: true }, { id: 'b', age: 6 }])).toEqual({
    got: [{ id: 'a', age: 5 }, { id: 'b', age: 6 }], records: 2, badRecords: 0,
  })
})

test('a refused record fails the task, with its place and the places in it', async () => {
  await expect(mapped(user, [{ id: 'a', age: 5 }, { id: 7, age: -1 }])).rejects.toMatchObject({
    place: { path: '/in', offset: 10 },
    cause: expect.objectContaining({
      code: 'EINVAL', message: expect.stringMatching(/^the record does not match the input's schema: id: .*string.*; age: .*; correct the record or the schema/),
    }),
  })
})

test('under badRecords: "skip" a refused record is left out and counted', async () => {
  expect(await mapped(user, [{ id: 7 }, { id: 'b', age: 6 }, null, 'x'], 'skip')).toEqual({
    got: [{ id: 'b', age: 6 }], records: 1, badRecords: 3,
  })
})

test('a schema may be asynchronous; records keep their order', async () => {
  const slow = z.string().refine(async text => { await null; return text !== 'b' })
  expect(await mapped(slow, ['a', 'b', 'c'], 'skip')).toEqual({ got: ['a', 'c'], records: 2, badRecords: 1 })
  await expect(mapped(slow, ['a', 'b'])).rejects.toMatchObject({ place: { offset: 10 } })
})

test('a message lists the first issues, each with its path', async () => {
  const issues = [
    { message: 'one', path: ['a', { key: 0 }] }, { message: 'two' }, { message: 'x'.repeat(1_000), path: [Symbol('s')] },
    { message: 'four' },
  ]
  const refusing: StandardSchema = { '~standard': { version: 1, vendor: 'own', validate: () => ({ issues }) } }
  await expect(mapped(refusing, ['a'])).rejects.toMatchObject({
    cause: { message: expect.stringMatching(/schema: a\.0: one; two; Symbol\(s\): x{200,300}; and 1 more; correct/) },
  })
})

describe('in executors', () => {
  let bench: Bench
  beforeAll(async () => {
    bench = await Bench.start({ datanodes: 1, prestart: true })
    await bench.file('/in', '{"n":1}\n{"n":"two"}\n{"n":3}\n')
  })
  afterAll(() => bench[Symbol.asyncDispose]())

  const schema = `{ '~standard': { version: 1, vendor: 'own', validate: (record: any) => typeof record.n === 'number' ? { value: record.n * 10 } : { issues: [{ message: 'not a number', path: ['n'] }] } } }`

  test('a schema of the program is called in its tasks', async () => {
    const body = (bad: string): string =>
      program(`input: { format: 'jsonl', ${bad}schema: ${schema} }, map(n: number, emit) { emit(null, n) }`)
    const done = await bench.done(body(`badRecords: 'skip', `), '/in')
    expect(await bench.outputOf(done)).toBe('10\n30\n')
    expect(done.counters).toMatchObject({ recordsIn: 2, badRecords: 1 })
    const { cause, failure } = await bench.fails(body(''), '/in')
    expect([cause, failure.message, failure.record]).toEqual([
      'program', expect.stringMatching(/schema: n: not a number/), { path: '/in', offset: 8 },
    ])
  })
})
