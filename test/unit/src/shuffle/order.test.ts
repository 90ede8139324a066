// Sort of emitted records by partition, key and emission, compared with a plain sort on difficult keys.

import { describe, expect, test } from 'vitest'
import { fourBytes, sortRecords } from '../../../../src/shuffle/order.ts'
import { dice, type Dice } from '../../../kit/dice.ts'

/** Difficult keys: few distinct, long common prefixes, zeros at the end, one a prefix of the other. */
const makers: Record<string, (random: Dice) => Buffer> = {
  'random bytes': random => Buffer.from(Array.from({ length: random.below(12) }, () => random.below(256))),
  'few distinct keys': random => Buffer.from(`k${random.below(3)}`),
  'one key': () => Buffer.from('same'),
  'empty and zeros': random => Buffer.alloc(random.below(10)),
  'a long common beginning': random => Buffer.from(`https://example.org/a/very/long/path/${random.below(500)}`),
  'zeros after a beginning': random =>
    Buffer.concat([Buffer.from(random.pick(['a', 'ab', ''])), Buffer.alloc(random.below(9)), Buffer.from(random.pick(['', '', 'z']))]),
  'two values of a byte': random => Buffer.from(Array.from({ length: 20 + random.below(3) }, () => random.below(2) * 255)),
}

describe('sorting records', () => {
  test.each(Object.keys(makers))('%s: by partition, key and emission', name => {
    const random = dice(name.length)
    // Runs of 1024 and more are sorted in another way than shorter ones.
    const sizes: ReadonlyArray<[number, number]> = [[0, 1], [1, 3], [2, 1], [12, 1], [13, 1], [100, 40], [3000, 1], [3000, 2], [3000, 40]]
    for (const [count, partitionCount] of sizes) {
      const keys = Array.from({ length: count }, () => makers[name]!(random))
      const places = new Uint32Array(count * 2)
      const partitions = Uint32Array.from(keys, () => random.below(partitionCount))
      let at = 0
      keys.forEach((key, i) => { places[i * 2] = at; at += key.length; places[i * 2 + 1] = at })
      const { order, bounds } = sortRecords({ count, bytes: Buffer.concat(keys), places, partitions }, partitionCount)
      const expected = keys.map((_, i) => i).sort((a, b) => partitions[a]! - partitions[b]! || Buffer.compare(keys[a]!, keys[b]!) || a - b)
      expect([...order]).toEqual(expected)
      // The same keys behind one byte that all of them have, once with what the sort may know of them.
      const tagged = Buffer.concat(keys.flatMap(key => [Buffer.from([5]), key]))
      const further = places.map((place, i) => place + Math.ceil(i / 2))
      const prefixes = Uint32Array.from(keys, (_, i) => fourBytes(tagged, further[i * 2]! + 1, further[i * 2 + 1]!))
      for (const known of [undefined, prefixes]) {
        const { order } = sortRecords({ count, bytes: tagged, places: further, partitions, prefixes: known }, partitionCount)
        expect([...order]).toEqual(expected)
      }
      for (let p = 0; p < partitionCount; p++)
        expect([...order.subarray(bounds[p], bounds[p + 1])].every(i => partitions[i] === p)).toBe(true)
    }
  })
})
