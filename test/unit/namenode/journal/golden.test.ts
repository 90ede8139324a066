// Bytes of the formats as in their documents: released formats stay readable.

import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { crc32c } from '@node-rs/crc32'
import { expect, test } from 'vitest'
import { createTable } from '../../../../namenode/catalog/mutations.ts'
import { checkRow, decodeValue, encodeValue, seal, unseal } from '../../../../namenode/journal/codec.ts'
import { copyCounters, counterNames, decodeCounters, emptyCounters, encodeCounters } from '../../../../namenode/journal/counters.ts'
import { decodeHeader, encodeFrame, encodeHeader, frameAt } from '../../../../namenode/journal/journalframe.ts'
import { Draft } from '../../../../namenode/journal/draft.ts'
import { childKey, idKey, pairKey, tables } from '../../../../namenode/journal/keys.ts'
import {
  decodeEntry, decodeSize, encodeEntry, isInlined, keepPlaced, keepStatus, recallPlaced, recallStatus, statusOf, type NameEntry,
} from '../../../../namenode/namespace/entry.ts'
import { decodeContent, putContent } from '../../../../namenode/namespace/content.ts'
import { Memo } from '../../../../namenode/journal/view.ts'
import { encodeSnapshot, snapshotNamed, topOf } from '../../../../namenode/snapshots/rows.ts'
import { ownerOfKey, putToken } from '../../../../namenode/users/tokenrows.ts'
import type { VersionRecord } from '../../../../namenode/versions/rows.ts'
import { inodeId, jobId } from '../../../../src/base/ids.ts'
import { as, openBench } from '../kit.ts'

const page = (name: string): string => readFileSync(join(import.meta.dirname, `../../../../docs/format/${name}.md`), 'utf8')
/** The indented blocks of hex digits on a page, in order. */
const examples = (name: string): Buffer[] =>
  [...page(name).matchAll(/(?:^ {4}[0-9a-f]{2}(?: [0-9a-f]{2})*\n)+/gm)].map(match => Buffer.from(match[0].replaceAll(/\s/g, ''), 'hex'))

const [header, frame] = examples('journal') as [Buffer, Buffer]
const [key, value, inlinedValue, contentRow, listedValue, snapshotKey, snapshotRow, versionRow, tableRow, tokenRowKey, tokenRow] =
  examples('metadata') as [Buffer, Buffer, Buffer, Buffer, Buffer, Buffer, Buffer, Buffer, Buffer, Buffer, Buffer]

const ada: NameEntry = {
  id: inodeId(7), directory: false, mode: 0o644, owner: 'ada', group: 'ada', mtimeMs: 1_700_000_000_000, replication: 3,
  blockBytes: 134_217_728, format: 'lines', length: 300, blocks: 1,
}

test('a segment\'s header and a frame are the bytes of their page', () => {
  expect(encodeHeader(1)).toEqual(header)
  expect(decodeHeader(header)).toBe(1)
  expect(
    encodeFrame({
      seq: 3, epoch: 1, timeMs: 1_700_000_000_000,
      operations: ['["namespace.mkdir",{"path":"/a","nowMs":1700000000000,"user":"ada","root":false}]'],
    }),
  ).toEqual(frame)
  const found = frameAt(frame, 0)
  expect(found.kind === 'frame' && found.parse()).toEqual({
    seq: 3, epoch: 1, timeMs: 1_700_000_000_000,
    operations: [['namespace.mkdir', { path: '/a', nowMs: 1_700_000_000_000, user: 'ada', root: false }]],
  })
})

test('no bit of a header or a frame can change unseen', () => {
  for (let bit = 0; bit < header.length * 8; bit++) {
    const changed = Buffer.from(header)
    changed[bit >> 3]! ^= 1 << (bit & 7)
    expect(decodeHeader(changed), `bit ${bit} of the header`).toBeUndefined()
  }
  for (let bit = 0; bit < frame.length * 8; bit++) {
    const changed = Buffer.from(frame)
    changed[bit >> 3]! ^= 1 << (bit & 7)
    expect(frameAt(changed, 0).kind, `bit ${bit} of the frame`).toBe('broken')
  }
  for (let length = 1; length < frame.length; length++) expect(frameAt(frame.subarray(0, length), 0).kind).toBe('broken')
})

test('the checksum of a row is CRC32C whatever its length, and however its key and value are cut', () => {
  const bytes = Buffer.from(Array.from({ length: 300 }, (_, i) => (i * 167 + (i >> 3)) & 255))
  for (let length = 0; length < 300; length++) {
    const wanted = crc32c(bytes.subarray(0, length))
    for (const cut of [0, 1, 2, 3, 4, 7, 8, 12, length].filter(at => at <= length)) {
      const sealed = seal(bytes.subarray(0, cut), bytes.subarray(cut, length))
      expect(sealed.readUInt32LE(length - cut), `${cut} of ${length}`).toBe(wanted)
      const row = Buffer.concat([bytes.subarray(0, 3), bytes.subarray(0, cut), sealed])
      checkRow('children', row, 3, 3 + cut, row.length)
      row[3 + length]! ^= 1
      expect(() => checkRow('children', row, 3, 3 + cut, row.length)).toThrow()
    }
  }
})

