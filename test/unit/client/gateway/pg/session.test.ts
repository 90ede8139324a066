// A session with the messages of a client, without a connection: how it shares its process with other sessions.

import { PassThrough } from 'node:stream'
import { expect, test } from 'vitest'
import { Portals } from '../../../../../client/gateway/pg/portals.ts'
import { PgSession } from '../../../../../client/gateway/pg/session.ts'
import { PgSettings } from '../../../../../client/gateway/pg/settings.ts'
import { MessageReader, MessageWriter } from '../../../../../client/gateway/pg/wire.ts'
import { silent } from '../../../../../src/ports/log.ts'
import { message } from './kit.ts'

test('statements of one message let other sessions run, and their answers are sent meanwhile', async () => {
  const [input, output] = [new PassThrough(), new PassThrough()]
  let [ms, turns, sent] = [0, 0, 0]
  const sentAtTurns = new Set<number>()
  output.on('data', (bytes: Buffer) => { sent += bytes.length })
  const clock = {
    after: () => () => {},
    // Each statement takes a millisecond.
    mono: () => ms++,
    yield: async () => {
      turns++
      sentAtTurns.add(sent)
      await new Promise(resolve => setImmediate(resolve))
    },
  }
  const session = new PgSession({
    clock, log: silent, reader: new MessageReader(input, () => {}), writer: new MessageWriter(output), queries: {} as never,
    settings: new PgSettings(), portals: new Portals(), signal: new AbortController().signal,
  })
  const count = 5_000
  input.end(Buffer.concat([message('Q', `${'SHOW timezone;'.repeat(count)}\0`), message('X')]))
  await session.serve()
  expect(turns).toBeGreaterThan(count / 100)
  expect(turns).toBeLessThan(count / 10)
  expect(sentAtTurns.size).toBeGreaterThan(2)
})
