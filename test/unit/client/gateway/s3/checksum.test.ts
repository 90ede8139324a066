// Checksums of S3 against their published check values, and combined ones against the checksum of the whole.

import { createHash } from 'node:crypto'
import { expect, test } from 'vitest'
import { canCombine, checkForm, checksumKinds, combined, composite, newChecksum,
  type ChecksumKind } from '../../../../../client/gateway/s3/checksum.ts'
import { seeded } from '../../../../../src/world/random.ts'

const sumOf = (kind: ChecksumKind, ...pieces: readonly Uint8Array[]): string => {
  const sum = newChecksum(kind)
  for (const piece of pieces) sum.update(piece)
  return sum.digest()
}

test.each([
  ['CRC32', 'cbf43926'], ['CRC32C', 'e3069283'], ['CRC64NVME', 'ae8b14860a799888'],
  ['SHA1', createHash('sha1').update('123456789').digest('hex')],
  ['SHA256', createHash('sha256').update('123456789').digest('hex')],
] as const)('%s of 123456789 is its check value', (kind, hex) => {
  const value = sumOf(kind, Buffer.from('123456789'))
  expect(Buffer.from(value, 'base64').toString('hex')).toBe(hex)
  expect(checkForm(kind, value)).toBe(value)
  expect(() => checkForm(kind, value.slice(1))).toThrow(expect.objectContaining({ name3: 'InvalidRequest' }))
})

test('pieces of any size give the checksum of the whole, and parts are combined to it', () => {
  const random = seeded(5)
  const bytes = Buffer.from(random.bytes(5000))
  for (const kind of checksumKinds) {
    const whole = sumOf(kind, bytes)
    for (let i = 0; i < 20; i++) {
      const cuts = Array.from({ length: random.below(6) }, () => random.below(bytes.length)).sort((a, b) => a - b)
      const pieces = [0, ...cuts].map((from, k) => bytes.subarray(from, cuts[k] ?? bytes.length))
      expect(sumOf(kind, ...pieces), kind).toBe(whole)
      if (canCombine(kind)) expect(combined(kind, pieces.map(piece => ({ checksum: sumOf(kind, piece), bytes: piece.length }))),
        kind).toBe(whole)
    }
  }
  expect(checksumKinds.filter(canCombine)).toEqual(['CRC32', 'CRC32C', 'CRC64NVME'])
})

test('a composite checksum is that of the parts\' checksums, with their number', () => {
  const parts = [sumOf('SHA256', Buffer.from('a')), sumOf('SHA256', Buffer.from('b'))]
  const wanted = createHash('sha256').update(Buffer.concat(parts.map(part => Buffer.from(part, 'base64')))).digest('base64')
  expect(composite('SHA256', parts)).toBe(`${wanted}-2`)
})
