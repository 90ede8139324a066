// Library calls that are refused without a call to the cluster, on a fake caller: those of a closed connection, and extended attributes
// that are too large.

import { expect, test } from 'vitest'
import { Xattrs } from '../../../../client/files/xattrs.ts'
import { Mill } from '../../../../client/mill.ts'
import { address, clusterId } from '../../../../src/base/ids.ts'

test('a call of a closed connection fails at once, and sends nothing', async () => {
  let [calls, ends] = [0, 0]
  const world = {
    net: {}, clock: { now: () => 0, mono: () => 0 }, random: { id: () => 'r', float: () => 0 }, disk: {}, log: { child: () => world.log },
  } as never as { log: unknown }
  const mill = new Mill({
    world,
    caller: {
      call: async () => {
        calls++
        return {}
      },
    },
    namenode: address('127.0.0.1:1'), cluster: clusterId('c'), host: 'h', scratchDir: '/s', workingDirectory: '/',
    end: async () => {
      ends++
    },
  } as never)
  await mill.clusterStatus()
  expect(calls).toBe(1)
  await mill.close()
  await mill.close()
  for (const call of [
    () => mill.clusterStatus(), () => mill.nodes.balanceStatus(), () => mill.stat('/'), () => mill.quotas.get('/'),
    () => mill.trash.list().next(),
  ]) {
    await expect(call()).rejects.toMatchObject({
      code: 'UNAVAILABLE',
      message: 'this connection to the cluster has been closed; open another one',
    })
  }
  expect([calls, ends]).toEqual([1, 1])
})

test('a value that is too large for an extended attribute is refused in words', async () => {
  const asked: string[] = []
  const xattrs = new Xattrs((async (message: { name: string }) => { asked.push(message.name) }) as never)
  await expect(xattrs.set('/a', 'user.b', 'x'.repeat(16_385))).rejects.toMatchObject({
    code: 'TOO_LARGE',
    message: expect.stringMatching(/has 16385 bytes; an extended attribute has at most 16384/),
  })
  // UTF-8 would have another character in its place.
  await expect(xattrs.set('/a', 'user.b', '\ud800')).rejects.toMatchObject({
    code: 'EINVAL', message: expect.stringMatching(/the value of user\.b has half of a surrogate pair/) as string,
  })
  expect(asked).toEqual([])
  await xattrs.set('/a', 'user.b', 'x'.repeat(16_384))
  expect(asked).toHaveLength(1)
})