test('an entry and its key are the bytes of their page, and no bit of them can change unseen', () => {
  expect(childKey(1, 'a.txt')).toEqual(key)
  expect(seal(key, encodeEntry(ada))).toEqual(value)
  expect(decodeEntry(unseal('children', key, value))).toEqual(ada)
  for (let bit = 0; bit < value.length * 8; bit++) {
    const changed = Buffer.from(value)
    changed[bit >> 3]! ^= 1 << (bit & 7)
    expect(() => unseal('children', key, changed)).toThrow(expect.objectContaining({ code: 'CORRUPT' }))
  }
  // A right value in the wrong place is refused too.
  expect(() => unseal('children', childKey(1, 'b.txt'), value)).toThrow(expect.objectContaining({ code: 'CORRUPT' }))
})

test('an inlined file has an entry of version 3, and its bytes in a row of their own, as on their page', () => {
  const inlined = { ...ada, length: 5, blocks: 0 }
  expect(seal(key, encodeEntry(inlined))).toEqual(inlinedValue)
  expect(decodeEntry(unseal('children', key, inlinedValue))).toEqual(inlined)
  // What a version that knows no entries of version 6 does with one: an inlined file never passes for an empty one.
  const later = encodeEntry(inlined)
  later[0] = later[0]! & 0x0f | 6 << 4
  for (const decode of [decodeEntry, decodeSize]) expect(() => decode(later)).toThrow('an entry of version 6')
  const text = Buffer.from('rye\n\n')
  const draft = new Draft({ get: () => undefined, range: () => [], counters: emptyCounters(), memo: new Memo() })
  putContent(draft, inlined.id, { data: text.toString('base64'), crc: crc32c(text) })
  expect(draft.edits).toEqual([{ table: 'contents', key: idKey(7), value: unseal('contents', idKey(7), contentRow) }])
  expect(decodeContent(unseal('contents', idKey(7), contentRow))).toEqual({ crc: crc32c(text), bytes: text })
})

test('an entry with a list has version 4, as on its page', () => {
  const acl = [{ scope: 'access', type: 'user', name: 'bob', perm: 6 }, { scope: 'access', type: 'group', perm: 4 }] as const
  const listed: NameEntry = { ...ada, mode: 0o664, acl }
  expect(seal(key, encodeEntry(listed))).toEqual(listedValue)
  expect(decodeEntry(unseal('children', key, listedValue))).toEqual(listed)
})

test('the row of a snapshot is the one of its page, and a row of version 1 shows the directory of now', () => {
  const directory: NameEntry = {
    ...ada, directory: true, mode: 0o755, replication: 0, blockBytes: 0, format: 'bytes', length: 0, blocks: 0,
  }
  const taken = { name: 'monday', createdMs: 1_700_000_000_000, owner: 'ada' }
  expect([pairKey(7, 9), encodeSnapshot({ ...taken, entry: directory })]).toEqual([snapshotKey, snapshotRow])
  const former = Buffer.from('01 00 68 e5 cf 8b 01 03 61 64 61 06 6d 6f 6e 64 61 79'.replaceAll(' ', ''), 'hex')
  expect(encodeSnapshot(taken)).toEqual(former)
  const now = { ...directory, mode: 0o700, owner: 'eve', mtimeMs: 5 }
  const rows = (value: Buffer) =>
    ({ get: () => undefined, range: () => [{ key: snapshotKey, value }], counters: emptyCounters(), memo: new Memo() })
  const read = (value: Buffer) => snapshotNamed(rows(value), ada.id, 'monday')!
  expect(read(snapshotRow)).toMatchObject({ ...taken, directory: 7, seq: 9 })
  expect(topOf(read(snapshotRow), now)).toEqual(directory)
  expect(topOf(read(former), now)).toEqual({ ...now, mtimeMs: taken.createdMs })
  const later = Buffer.concat([Buffer.from([3]), former.subarray(1)])
  expect(() => read(later)).toThrow('a snapshot of version 3')
})

test('the record of a version is the bytes of its page', () => {
  const record = {
    numbers: [{ number: 1, madeMs: 1_700_000_000_000, user: 'ada', replacedMs: 9 }], made: { job: jobId('job-1'), rows: 2 },
  } satisfies VersionRecord
  expect(encodeValue(record)).toEqual(versionRow)
  expect(decodeValue(versionRow)).toEqual(record)
})

