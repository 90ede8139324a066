// Frames of the transfer protocol: the documented bytes, round trips at every length, and detection of every flipped bit.

import { expect, test } from 'vitest'
import { checkTable, decodeJson, encodeJson, FrameBuffer, frameHeaderBytes, frameTypes, readHeader } from '../../../../src/block/frame.ts'
import { ChunkTable, crcOf } from '../../../../src/block/checksum.ts'
import { exampleOf, noise } from './kit.ts'

/** Receives a frame as a receiver does. */
function receive(bytes: Buffer): FrameBuffer {
  const into = new FrameBuffer()
  const header = bytes.subarray(0, frameHeaderBytes)
  bytes.copy(into.expect(header, readHeader(header)), 0, frameHeaderBytes)
  into.checkTable()
  return into
}

function sealed(length: number, offset = 0): FrameBuffer {
  const frame = new FrameBuffer()
  noise(length, length).copy(frame.room)
  frame.seal(offset, length)
  return frame
}

test('the example in docs/format/frame.md is what the code writes', () => {
  const frame = new FrameBuffer()
  frame.room.write('grain\n')
  frame.seal(65_536, 6)
  expect(frame.frame.toString('hex')).toBe(exampleOf('frame.md').toString('hex'))
})

test('a frame arrives as it was sent, at every length', () => {
  for (const length of [1, 65_535, 65_536, 65_537, 200_000, 262_144]) {
    const sent = sealed(length, 3 * 65_536)
    const got = receive(Buffer.from(sent.frame))
    expect(got.offset).toBe(3 * 65_536)
    expect(got.payload.equals(noise(length, length))).toBe(true)
    expect(got.damagedChunk()).toBe(-1)
    expect(got.frame.equals(sent.frame)).toBe(true)
    const table = new ChunkTable()
    got.addTo(table)
    expect(table.crc).toBe(crcOf(noise(length, length)))
  }
})

test('a buffer can be used for a shorter frame after a longer one', () => {
  const frame = sealed(262_144)
  const sent = sealed(70_000)
  const header = sent.frame.subarray(0, frameHeaderBytes)
  sent.frame.copy(frame.expect(header, readHeader(header)), 0, frameHeaderBytes)
  frame.checkTable()
  expect(frame.damagedChunk()).toBe(-1)
  expect(frame.frame.equals(sent.frame)).toBe(true)
})

test('every flipped bit of header and table is noticed, and every one of the payload in its chunk', () => {
  const clean = Buffer.from(sealed(65_536 + 20).frame)
  for (let bit = 0; bit < (frameHeaderBytes + 8) * 8; bit++) {
    const bytes = Buffer.from(clean)
    bytes[bit >> 3]! ^= 1 << (bit & 7)
    expect(() => receive(bytes), `bit ${bit}`).toThrow()
  }
  for (const [at, chunk] of [[0, 0], [65_535, 0], [65_536, 1], [65_555, 1]] as const) {
    const bytes = Buffer.from(clean)
    bytes[frameHeaderBytes + 8 + at]! ^= 0x10
    expect(receive(bytes).damagedChunk(), `payload byte ${at}`).toBe(chunk)
  }
})

test('checksums that are known already are taken as they are', () => {
  const frame = new FrameBuffer()
  frame.room.write('grain')
  frame.seal(0, 5, Uint32Array.of(123))
  expect(frame.crc(0)).toBe(123)
  expect(frame.damagedChunk()).toBe(0)
})

test('JSON frames carry their checksum too, also over many chunks', () => {
  const value = { op: 'written', text: 'ü'.repeat(100_000) }
  const bytes = encodeJson(frameTypes.reply, value)
  const header = readHeader(bytes)
  const table = bytes.subarray(frameHeaderBytes, frameHeaderBytes + header.tableBytes)
  const text = bytes.subarray(frameHeaderBytes + header.tableBytes)
  checkTable(bytes.subarray(0, frameHeaderBytes), table)
  expect(decodeJson(table, text)).toEqual(value)
  text[150_000]! ^= 1
  expect(() => decodeJson(table, text)).toThrow('damaged')
})

test('a message that fits no frame is refused before it is sent', () => {
  expect(() => encodeJson(frameTypes.request, 'x'.repeat(5 * 1024 * 1024))).toThrow(expect.objectContaining({ code: 'TOO_LARGE' }))
})

test('a header that claims more than a frame may hold is refused before anything is allocated', () => {
  const bytes = Buffer.from(sealed(10).frame)
  bytes.writeUInt32LE(262_145, 8)
  expect(() => readHeader(bytes)).toThrow(expect.objectContaining({ code: 'CORRUPT' }))
})

test('headers that no sender makes are refused in words', () => {
  const clean = Buffer.from(sealed(70_000).frame)
  const header = (change: (bytes: Buffer) => void): Buffer => {
    const bytes = Buffer.from(clean.subarray(0, frameHeaderBytes))
    change(bytes)
    return bytes
  }
  for (const type of [0, 5, 255]) expect(() => readHeader(header(bytes => bytes.writeUInt8(type, 4)))).toThrow(`it has the type ${type}`)
  expect(() =>
    readHeader(
      header(bytes => {
        bytes.writeUInt32LE(262_145, 8)
        bytes.writeUInt16LE(20, 6)
      }),
    ),
  ).toThrow('it claims 262145 bytes of payload')
  expect(() => readHeader(header(bytes => bytes.writeUInt16LE(12, 6)))).toThrow('its table does not fit its payload')
  const expects = (bytes: Buffer, into = new FrameBuffer()): unknown => into.expect(bytes, readHeader(bytes))
  expect(() => expects(header(() => {}), new FrameBuffer(0))).toThrow('a frame of 70000 bytes came where at most 0 were agreed')
  expect(() => expects(header(bytes => bytes.writeUIntLE(65_537, 16, 6)))).toThrow('does not start at a chunk')
  expect(() => expects(header(bytes => { bytes.writeUInt32LE(0, 8); bytes.writeUInt16LE(0, 6) }))).toThrow('it holds nothing')
})
