// Delegation tokens behind the routes and on a namenode's state in memory: who may issue, renew, cancel and use them, when they end, and
// that the journal has no secret.

import { expect, test } from 'vitest'
import { addUser, removeUser } from '../../../../namenode/users/mutations.ts'
import { issueToken } from '../../../../namenode/users/tokenmutations.ts'
import { decodeToken, tokenDigest } from '../../../../client/service/delegationtoken.ts'
import { systemUser } from '../../../../src/base/ids.ts'
import { limits } from '../../../../src/base/limits.ts'
import * as protocol from '../../../../src/protocol/token.ts'
import { as, openBench, replayed } from '../kit.ts'
import { tokenDoors } from './tokenkit.ts'

const day = 24 * 3600 * 1000
const digest = tokenDigest(Buffer.from('secret'))

const denied = { code: 'EACCES' }
const absent = { code: 'ENOENT' }

test('a token is valid for a day, and as long as its renewer puts that off, for a week', async () => {
  const bench = await openBench()
  const { of, isValid, sweep } = tokenDoors(bench)
  const startMs = bench.clock.now()
  const { token, untilMs, maxMs } = await of('ada').issue({ renewer: 'yarn' })
  expect([untilMs - startMs, maxMs - startMs]).toEqual([day, 7 * day])
  expect(await isValid(token)).toEqual({ untilMs })
  for (let days = 1; days <= 7; days++) {
    bench.clock.pass(day - 1000)
    expect(await of('yarn').renew(token)).toBe(Math.min(maxMs, bench.clock.now() + day))
  }
  bench.clock.pass(maxMs - bench.clock.now())
  await expect(isValid(token)).rejects.toMatchObject({ ...absent, message: expect.stringContaining('is expired') })
  await expect(of('yarn').renew(token)).rejects.toMatchObject(absent)
  await expect(of('ada').cancel(token)).rejects.toMatchObject(absent)
  const { token: other } = await of('ada').issue()
  await sweep()
  expect([...bench.journal.view.range('tokens', {})]).toHaveLength(1)
  expect(await isValid(other)).toBeTruthy()
  await replayed(bench)
})

test('a token that was not renewed ends after a day, and no renewal brings it back', async () => {
  const bench = await openBench()
  const { of, isValid, sweep } = tokenDoors(bench)
  const { token } = await of('ada').issue({ renewer: 'yarn' })
  bench.clock.pass(day - 1)
  await isValid(token)
  bench.clock.pass(1)
  await expect(isValid(token)).rejects.toMatchObject(absent)
  await expect(of('yarn').renew(token)).rejects.toMatchObject(absent)
  await sweep()
  await expect(of('yarn').renew(token)).rejects.toMatchObject({ ...absent, message: expect.stringContaining("can't be found") })
})

test('the renewer renews, owner, renewer and superuser cancel, and others may do neither', async () => {
  const bench = await openBench()
  const { of, isValid } = tokenDoors(bench)
  const { token } = await of('ada').issue({ renewer: 'yarn' })
  for (const user of ['ada', 'max', 'grace']) await expect(of(user).renew(token)).rejects.toMatchObject(denied)
  await expect(of('max').cancel(token)).rejects.toMatchObject(denied)
  for (const user of ['ada', 'yarn', 'grace']) {
    const { token: mine } = await of('ada').issue({ renewer: 'yarn' })
    await of(user).cancel(mine)
    await expect(isValid(mine)).rejects.toMatchObject(absent)
    await expect(of(user).cancel(mine)).rejects.toMatchObject(absent)
  }
  // Whether a token is valid is for gateways.
  for (const user of ['ada', 'max']) await expect(isValid(token, user)).rejects.toMatchObject(denied)
  expect(await of('ada').issue({ renewer: 'ada' }).then(({ token: own }) => of('ada').renew(own))).toBeGreaterThan(0)
})

test('no part of a token can be changed, and journal and store have no secret', async () => {
  const bench = await openBench()
  const { of, isValid, call } = tokenDoors(bench)
  const { token } = await of('ada').issue({ renewer: 'yarn', realUser: 'proxy' })
  const { token: other } = await of('ada').issue({ renewer: 'yarn', realUser: 'proxy' })
  const shown = decodeToken(token)
  await isValid(token)
  for (const change of [{ owner: 'grace' }, { number: shown.number + 1 }, { renewer: 'max' }, { realUser: '' }, { issuedMs: 1 },
    { maxMs: shown.maxMs + 1 }, { digest }, { digest: decodeToken(other).digest }]) {
    const changed = { ...shown, ...change }
    await expect(call(protocol.find, { token: changed }, systemUser), JSON.stringify(change)).rejects.toMatchObject(absent)
    await expect(call(protocol.renew, { token: changed }, changed.renewer), JSON.stringify(change)).rejects.toMatchObject(absent)
    await expect(call(protocol.cancel, { token: changed }, 'grace'), JSON.stringify(change)).rejects.toMatchObject(absent)
  }
  const kept = [...bench.journal.view.range('tokens', {})].map(({ value }) => value.toString('latin1')).join('')
  expect(kept).toContain(shown.digest)
  const bytes = Buffer.from(token, 'base64url')
  // The secret stands in front of the kind and its length.
  const end = bytes.indexOf('WEBHDFS') - 1
  const secret = bytes.subarray(end - 20, end)
  expect(tokenDigest(secret)).toBe(shown.digest)
  expect(kept).not.toContain(secret.toString('latin1'))
  await isValid(token)
})

test('a token names users that there can be; a user has a bounded number of them, which end with the user', async () => {
  const bench = await openBench()
  const { of, isValid } = tokenDoors(bench)
  for (const renewer of ['', ' yarn', 'y\u0007']) await expect(of('ada').issue({ renewer })).rejects.toMatchObject({ code: 'EINVAL' })
  const times = { maxMs: bench.clock.now() + day, untilMs: bench.clock.now() + day, digest, renewer: 'yarn' }
  await bench.do(addUser, { name: 'ada' })
  const { token: near } = await of('ada2').issue()
  await Promise.all(Array.from({ length: limits.userTokensMax }, () => bench.do(issueToken, { ...times, ...as('ada') })))
  await expect(of('ada').issue()).rejects.toMatchObject({ code: 'EINVAL', message: expect.stringContaining('cancel') })
  await of('ad').issue()
  await bench.do(removeUser, { name: 'ada' })
  expect([...bench.journal.view.range('tokens', {})]).toHaveLength(2)
  await isValid(near)
  // A number is not given out again.
  expect(decodeToken((await of('ada').issue()).token).number).toBe(limits.userTokensMax + 3)
  await replayed(bench)
})

test('a sweep goes through all tokens, in pages', async () => {
  const bench = await openBench()
  const { sweep } = tokenDoors(bench)
  const nowMs = bench.clock.now()
  for (let user = 0; user < 3; user++)
    await Promise.all(Array.from({ length: 200 }, (_, i) => bench.do(issueToken, {
      renewer: 'yarn', digest, maxMs: nowMs + 9, untilMs: nowMs + (i % 2 === 0 ? 5 : 9), ...as(`u${user}`),
    })))
  bench.clock.pass(6)
  await sweep()
  expect([...bench.journal.view.range('tokens', {})]).toHaveLength(300)
  bench.clock.pass(6)
  await sweep()
  expect([...bench.journal.view.range('tokens', {})]).toEqual([])
})
