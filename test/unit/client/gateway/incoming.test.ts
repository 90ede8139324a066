// Pieces of a body: in their order, held back while nobody takes them, and ended by the end of the request or by its error.

import { Readable } from 'node:stream'
import { expect, test } from 'vitest'
import { IncomingBody, release } from '../../../../client/gateway/incoming.ts'
import { until } from '../../../kit/cluster.ts'

const KiB = 1024

test('a client that sends faster than its body is read is held back, and goes on when pieces were taken', async () => {
  let made = 0
  const request = new Readable({ read() { this.push(Buffer.alloc(64 * KiB, ++made)) } })
  const body = new IncomingBody(request as never)
  await until('the pause', async () => request.isPaused())
  expect(made).toBeLessThanOrEqual(6)
  for (let i = 1; i <= 20; i++) {
    expect(await body.more()).toBe(true)
    expect(body.take()?.[0]).toBe(i)
  }
  body.close()
  request.destroy()
})

test('the end comes behind the last piece, and an error too', async () => {
  for (const error of [undefined, new Error('broken')]) {
    const request = new Readable({ read() {} })
    const body = new IncomingBody(request as never)
    request.push(Buffer.from('a'))
    if (!error) request.push(null)
    expect(await body.more()).toBe(true)
    if (error) request.destroy(error)
    expect(body.take()?.toString()).toBe('a')
    if (error) await expect(body.more()).rejects.toThrow('broken')
    else expect(await body.more()).toBe(false)
    body.close()
  }
})

test('memory that a piece shares with others is not given back with it', () => {
  const both = Buffer.from(new ArrayBuffer(10))
  release(both.subarray(0, 5))
  expect(both.length).toBe(10)
  release(both)
  expect(both.length).toBe(0)
})
