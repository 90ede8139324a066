// Classification of task errors as fault of the program, of the system or of a fetch, from thrown errors, with the record that failed; and
// the counters of a program's context. Pure.

import { expect, test } from 'vitest'
import { GristmillError } from '../../../../src/base/errors.ts'
import { FunctionFailed, SinkFailed } from '../../../../src/operator/operator.ts'
import { misuse } from '../../../../src/operator/misuse.ts'
import { receive } from '../../../../src/operator/turn.ts'
import { average, sum } from '../../../../src/program/iterables.ts'
import { StackMapper } from '../../../../src/program/stack.ts'
import type { TaskWork } from '../../../../src/protocol/task.ts'
import { recordError } from '../../../../src/record/records.ts'
import { GrowingBuffer } from '../../../../src/shuffle/buffer.ts'
import { encodeKey } from '../../../../src/shuffle/key.ts'
import { askPartitioner } from '../../../../src/shuffle/partition.ts'
import { seeded } from '../../../../src/world/random.ts'
import { TaskContext } from '../../../../datanode/executor/context.ts'
import { toFailure } from '../../../../datanode/executor/failure.ts'
import { OutputsMissing } from '../../../../datanode/executor/fetch.ts'
import { CheckRefused } from '../../../../datanode/executor/outputcheck.ts'

const task = { stacks: new StackMapper('file:///program.mjs', ''), counters: { recordsIn: 3 } }
const segment = 'job-1.0.2.1'

test.each([
  ['a function of the program', new FunctionFailed(new Error('no'), {}), 'program', undefined],
  ['a record that does not parse', new GristmillError('EINVAL', 'no JSON', { details: { path: '/in', offset: 7 } }), 'program', undefined],
  ['a program that does not load', new GristmillError('PROGRAM_INVALID', 'no default'), 'program', undefined],
  ['a full disk', new SinkFailed('disk full'), 'system', undefined],
  ['a full disk within a function of the program', new FunctionFailed(new SinkFailed('disk full'), {}), 'system', undefined],
  ['a namenode that is away', new GristmillError('UNAVAILABLE', 'away'), 'system', undefined],
  ['an error of ours', new TypeError('x is undefined'), 'system', undefined],
  ['map outputs that are gone', new OutputsMissing([segment as never], 'gone'), 'fetch', [segment]],
  ['a damaged map output', new GristmillError('CORRUPT', 'bad', { details: { segment } }), 'fetch', [segment]],
  [
    'a damaged map output that a reduce was reading',
    new FunctionFailed(new GristmillError('CORRUPT', 'bad', { details: { segment } }), { key: '"k"' }),
    'fetch', [segment],
  ],
  [
    'a damaged file of this process',
    new GristmillError('CORRUPT', 'bad', { details: { segment: '/scratch/a.merge0' } }),
    'system', undefined,
  ],
])('whose fault it is: %s', (_, thrown, cause, missing) => {
  const failed = toFailure(thrown, task)
  expect([failed.cause, failed.missing, failed.counters]).toEqual([cause, missing, { recordsIn: 3 }])
  expect(failed.failure.message).not.toBe('')
})

test('a refusal by the check is final, and has the stack of what the check has thrown', () => {
  const refusals = [new CheckRefused('too few'), new CheckRefused('no', { cause: new RangeError('no') })]
  const [returned, thrown] = refusals.map(error => toFailure(error, task))
  expect(returned).toMatchObject({ cause: 'program', failure: { code: 'CHECK_REFUSED', message: 'the check has refused the output: too few' } })
  expect(thrown).toMatchObject({ cause: 'program', failure: { code: 'CHECK_REFUSED', message: 'the check has refused the output: no' } })
})

test('a step or function that was given what it never takes is final, and what another attempt may do is not', () => {
  const emitted = captured(() => encodeKey({} as never, new GrowingBuffer()))
  const finals = [
    emitted, captured(() => sum(['1'] as never)), misuse('a promise'), recordError('no JSON', { path: '/in', offset: 7 }),
    new FunctionFailed(emitted, {}), new FunctionFailed(captured(() => average([null] as never)), {}),
    new FunctionFailed(captured(() => askPartitioner(() => 7, 'k', 2)), {}),
    new FunctionFailed(captured(() => receive(1, () => undefined, 'map')), {}),
  ]
  for (const [i, error] of finals.entries())
    expect([i, toFailure(error instanceof TypeError ? new FunctionFailed(error, {}) : error, task).isFinal]).toEqual([i, true])
  const others = [
    new FunctionFailed(new Error('the service is busy'), {}), new GristmillError('EINVAL', 'the command ended with exit code 1'),
    new FunctionFailed(new TypeError('x is no function'), {}), new GristmillError('UNAVAILABLE', 'away'), new SinkFailed('disk full'),
  ]
  for (const [i, error] of others.entries()) expect([i, toFailure(error, task).isFinal]).toEqual([i, undefined])
})

/** What a call throws. */
function captured(call: () => unknown): unknown {
  try {
    call()
  } catch (error) {
    return error
  }
  throw new Error('nothing was thrown')
}

test('a bad record is reported with its path and offset', () => {
  expect(toFailure(new GristmillError('EINVAL', 'no JSON', { details: { path: '/in', offset: 7 } }), task).failure.record).toEqual({
    path: '/in', offset: 7,
  })
})

test('fractions that a program counts have one sum, whatever the order of its calls', () => {
  const sums = [[0.1, 1e16, 0.2, -1e16], [1e16, 0.1, -1e16, 0.2], [0.2, 0.1, -1e16, 1e16]].map(numbers => {
    const context = new TaskContext({
      work: { job: 'j', stage: 1, task: 2, input: { kind: 'shuffle', stage: 0 } } as TaskWork,
      params: {}, random: seeded('1'), seeded, print() {},
    })
    for (const each of numbers) context.counter('a', each)
    return context.userCounters()['user.a']
  })
  expect(sums).toEqual([0.1 + 0.2, 0.1 + 0.2, 0.1 + 0.2])
})

test('the counters of a program are checked, and so is their number', () => {
  const context = new TaskContext({
    work: { job: 'j', stage: 1, task: 2, input: { kind: 'shuffle', stage: 0 } } as TaskWork,
    params: {}, random: seeded('1'), seeded, print() {},
  })
  const { counter, random } = context
  counter('a')
  counter('a', 2)
  expect(context.userCounters()).toEqual({ 'user.a': 3 })
  expect(random()).toBe(seeded('1').float())
  expect(() => counter('a', Number.NaN)).toThrow('"a" was to be raised by NaN')
  expect(() => counter('', 1)).toThrow('name')
  expect(() => counter('\ud83d')).toThrow(/the counter "\\ud83d" has half of a surrogate pair/)
  expect(() => { for (let i = 0; i < 1000; i++) counter(`c${i}`) }).toThrow('200 counters')
  expect(Object.keys(context.userCounters())).toHaveLength(200)
})
