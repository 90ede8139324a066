// Access keys while the cluster's secret is changed: sealed with the new one, page by page; what opens with neither secret stays.

import { expect, test } from 'vitest'
import { addKey, addUser, sealKeys } from '../../../../namenode/users/mutations.ts'
import { resealing, sealingWith } from '../../../../namenode/users/resealing.ts'
import { accessKeyAt } from '../../../../namenode/users/rows.ts'
import { silent } from '../../../../src/ports/log.ts'
import { Vault } from '../../../../src/rpc/vault.ts'
import { seeded } from '../../../../src/world/random.ts'
import { ask, openBench, replayed, root } from '../kit.ts'

const [old, fresh, third] = [1, 2, 3].map(byte => Buffer.alloc(32, byte)) as [Buffer, Buffer, Buffer]

test('keys of more than one page are sealed with the new secret, once', async () => {
  const bench = await openBench()
  const { journal, clock } = bench
  const before = new Vault({ secret: old }, seeded(1))
  const count = 1203
  for (let i = 0; i < count; i++) {
    const [name, id] = [`u${Math.floor(i / 5)}`, `K${i}`]
    if (i % 5 === 0) await journal.submit(addUser, { ...ask(), name, nowMs: 7, ...root })
    const sealed = i === 600 ? new Vault({ secret: third }, seeded(2)).seal('lost', id) : before.seal(`secret of ${id}`, id)
    await journal.submit(addKey, { ...ask(), name, id, sealed, nowMs: i, ...root })
  }
  const lost = accessKeyAt(journal.view, 'K600')
  let frozen = true
  const chore = resealing({
    journal, clock, log: silent, frozen: () => frozen, vault: new Vault({ secret: fresh, otherSecret: old }, seeded(3)),
  })
  await chore.work()
  expect(before.open(accessKeyAt(journal.view, 'K0')!.sealed, 'K0')).toBe('secret of K0')
  frozen = false
  await chore.work()
  const after = new Vault({ secret: fresh }, seeded(4))
  for (let i = 0; i < count; i++) {
    const { sealed, ...rest } = accessKeyAt(journal.view, `K${i}`)!
    expect(rest).toEqual({ user: `u${Math.floor(i / 5)}`, createdMs: i })
    if (i !== 600) expect(after.open(sealed, `K${i}`)).toBe(`secret of K${i}`)
  }
  expect(accessKeyAt(journal.view, 'K600')).toEqual(lost)
  const once = accessKeyAt(journal.view, 'K1')
  await chore.work()
  // Each seal has another nonce.
  expect(accessKeyAt(journal.view, 'K1')).toEqual(once)
  await replayed(bench)
})

test('a key that arrives sealed with the old secret is kept sealed with the new one', () => {
  const sealing = sealingWith(new Vault({ secret: fresh, otherSecret: old }, seeded(1)))
  const after = new Vault({ secret: fresh }, seeded(2))
  expect(after.open(sealing(new Vault({ secret: old }, seeded(3)).seal('late', 'K'), 'K'), 'K')).toBe('late')
  for (const secret of [fresh, third]) {
    const sealed = new Vault({ secret }, seeded(4)).seal('as it is', 'K')
    expect(sealing(sealed, 'K')).toBe(sealed)
  }
})

test('a key that was replaced meanwhile is not sealed over', async () => {
  const { journal } = await openBench()
  await journal.submit(addUser, { ...ask(), name: 'ada', nowMs: 7, ...root })
  await journal.submit(addKey, { ...ask(), name: 'ada', id: 'K', sealed: 'v1.new', nowMs: 7, ...root })
  await journal.submit(sealKeys, { keys: [{ id: 'K', was: 'v1.old', sealed: 'v1.older' }, { id: 'gone', was: 'v1.x', sealed: 'v1.y' }] })
  expect([accessKeyAt(journal.view, 'K')?.sealed, accessKeyAt(journal.view, 'gone')]).toEqual(['v1.new', undefined])
})
