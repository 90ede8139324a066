// Validation of numeric arguments by the library, on a caller that records calls: invalid ones are refused with an explanation, and no call
// is sent.

import { expect, test } from 'vitest'
import { Quotas } from '../../../../client/files/quotas.ts'
import { Trash } from '../../../../client/files/trash.ts'
import { Nodes } from '../../../../client/service/nodes.ts'

const asked: string[] = []
const ask = async (message: { name?: string }): Promise<never> => {
  asked.push(String(message.name))
  return {} as never
}

test('invalid arguments are refused with an explanation, and no call is sent', async () => {
  const [nodes, quotas, trash] = [new Nodes(ask), new Quotas(ask), new Trash(ask)]
  const wrong: [() => Promise<unknown>, RegExp][] = [
    [() => nodes.decommission(undefined as never), /named by its id, its address or its host, not by undefined/],
    [() => nodes.recommission(''), /not by an empty text/],
    [() => trash.restore(5 as never), /a path or an item of the trash, not number/],
    [
      () => nodes.maintenance('n', { forMs: 30 }),
      /the time of a maintenance in milliseconds is 30; it must be a whole number from 1000 to/,
    ],
    [() => nodes.maintenance('n', {} as never), /is NaN/],
    [() => nodes.maintenance('n', { forMs: Number.NaN }), /is NaN/],
    [() => nodes.balance({ threshold: 101 }), /the threshold is 101; it must be a number of percent from 0 to 100/],
    [() => nodes.balance({ threshold: '5%' as never }), /the threshold is "5%"/],
    [() => nodes.balance({ bytesPerSecond: 0 }), /the number of bytes a second is 0; it must be a whole number of at least 1/],
    [() => quotas.set('/a', { names: -1 }), /the bound on names is -1/],
    [() => quotas.set('/a', { bytes: 1.5 }), /the bound on bytes is 1.5/],
    [() => trash.empty({ olderThanMs: -5 }), /the age in milliseconds is -5/],
  ]
  for (const [call, message] of wrong)
    await expect(call()).rejects.toMatchObject({ code: 'EINVAL', message: expect.stringMatching(message) })
  expect(asked).toEqual([])
  await quotas.set('/a', { names: null, bytes: 0 })
  await nodes.balance()
  expect(asked).toHaveLength(2)
})
