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
