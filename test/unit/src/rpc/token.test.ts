// Block tokens on a fixed clock: each allows one mode on one block or job until its expiry, and hourly keys roll.

import { expect, test } from 'vitest'
import { blockId, jobId } from '../../../../src/base/ids.ts'
import type { Clock } from '../../../../src/ports/clock.ts'
import { BlockTokens } from '../../../../src/rpc/token.ts'

const secret = Buffer.from('0123456789abcdef0123456789abcdef')
const minute = 60_000
const hour = 60 * minute
const start = 497_222 * hour

function tokens(key: Uint8Array = secret): { tokens: BlockTokens; clock: { time: number } } {
  const clock = { time: start, now() { return this.time } }
  return { tokens: new BlockTokens({ secret: key, clock: clock as unknown as Clock }), clock }
}

const read = { mode: 'read', block: blockId(77) } as const
const refusal = expect.objectContaining({ code: 'UNAUTHENTICATED' }) as Error

test('a token allows exactly its mode on its block', () => {
  const { tokens: issuer } = tokens()
  const token = issuer.issue(read)
  tokens().tokens.check(token, read)
  expect(() => issuer.check(token, { mode: 'write', block: blockId(77) })).toThrow(refusal)
  expect(() => issuer.check(token, { mode: 'read', block: blockId(78) })).toThrow(refusal)
  expect(() => issuer.check(token, { mode: 'shuffle', job: jobId('77') })).toThrow(refusal)
  const shuffle = issuer.issue({ mode: 'shuffle', job: jobId('j1') })
  issuer.check(shuffle, { mode: 'shuffle', job: jobId('j1') })
  expect(() => issuer.check(shuffle, { mode: 'shuffle', job: jobId('j2') })).toThrow(refusal)
})

test('a token with any character changed, cut or added is refused', () => {
  const { tokens: issuer } = tokens()
  const token = issuer.issue(read)
  for (let i = 0; i < token.length; i++) {
    for (const other of ['0', '1', 'z', '.']) {
      if (token[i] !== other) expect(() => issuer.check(token.slice(0, i) + other + token.slice(i + 1), read)).toThrow(refusal)
    }
    expect(() => issuer.check(token.slice(0, i), read)).toThrow(refusal)
  }
  expect(() => issuer.check(`${token}0`, read)).toThrow(refusal)
  expect(() => issuer.check(`0${token}`, read)).toThrow(refusal)
})

test('a token of another cluster is refused', () => {
  expect(() => tokens(Buffer.from('another')).tokens.check(tokens().tokens.issue(read), read)).toThrow(refusal)
})

test('while the secret is changed, tokens of both are valid, and new ones are of the first', () => {
  const clock = { now: () => start }
  const [old, fresh] = [Buffer.alloc(32, 1), Buffer.alloc(32, 2)]
  const changing = new BlockTokens({ secret: fresh, otherSecret: old, clock })
  changing.check(new BlockTokens({ secret: old, clock }).issue(read), read)
  changing.check(new BlockTokens({ secret: fresh, clock }).issue(read), read)
  new BlockTokens({ secret: fresh, clock }).check(changing.issue(read), read)
  expect(() => changing.check(new BlockTokens({ secret: Buffer.alloc(32, 3), clock }).issue(read), read)).toThrow(refusal)
  expect(() => new BlockTokens({ secret: fresh, clock }).check(new BlockTokens({ secret: old, clock }).issue(read), read)).toThrow(refusal)
})

test('a token lasts as long as it says, and a minute more for clocks that differ', () => {
  const { tokens: issuer, clock } = tokens()
  const token = issuer.issue(read, 10 * minute)
  clock.time += 11 * minute
  issuer.check(token, read)
  clock.time += 1
  expect(() => issuer.check(token, read)).toThrow(/expired/)
})

test('keys roll every hour: those of the hours before and after are good, older ones are not, whatever the expiry says', () => {
  const { tokens: issuer, clock } = tokens()
  clock.time = start + hour - 1
  const token = issuer.issue(read, 10 * hour)
  for (const [at, good] of [
    [start + hour, true], [start + 2 * hour - 1, true], [start + 2 * hour, false], [start + 5 * hour, false],
  ] as const) {
    const { tokens: checker, clock: there } = tokens()
    there.time = at
    if (good) checker.check(token, read)
    else expect(() => checker.check(token, read)).toThrow(/no longer in use/)
  }
  // A checker whose clock is behind the issuer's hour.
  const { tokens: checker, clock: behind } = tokens()
  behind.time = start - 1
  checker.check(token, read)
  behind.time = start - hour - 1
  expect(() => checker.check(token, read)).toThrow(refusal)
})

test('an issuer that lives long keeps issuing good tokens', () => {
  const { tokens: issuer, clock } = tokens()
  for (let i = 0; i < 50; i++) {
    clock.time += hour
    issuer.check(issuer.issue(read), read)
  }
})
