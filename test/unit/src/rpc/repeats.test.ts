// Repeats of mutations: ids are scoped by user and message, and a repeat during the first call waits for its result.

import { expect, test } from 'vitest'
import { GristmillError } from '../../../../src/base/errors.ts'
import { requestId } from '../../../../src/base/ids.ts'
import { Repeats, scopedId, unscopedId } from '../../../../src/rpc/repeats.ts'

const id = requestId('c:1')

test('an id belongs to its user and its message: others that choose the same one make other requests', () => {
  const own = scopedId('namespace.mkdir', 'ann', id)
  expect(scopedId('namespace.mkdir', 'ann', id)).toBe(own)
  const others = [
    scopedId('namespace.mkdir', 'bob', id), scopedId('namespace.touch', 'ann', id),
    scopedId('namespace.mkdir', 'ann', requestId('c:2')),
  ]
  expect(new Set([own, ...others]).size).toBe(4)
  // Also an id that looks like the scoped id of another user.
  expect(scopedId('namespace.mkdir', 'bob', own)).not.toBe(own)
  expect(unscopedId(own)).toBe(id)
  expect(unscopedId(id)).toBeUndefined()
  expect(unscopedId(scopedId('namespace.rename', 'bob', own))).toBeUndefined()
})

test('a repeat of a request that is under way gets its outcome, be it a refusal, and its work is done once', async () => {
  const repeats = new Repeats()
  const first = Promise.withResolvers<string>()
  let works = 0
  const work = (): Promise<string> => { works++; return first.promise }
  const both = [repeats.run(id, work), repeats.run(id, work)]
  first.resolve('made')
  expect(await Promise.all(both)).toEqual(['made', 'made'])
  const refused = Promise.withResolvers<string>()
  const refuse = (): Promise<string> => { works++; return refused.promise }
  const twice = [repeats.run(id, refuse), repeats.run(id, refuse)] as Array<Promise<unknown>>
  refused.reject(new GristmillError('SAFE_MODE', 'nothing may be changed'))
  expect(await Promise.allSettled(twice)).toMatchObject([{ reason: { code: 'SAFE_MODE' } }, { reason: { code: 'SAFE_MODE' } }])
  expect(works).toBe(2)
  // Afterwards the journal knows whether it took effect.
  expect(repeats.run(id, () => 'asked')).toBe('asked')
})

test('a request that was given up because its caller went away is worked on again for its repeat', async () => {
  const repeats = new Repeats()
  const left = Promise.withResolvers<string>()
  const first = repeats.run(id, () => left.promise) as Promise<string>
  const second = repeats.run(id, () => Promise.resolve('killed')) as Promise<string>
  left.reject(new GristmillError('ABORTED', 'the caller went away'))
  await expect(first).rejects.toMatchObject({ code: 'ABORTED' })
  expect(await second).toBe('killed')
})

test('a copy of a refused request that arrives late gets the refusal, although it would be accepted by then', async () => {
  const repeats = new Repeats()
  const absent = new GristmillError('ENOENT', 'there is no /a')
  await expect(repeats.run(id, () => Promise.reject(absent))).rejects.toBe(absent)
  expect(() => repeats.run(id, () => 'removed')).toThrow(absent)
  const other = requestId('c:2')
  expect(() => repeats.run(other, () => { throw absent })).toThrow(absent)
  expect(() => repeats.run(other, () => 'removed')).toThrow(absent)
  // Another request is another matter.
  expect(repeats.run(requestId('c:3'), () => 'removed')).toBe('removed')
})

test('a reply in which a part was refused is kept whole, and one without refused parts is left to the journal', async () => {
  const repeats = new Repeats()
  const reply = { files: [{ status: {} }, { error: { code: 'EEXIST', message: '/a exists already', details: {} } }] }
  expect(await repeats.run(id, () => Promise.resolve(reply), 'files')).toBe(reply)
  expect(repeats.run(id, () => 'written', 'files')).toBe(reply)
  const whole = requestId('c:2')
  await repeats.run(whole, () => Promise.resolve({ files: [{ status: {} }] }), 'files')
  expect(repeats.run(whole, () => 'asked', 'files')).toBe('asked')
})

test.each(['SAFE_MODE', 'UNAVAILABLE', 'OVERLOADED', 'UNREGISTERED', 'INTERNAL', 'OUTCOME_UNKNOWN'] as const)(
  'after %s a repeat is worked on: the condition may have passed', async code => {
    const repeats = new Repeats()
    await expect(repeats.run(id, () => Promise.reject(new GristmillError(code, 'not now')))).rejects.toMatchObject({ code })
    expect(repeats.run(id, () => 'made')).toBe('made')
  })

test('kept refusals are bounded in number and in size, and the newest stay', async () => {
  const repeats = new Repeats()
  const refuse = async (name: string, chars: number): Promise<void> => {
    const absent = new GristmillError('ENOENT', 'x'.repeat(chars))
    await expect(repeats.run(requestId(name), () => Promise.reject(absent))).rejects.toBe(absent)
  }
  const isKept = (name: string): boolean => {
    try { return repeats.run(requestId(name), () => 'worked on') !== 'worked on' } catch { return true }
  }
  for (let i = 0; i <= 10_000; i++) await refuse(`c:${i}`, 1)
  expect([isKept('c:0'), isKept('c:1'), isKept('c:10000')]).toEqual([false, true, true])
  for (let i = 0; i < 9; i++) await refuse(`long:${i}`, 1 << 20)
  expect([isKept('c:10000'), isKept('long:0'), isKept('long:8')]).toEqual([false, false, true])
})
