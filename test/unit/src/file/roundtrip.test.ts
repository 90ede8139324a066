// Write and read of files through real datanodes on loopback and a fake namenode: bytes, ranges, checksums and block cuts at record ends
// are right, and aborted writers leave nothing.

import { truncateSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { gzipSync } from 'node:zlib'
import { expect, test } from 'vitest'
import { limits } from '../../../../src/base/limits.ts'
import { crcOf } from '../../../../src/block/checksum.ts'
import { noise } from '../block/kit.ts'
import { collect, Mill, until } from '../../datanode/kit.ts'

test('a file comes back as it was put, whatever its length, from every replica', async () => {
  await using mill = await Mill.start({ blockBytes: 256 * 1024 })
  for (const length of [0, 1, 65_535, 65_536, 65_537, 262_144, 262_145, 1_000_000]) {
    const bytes = noise(length, length + 1)
    const local = join(mill.dir, `local${length}`)
    writeFileSync(local, bytes)
    const status = await mill.client.putFile(local, `/f${length}`)
    expect(status.length).toBe(length)
    expect(status.blocks).toBe(Math.ceil(length / 262_144))
    for (const block of mill.namenode.files.get(`/f${length}`)!.blocks) {
      expect(block.nodes).toHaveLength(3)
      await until('all three have reported the block', () => mill.namenode.holders(block.id).length === 3)
    }
    for (let first = 0; first < 3; first++) {
      mill.namenode.order = nodes => [...nodes.slice(first), ...nodes.slice(0, first)]
      expect((await collect(mill.client.read(`/f${length}`))).equals(bytes), `length ${length} from replica ${first}`).toBe(true)
    }
  }
})

test('bytes written in pieces of any size are read back, and their checksums are those of the bytes', async () => {
  await using mill = await Mill.start({ datanodes: 1, blockBytes: 3 * 1024 * 1024 })
  const bytes = noise(8_000_000)
  const writer = await mill.client.create('/streamed')
  for (let at = 0, size = 1; at < bytes.length; at += size, size = ((size * 7) % 500_000) + 1)
    await writer.write(bytes.subarray(at, at + size))
  expect(writer.bytes).toBe(bytes.length)
  const status = await writer.close()
  expect(status.length).toBe(bytes.length)
  const { blocks } = mill.namenode.files.get('/streamed')!
  expect(blocks.map(({ length }) => length)).toEqual([3_145_728, 3_145_728, 8_000_000 - 2 * 3_145_728])
  let at = 0
  for (const { length, crc } of blocks) expect(crc).toBe(crcOf(bytes.subarray(at, at += length)))
  expect((await collect(mill.client.read('/streamed'))).equals(bytes)).toBe(true)
})

test('ranges give exactly their bytes, across chunks and blocks, and nothing behind the end', async () => {
  await using mill = await Mill.start({ datanodes: 1, blockBytes: 256 * 1024 })
  const bytes = noise(700_000)
  const writer = await mill.client.create('/ranges')
  await writer.write(bytes)
  await writer.close()
  for (const [start, end] of [
    [0, 1], [65_535, 65_537], [262_143, 262_145], [100, 699_999], [699_999, 700_000], [699_999, 900_000], [700_000, 700_001],
    [800_000, 900_000], [5, 5],
  ] as const) {
    expect((await collect(mill.client.read('/ranges', { start, end }))).equals(bytes.subarray(start, end)), `${start} to ${end}`).toBe(true)
    expect(
      (await collect(mill.client.read('/ranges', { start, end, reuse: true }))).equals(bytes.subarray(start, end)),
      `${start} to ${end}, reusing`,
    ).toBe(true)
  }
  await expect(collect(mill.client.read('/ranges', { start: 5, end: 4 }))).rejects.toMatchObject({ code: 'EINVAL' })
})

test.each<[string, () => string]>([
  ['over a wire', () => 'elsewhere'], ['in place', () => 'client'],
])('ranges that begin and end anywhere in blocks of several frames give exactly their bytes, %s', async (_, host) => {
  await using mill = await Mill.start({ datanodes: 1, blockBytes: 1024 * 1024, host })
  const bytes = noise(2_300_000)
  const writer = await mill.client.create('/ranges')
  await writer.write(bytes)
  await writer.close()
  const frame = 262_144
  for (const [start, end] of [
    [1, 2_300_000], [65_535, 600_001], [70_000, 900_000], [frame - 1, 2 * frame + 1], [frame + 1, 3 * frame - 1], [frame, 2 * frame],
    [700_001, 1_500_003], [1_048_575, 1_048_577], [1_048_576 + 65_537, 2_097_152 + 65_537], [0, 1_048_576], [2_299_999, 2_300_000],
  ] as const) {
    for (const reuse of [false, true]) {
      let read = 0
      const places: boolean[] = []
      const found = await collect(
        mill.client.read('/ranges', {
          start, end, reuse,
          onRead: (count, _from, inPlace) => {
            read += count
            places.push(inPlace)
          },
        }),
      )
      expect(found.equals(bytes.subarray(start, end)), `${start} to ${end}`).toBe(true)
      expect([read, new Set(places)]).toEqual([end - start, new Set([host() === 'client'])])
    }
  }
})

test('blocks of text end at line ends, by stream and from a local file alike', async () => {
  await using mill = await Mill.start({ datanodes: 1, blockBytes: 4096 })
  const lines = Array.from({ length: 900 }, (_, i) => `line ${i} ${'x'.repeat(i * 31 % 200)}\n`)
  const text = Buffer.from(lines.join(''))
  writeFileSync(join(mill.dir, 'text'), text)
  const writer = await mill.client.create('/streamed', { format: 'lines' })
  for (let at = 0; at < text.length; at += 1000) await writer.write(text.subarray(at, at + 1000))
  await writer.close()
  await mill.client.putFile(join(mill.dir, 'text'), '/put', { format: 'lines' })
  const [streamed, put] = [mill.namenode.files.get('/streamed')!.blocks, mill.namenode.files.get('/put')!.blocks]
  expect(streamed.map(({ length, crc, aligned }) => ({ length, crc, aligned }))).toEqual(
    put.map(({ length, crc, aligned }) => ({ length, crc, aligned })),
  )
  expect(put.length).toBeGreaterThan(20)
  let at = 0
  for (const { length, aligned } of put) {
    at += length
    expect(aligned).toBe(true)
    expect(text[at - 1]).toBe(10)
  }
  expect((await collect(mill.client.read('/put'))).equals(text)).toBe(true)
})

test('a local file that would have too many blocks is refused before a block is sent, and the path is free again', async () => {
  await using mill = await Mill.start({ datanodes: 1, blockBytes: 4096 })
  const local = join(mill.dir, 'sparse')
  writeFileSync(local, '')
  truncateSync(local, (limits.fileBlocksMax + 1) * 4096)
  await expect(mill.client.putFile(local, '/long')).rejects.toMatchObject({
    code: 'TOO_LARGE',
    message: expect.stringContaining('larger blocks than 4096 bytes'),
  })
  expect(mill.namenode.holders(1 as never)).toEqual([])
  truncateSync(local, 5000)
  expect(await mill.client.putFile(local, '/long')).toMatchObject({ length: 5000, blocks: 2 })
})

test('a local CSV file is cut by the separator of its first rows, or the given one; other files claim no separator', async () => {
  await using mill = await Mill.start({ datanodes: 1, blockBytes: 4096 })
  const text = (delimiter: string, end = '\n') =>
    `id${delimiter}text${end}${Array.from({ length: 300 }, (_, i) => `${i}${delimiter}"two\nlines${delimiter}""${i}"""${end}`).join('')}`
  const put = async (name: string, bytes: Buffer, options: { format: 'csv' | 'lines' | 'jsonl'; delimiter?: string }) => {
    writeFileSync(join(mill.dir, name), bytes)
    await mill.client.putFile(join(mill.dir, name), `/${name}`, { ...options, overwrite: true })
    const { status, blocks } = mill.namenode.files.get(`/${name}`)!
    expect((await collect(mill.client.read(`/${name}`))).equals(bytes)).toBe(true)
    return { status: { format: status.format, delimiter: status.delimiter }, blocks }
  }
  for (const delimiter of [',', ';', '\t', '|']) {
    for (const [name, said] of [['found', {}], ['told', { delimiter }]] as const) {
      const bytes = Buffer.from(text(delimiter))
      const { status, blocks } = await put(`${name}.csv`, bytes, { format: 'csv', ...said })
      expect(status).toEqual({ format: 'csv', delimiter })
      expect(blocks.length).toBeGreaterThan(1)
      let at = 0
      for (const { length, aligned } of blocks) {
        expect([aligned, at === 0 || /^\d+[,;\t|]"two$/.test(bytes.toString('utf8', at).split('\n')[0]!)]).toEqual([true, true])
        at += length
      }
    }
  }
  expect((await put('sep.csv', Buffer.from(`sep=~\n${text('~')}`), { format: 'csv' })).status).toEqual({ format: 'csv', delimiter: '~' })
  expect((await put('words.csv', Buffer.from('a\nb\nc\n'), { format: 'csv' })).status).toEqual({ format: 'csv', delimiter: undefined })
  for (const [name, bytes] of [
    ['x.csv', Buffer.from(text(';', '\r'))], ['y.csv', gzipSync(text(','))],
    ['z.csv', Buffer.from(`\ufeff${text(',')}`, 'utf16le')],
    ['p.csv', Buffer.from('PK\x03\x04')],
  ] as const) {
    expect((await put(name, bytes, { format: 'csv' })).status, name).toEqual({ format: 'bytes', delimiter: undefined })
  }
  expect((await put('log.gz', gzipSync('a\nb\n'), { format: 'lines' })).status.format).toBe('bytes')
  await expect(put('no.csv', Buffer.from(`sep=;\n${text(';')}`), { format: 'csv', delimiter: ',' })).rejects.toMatchObject({
    code: 'EINVAL',
  })
})

test('a record longer than a block is cut, and the blocks that share it say so', async () => {
  await using mill = await Mill.start({ datanodes: 1, blockBytes: 4096 })
  // Three blocks of one line, then short ones; once as lines, once as one quoted CSV field with line ends in it.
  const line = Buffer.from(`${'y'.repeat(10_000)}\n${'short\n'.repeat(1000)}`)
  const row = Buffer.from(`a,"${'q\n'.repeat(5_000)}",b\n${'1,2,3\n'.repeat(1000)}`)
  for (const [name, bytes, format] of [['lines', line, 'lines'], ['csv', row, 'csv']] as const) {
    writeFileSync(join(mill.dir, name), bytes)
    await mill.client.putFile(join(mill.dir, name), `/put-${name}`, { format })
    const writer = await mill.client.create(`/streamed-${name}`, { format })
    await writer.write(bytes)
    await writer.close()
    const put = mill.namenode.files.get(`/put-${name}`)!.blocks
    expect(put.map(({ length, crc, aligned }) => ({ length, crc, aligned }))).toEqual(
      mill.namenode.files.get(`/streamed-${name}`)!.blocks.map(({ length, crc, aligned }) => ({ length, crc, aligned })),
    )
    expect(put.slice(0, 4).map(({ length, aligned }) => ({ full: length === 4096, aligned }))).toEqual([
      { full: true, aligned: false }, { full: true, aligned: false }, { full: false, aligned: false }, { full: false, aligned: true },
    ])
    expect((await collect(mill.client.read(`/put-${name}`))).equals(bytes)).toBe(true)
  }
})

test('a writer that is aborted leaves nothing, and one whose lease is lost is notified', async () => {
  await using mill = await Mill.start({ datanodes: 1, client: { leaseRenewMs: 20 } })
  const aborted = await mill.client.create('/aborted')
  await aborted.write(noise(3_000_000))
  await aborted.abort()
  expect(mill.namenode.files.has('/aborted')).toBe(false)
  expect(mill.namenode.leases.size).toBe(0)
  const lost = await mill.client.create('/lost')
  await lost.write(noise(1000))
  for (const lease of mill.namenode.leases.keys()) mill.namenode.lostLeases.add(lease)
  await until('the lease is gone', () => mill.namenode.leases.size === 0)
  await until('the writer knows', () => lost.close().then(() => false, (error: { code: string }) => error.code === 'LEASE_EXPIRED'))
  expect(mill.namenode.files.has('/lost')).toBe(false)
})

test('an aborted signal ends a read and a write at once', async () => {
  await using mill = await Mill.start({ datanodes: 1, blockBytes: 8 * 1024 * 1024 })
  const writer = await mill.client.create('/file')
  await writer.write(noise(20_000_000))
  await writer.close()
  const reading = new AbortController()
  const pieces = mill.client.read('/file', { signal: reading.signal })
  await pieces.next()
  reading.abort(new Error('enough read'))
  await expect(collect(pieces)).rejects.toThrow('enough read')
  const writing = new AbortController()
  const stopped = await mill.client.create('/stopped', { signal: writing.signal })
  writing.abort(new Error('enough written'))
  await expect(stopped.write(noise(20_000_000)).then(() => stopped.close())).rejects.toThrow('enough written')
  await until('the lease is given back', () => mill.namenode.leases.size === 0)
})

test('a file for which data will certainly be written gets its first block with its lease, any other with its data', async () => {
  await using mill = await Mill.start({ datanodes: 1 })
  const eager = await mill.client.create('/eager', { eager: true })
  expect(mill.namenode.allocated).toHaveLength(1)
  const other = await mill.client.create('/other')
  expect(mill.namenode.allocated).toHaveLength(1)
  await Promise.all([eager.abort(), other.abort()])
})
