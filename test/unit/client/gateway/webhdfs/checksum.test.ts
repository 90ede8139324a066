// Checksums of files as HDFS makes them, against those that a real HDFS 3.4.2 has computed.

import { expect, test } from 'vitest'
import { ChecksumOfBlocks, type HadoopChecksum } from '../../../../../client/gateway/webhdfs/checksum.ts'

function checksum(blockBytes: number, bytes: Buffer, pieceBytes = bytes.length || 1): HadoopChecksum {
  const sum = new ChecksumOfBlocks(blockBytes)
  for (let at = 0; at < bytes.length; at += pieceBytes) sum.add(bytes.subarray(at, at + pieceBytes))
  return sum.end()
}

test.each([
  ['four blocks', 1024, Buffer.alloc(4000), 'MD5-of-2MD5-of-512CRC32C', '00000200000000000000000218d23bc5385cb34669c9be5c42b06d9400000000'],
  ['one block', 1024, Buffer.from('hello world\n'), 'MD5-of-0MD5-of-512CRC32C',
    '000002000000000000000000cb719ad85249ddab138233798a828f2300000000'],
  ['no block', 134_217_728, Buffer.alloc(0), 'MD5-of-0MD5-of-0CRC32', '00000000000000000000000070bc8f4b72a86921468bf8e8441dce5100000000'],
])('the checksum of %s is that of HDFS', (_, blockBytes, bytes, algorithm, hex) => {
  expect(checksum(blockBytes, bytes)).toEqual({ algorithm, bytes: hex, length: 28 })
})

test('it depends on bytes and block size, and not on the pieces in which the bytes come', () => {
  const bytes = Buffer.from(Array.from({ length: 5000 }, (_, i) => (i * 7) & 255))
  for (const piece of [1, 7, 511, 512, 513, 1024, 5000]) expect(checksum(1536, bytes, piece)).toEqual(checksum(1536, bytes))
  expect(checksum(1024, bytes).bytes).not.toBe(checksum(1536, bytes).bytes)
})
