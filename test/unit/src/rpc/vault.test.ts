// Sealed secrets of users: they open with the cluster's secret and under their own name only, and have the form of docs/format/metadata.md.

import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { expect, test } from 'vitest'
import { Vault } from '../../../../src/rpc/vault.ts'
import { seeded } from '../../../../src/world/random.ts'

const vault = new Vault({ secret: Buffer.alloc(32) }, seeded(1))
const corrupt = expect.objectContaining({ code: 'CORRUPT', message: expect.stringContaining('make a new one') }) as Error

test('a sealed secret opens under its name, and two seals of it differ', () => {
  const sealed = vault.seal('wheat-and-rye', 'GMA')
  expect(vault.open(sealed, 'GMA')).toBe('wheat-and-rye')
  expect(sealed).not.toContain(Buffer.from('wheat').toString('base64url'))
  expect(vault.seal('wheat-and-rye', 'GMA')).not.toBe(sealed)
})

test('a sealed secret opens under no other name, with no other secret, and with no bit changed', () => {
  const sealed = vault.seal('wheat-and-rye', 'GMA')
  expect(() => vault.open(sealed, 'GMB')).toThrow(corrupt)
  expect(() => new Vault({ secret: Buffer.alloc(32, 1) }, seeded(1)).open(sealed, 'GMA')).toThrow(corrupt)
  const bytes = Buffer.from(sealed.slice(3), 'base64url')
  for (let bit = 0; bit < bytes.length * 8; bit++) {
    const changed = Buffer.from(bytes)
    changed[bit >> 3]! ^= 1 << (bit & 7)
    expect(() => vault.open(`v1.${changed.toString('base64url')}`, 'GMA'), `bit ${bit}`).toThrow(corrupt)
  }
  for (const odd of ['', 'v1.', `v2.${sealed.slice(3)}`, sealed.slice(0, 20)]) expect(() => vault.open(odd, 'GMA')).toThrow(corrupt)
})

test('with two secrets, what either has sealed opens; new seals, and seals made anew, are of the first', () => {
  const [old, fresh] = [Buffer.alloc(32), Buffer.alloc(32, 1)]
  const changing = new Vault({ secret: fresh, otherSecret: old }, seeded(2))
  const after = new Vault({ secret: fresh }, seeded(3))
  const sealed = vault.seal('wheat-and-rye', 'GMA')
  expect(changing.open(sealed, 'GMA')).toBe('wheat-and-rye')
  expect(() => changing.open(sealed, 'GMB')).toThrow(corrupt)
  expect(after.open(changing.seal('oats', 'GMA'), 'GMA')).toBe('oats')
  const anew = changing.reseal(sealed, 'GMA')!
  expect(after.open(anew, 'GMA')).toBe('wheat-and-rye')
  expect(changing.reseal(anew, 'GMA')).toBeUndefined()
  expect(() => changing.reseal(new Vault({ secret: Buffer.alloc(32, 2) }, seeded(4)).seal('x', 'GMA'), 'GMA')).toThrow(corrupt)
})

test('the sealed secret of the page of formats opens', () => {
  const page = readFileSync(join(import.meta.dirname, '../../../../docs/format/metadata.md'), 'utf8')
  const example = /^ {4}(v1\.\S+)$/m.exec(page)![1]!
  expect(vault.open(example, 'GMA')).toBe('wheat-and-rye')
  const ones = { bytes: (count: number) => new Uint8Array(count).fill(1) } as never
  expect(new Vault({ secret: Buffer.alloc(32) }, ones).seal('wheat-and-rye', 'GMA')).toBe(example)
})
