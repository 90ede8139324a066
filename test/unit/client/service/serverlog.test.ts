// `mill.servers.log`: the last lines of a server's log, and those that follow, across a restart of the server and the end of its token.

import { expect, test } from 'vitest'
import { logLineText } from '../../../../client/service/logtext.ts'
import { Servers, type ServerLogLine } from '../../../../client/service/servers.ts'
import type { Cluster } from '../../../../client/call/cluster.ts'
import { GristmillError } from '../../../../src/base/errors.ts'
import { limits } from '../../../../src/base/limits.ts'
import * as protocol from '../../../../src/protocol/server.ts'
import { RecentLines } from '../../../../src/world/recentlog.ts'
import { ManualClock } from '../../../kit/manual-clock.ts'

const time = '2026-01-01T00:00:00.000Z'
const json = (msg: string): string => `${JSON.stringify({ level: 'info', time, name: 'datanode', msg })}\n`

/** A datanode whose log is read; `tokens` counts the tokens given out, `refuse` is thrown by the next call. */
function house(charsMax = 10_000) {
  const clock = new ManualClock()
  const state = { recent: new RecentLines(charsMax), tokens: 0, refuse: undefined as GristmillError | undefined }
  const cluster = {
    clock,
    ask: async (message: unknown, { server }: { server: string }) => {
      if (message !== protocol.logAccess) throw new Error('another message')
      if (server !== 'n1') throw new GristmillError('ENOENT', `no datanode ${server}`)
      return { role: 'datanode', id: 'n1', address: '127.0.0.1:9', token: `t${++state.tokens}` }
    },
    askNode: async (_: unknown, message: unknown, { token, process, from = 0 }: { token: string; process?: string; from?: number }) => {
      if (message !== protocol.readLog) throw new Error('another message')
      const { refuse } = state
      state.refuse = undefined
      if (refuse) throw refuse
      if (token !== `t${state.tokens}`) throw new GristmillError('UNAUTHENTICATED', 'expired')
      const found = state.recent.read(process === undefined || process === state.recent.process ? from : 0, limits.recentLogChars)
      return { process: state.recent.process, ...found }
    },
  } as unknown as Cluster
  return { clock, state, servers: new Servers(cluster) }
}

async function all(lines: AsyncIterable<ServerLogLine>): Promise<string[]> {
  const found: string[] = []
  for await (const { message } of lines) found.push(message)
  return found
}

test('without follow, the lines that are kept, or the last of them', async () => {
  const { state, servers } = house()
  for (const text of ['one', 'two', 'three']) state.recent.add(json(text))
  expect(await all(servers.log('n1'))).toEqual(['one', 'two', 'three'])
  expect(await all(servers.log('n1', { last: 2 }))).toEqual(['two', 'three'])
  expect(await all(servers.log('n1', { last: 0 }))).toEqual([])
  await expect(all(servers.log('n2', { follow: true }))).rejects.toMatchObject({ code: 'ENOENT' })
  await expect(all(servers.log('n1', { last: -1 }))).rejects.toMatchObject({ code: 'EINVAL' })
})

test('a follower gets each line once: over dropped lines, a restart, a server that is away, and an expired token', async () => {
  const { clock, state, servers } = house(400)
  state.recent.add(json('first'))
  const ending = new AbortController()
  const lines = servers.log('n1', { follow: true, last: 5, signal: ending.signal })
  const next = async (): Promise<string> => {
    const wanted = lines.next()
    let found: IteratorResult<ServerLogLine, void> | undefined
    void wanted.then(each => { found = each }, () => undefined)
    for (let i = 0; !found && i < 50; i++) {
      await clock.pass(1_000)
      await clock.yield()
    }
    return (await wanted).value!.message
  }
  expect(await next()).toBe('first')
  state.recent.add(json('second'))
  expect(await next()).toBe('second')
  for (let i = 0; i < 20; i++) state.recent.add(json(`many ${i}`))
  expect(await next()).toMatch(/^1\d lines are missing here/)
  const kept = state.recent.read(0, 10_000).lines.length
  for (let i = 20 - kept; i < 20; i++) expect(await next()).toBe(`many ${i}`)
  state.refuse = new GristmillError('UNAVAILABLE', 'it restarts')
  state.recent = new RecentLines(400)
  state.recent.add(json('again'))
  expect(await next()).toBe('again')
  state.refuse = new GristmillError('UNAUTHENTICATED', 'the token has expired')
  state.recent.add(json('last'))
  expect(await next()).toBe('last')
  expect(state.tokens).toBe(3)
  ending.abort()
  await expect(lines.next()).rejects.toMatchObject({ code: 'ABORTED' })
})

test('a line is one line of text, whatever it holds', () => {
  const fields = { name: 'x', pid: 1, path: '/a\nb' }
  const text = logLineText({ time, level: 'warn', message: 'a\nb\u001b[2J', fields })
  expect(text).toMatch(/^2026-01-01T00:00:00.000Z WARN {2}a\S+b\S*\[2J path="\/a\\nb"$/)
})
