// Record batches beside those that the package @platformatic/kafka makes of the same records, byte for byte.

import { compressionsAlgorithms, createRecordsBatch } from '@platformatic/kafka'
import { expect, test } from 'vitest'
import { recordBatch } from '../../../../src/world/recordbatch.ts'

type Content = readonly [key: string | null, value: string]

const lengths = [0, 1, 62, 63, 64, 65, 127, 128, 8190, 8191, 8192, 20_000, 1_048_575, 1_048_576]
const cases: ReadonlyArray<readonly [string, readonly Content[]]> = [
  ['one record', [['ada', '{"points":1}']]],
  ['records without a key, with an empty key and with an empty value', [[null, 'x'], ['', 'y'], ['z', '']]],
  ['lengths around the bounds of their numbers', lengths.map(length => ['k'.repeat(length % 1000), 'v'.repeat(length)] as const)],
  ['many records', Array.from({ length: 20_000 }, (_, i) => [i % 3 === 0 ? null : `key ${i}`, `value ${i}`] as const)],
]

const compressions = ['none', 'gzip', 'snappy', 'lz4', 'zstd'] as const

const all = cases.flatMap(([title, contents]) => compressions.map(name => [title, name, contents] as const))

test.each(all)('a batch of %s (%s) has the bytes that the package makes of it', (_, name, contents) => {
  const records = contents.map(([key, value]) => ({ key: key === null ? null : Buffer.from(key), value: Buffer.from(value) }))
  const timestampMs = 1_764_000_000_123
  const { bitmask, compressSync } = compressionsAlgorithms[name]
  const compression = { bits: bitmask, compress: (bytes: Uint8Array) => compressSync(Buffer.from(bytes)) }
  const head = { producerId: 2n ** 40n + 7n, producerEpoch: 300, sequence: 2 ** 31 - 5, timestampMs }
  const found = recordBatch(records, head, name === 'none' ? undefined : compression)
  const expected = createRecordsBatch(
    records.map(record => ({ ...record, topic: 't', partition: 1, timestamp: BigInt(timestampMs) })) as never,
    {
      producerId: 2n ** 40n + 7n, producerEpoch: 300, transactionalId: 'id', partitionLeaderEpoch: 0, compression: name,
      sequences: { getWithDefault: () => 2 ** 31 - 5 } as never,
    },
  )
  expect(found.equals(expected.buffer)).toBe(true)
})