test('the row of a table is the one of its page', async () => {
  const bench = await openBench()
  await bench.do(createTable, {
    table: { name: 'Grain', kind: 'table', columns: [{ name: 'day', type: 'DATE' }], path: '/g' }, replace: false,
    nowMs: 1_700_000_000_000, ...as('ada'),
  })
  expect(bench.journal.view.get('tables', Buffer.from('grain'))).toEqual(tableRow)
})

test('the row of a delegation token is the one of its page', () => {
  const draft = new Draft({ get: () => undefined, range: () => [], counters: emptyCounters(), memo: new Memo() })
  const row = {
    renewer: 'yarn', issuedMs: 1_700_000_000_000, maxMs: 1_700_604_800_000, untilMs: 1_700_086_400_000, digest: 'A'.repeat(43),
  }
  putToken(draft, { owner: 'ada', number: 300 }, row)
  expect(draft.edits).toEqual([{ table: 'tokens', key: tokenRowKey, value: tokenRow }])
  expect([decodeValue(tokenRow), ownerOfKey(tokenRowKey)]).toEqual([row, { owner: 'ada', number: 300 }])
})

test('a short value and a long one have the same kind of checksum', () => {
  for (const length of [0, 1, 100, 118, 119, 500]) {
    const long = Buffer.alloc(length, 3)
    const sealed = seal(key, long)
    expect(sealed.readUInt32LE(length)).toBe(crc32c(long, crc32c(key)))
    expect(unseal('meta', key, sealed)).toEqual(long)
  }
})

test('entries of every kind come back as they were', () => {
  for (const change of [
    { directory: true, replication: 0, blockBytes: 0, length: 0, blocks: 0, format: 'bytes' },
    { format: 'csv', length: 2 ** 52, blocks: 1_000_000, blockBytes: 4096 },
    { format: 'csv', delimiter: ';', length: 5, blocks: 1, blockBytes: 4096 },
    { format: 'csv', delimiter: '\t', length: 5, blocks: 300, blockBytes: 4096 },
    { owner: 'ä'.repeat(100), group: 'x'.repeat(255), mode: 0o1777 },
    { length: 5, blocks: 0 },
    { acl: [{ scope: 'default', type: 'mask', perm: 7 }, { scope: 'default', type: 'user', name: 'ä', perm: 0 }] },
    { length: 5, blocks: 0, acl: [{ scope: 'access', type: 'group', perm: 1 }] },
    {
      directory: true, replication: 0, blockBytes: 0, length: 0, blocks: 0, format: 'bytes',
      acl: [{ scope: 'access', type: 'group', perm: 5 }],
    },
    { format: 'csv', delimiter: ';', length: 5, blocks: 0 },
    { format: 'csv', header: false, length: 5, blocks: 1, blockBytes: 4096 },
    { format: 'csv', delimiter: '\t', header: true, length: 5, blocks: 0 },
    { format: 'csv', delimiter: ';', header: false, length: 5, blocks: 0, acl: [{ scope: 'access', type: 'group', perm: 1 }] },
    { mtimeMs: 0, id: inodeId(2 ** 48 - 1), length: 0, blocks: 0, format: 'jsonl' },
  ] as Array<Partial<NameEntry>>) {
    const entry = { ...ada, ...change }
    expect(decodeEntry(encodeEntry(entry))).toEqual(entry)
    const { id, directory, length, replication } = entry
    expect(decodeSize(encodeEntry(entry))).toEqual({ id, directory, length, replication })
    // An entry without what has been added has its former bytes; each addition has the next version number.
    const { header, acl, delimiter } = entry
    expect(encodeEntry(entry)[0]! >> 4)
      .toBe(header !== undefined ? 5 : acl ? 4 : isInlined(entry) ? 3 : delimiter === undefined ? 1 : 2)
    expect(decodeEntry(encodeEntry(entry, 77))).toEqual(entry)
    const status = statusOf('/ö/b', entry)
    expect(recallStatus(Buffer.from(keepStatus(status)), { path: '/ö/b' })).toEqual(status)
    expect(recallPlaced(Buffer.from(keepPlaced(status)))).toEqual(status)
  }
})

test('counters are kept by their place, copied whole, and new ones start at 0', () => {
  const counters = emptyCounters()
  for (const [i, name] of counterNames.entries()) counters[name] = i + 1
  const copy = emptyCounters()
  copyCounters(counters, copy)
  expect(copy).toEqual(counters)
  expect(decodeCounters(encodeCounters(counters))).toEqual(counters)
  expect(decodeCounters(encodeCounters(counters).subarray(0, 16))).toEqual({ ...emptyCounters(), appliedSeq: 1, epoch: 2 })
})

test('every table of the store is on its page', () => {
  const text = page('metadata')
  for (const table of tables) expect(text.includes(`\`${table}\``), table).toBe(true)
})
