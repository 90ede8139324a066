// Settings of a bucket, which requests at the same time look up together: the end of one request is not that of the others, and neither is
// what its user may not read. Users and the cluster are stubs.

import { expect, test } from 'vitest'
import { BucketSettings } from '../../../../../client/gateway/s3/bucketsettings.ts'
import { GristmillError } from '../../../../../src/base/errors.ts'

/** Settings over a namenode that answers when it is told to. `readers`: users who may read the directory of the bucket. */
function bench(readers: readonly string[] = ['gateway']) {
  const asked: { readonly user: string; readonly answer: () => void }[] = []
  const mill = (user: string) => {
    const answered = (signal?: AbortSignal): Promise<object> => new Promise((resolve, reject) => {
      signal?.addEventListener('abort', () => reject(signal.reason as Error))
      asked.push({ user, answer: () => {
        if (readers.includes(user)) resolve({ status: { type: 'directory', owner: 'ada' }, attributes: {} })
        else reject(new GristmillError('EACCES', `${user} may not read it`))
      } })
    })
    return {
      objects: { get: (_: string, { signal }: { signal?: AbortSignal }) => answered(signal) },
      status: (_: string, { signal }: { signal?: AbortSignal } = {}) => answered(signal),
    }
  }
  const users = { own: 'gateway', as: (user: string, work: (mill: unknown) => unknown) => work(mill(user)) }
  const settings = new BucketSettings({ clock: { mono: () => 0 }, users: users as never }, { root: '/s3' })
  /** Answers all calls, and those that follow from the answers. */
  const answerAll = async (): Promise<void> => {
    for (let idle = 0; idle < 20; idle++) {
      const call = asked.shift()
      if (call) idle = 0
      call?.answer()
      await Promise.resolve()
    }
  }
  return { settings, asked, answerAll }
}

test('a request that ends while it waits for the settings of a bucket leaves the others that wait for them alone', async () => {
  const { settings, asked, answerAll } = bench()
  const [stranger, known] = [new AbortController(), new AbortController()]
  const first = settings.of('grain', { signal: stranger.signal })
  const second = settings.of('grain', { caller: 'ada', signal: known.signal })
  const ended = expect(first).rejects.toMatchObject({ code: 'OVERLOADED' })
  stranger.abort(new GristmillError('OVERLOADED', 'this gateway ended the request, which has no known user, in favour of others'))
  await ended
  expect(asked).toHaveLength(1)
  await answerAll()
  expect(await second).toMatchObject({ owner: 'ada' })
  expect(await settings.of('grain', { signal: known.signal })).toMatchObject({ owner: 'ada' })
  // It waits no longer either, whoever has begun the lookup.
  const third = settings.of('rye', { signal: known.signal })
  const late = expect(settings.of('rye', { caller: 'ada', signal: stranger.signal })).rejects.toMatchObject({ code: 'OVERLOADED' })
  await late
  await answerAll()
  expect(await third).toMatchObject({ owner: 'ada' })
})

test('a user who may read a bucket gets its settings, also while a stranger, and a gateway that may not, look them up', async () => {
  const { settings, answerAll } = bench(['ada'])
  const { signal } = new AbortController()
  const refused = [
    expect(settings.of('grain', { signal })).rejects.toMatchObject({ name3: 'AccessDenied' }),
    expect(settings.of('grain', { caller: 'bob', signal })).rejects.toMatchObject({ name3: 'AccessDenied' }),
  ]
  const own = settings.of('grain', { caller: 'ada', signal })
  await answerAll()
  await Promise.all(refused)
  expect(await own).toMatchObject({ owner: 'ada' })
})
