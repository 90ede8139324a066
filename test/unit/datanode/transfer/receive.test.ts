// One member of a pipeline over a real block store; the test controls the next member and the disk. A block that is stored is reported,
// whatever happened downstream.

import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, expect, test } from 'vitest'
import { Receiving } from '../../../../datanode/transfer/receive.ts'
import { Channel, type Received } from '../../../../src/block/channel.ts'
import { crcOf } from '../../../../src/block/checksum.ts'
import type { FrameBuffer } from '../../../../src/block/frame.ts'
import { FramePool } from '../../../../src/block/ring.ts'
import { address, blockId, clusterId, nodeId } from '../../../../src/base/ids.ts'
import { silent } from '../../../../src/ports/log.ts'
import type { Wire } from '../../../../src/ports/net.ts'
import { noise } from '../../src/block/kit.ts'
import { openStore, spoiltDisk } from '../store/storekit.ts'

const dir = mkdtempSync(join(tmpdir(), 'gristmill-unit-'))
afterAll(() => rmSync(dir, { recursive: true, force: true }))

/** A connection that accepts the request, and then moves nothing, until the test destroys it. */
class StuckWire implements Wire {
  readonly remote = 'second:1'
  readonly closed = new Promise<void>(() => {})
  #waiting: Array<(error: Error) => void> = []
  #asked = false
  /** Number of pending reads and writes. */
  get waiting(): number { return this.#waiting.length }
  read(): Promise<boolean> { return this.#wait() }
  write(): Promise<void> {
    if (this.#asked) return this.#wait()
    this.#asked = true
    return Promise.resolve()
  }
  end(): Promise<void> { return Promise.resolve() }
  setProgressTimeout(): void {}
  destroy(error = new Error('gone')): void { for (const reject of this.#waiting.splice(0)) reject(error) }
  #wait<T>(): Promise<T> { return new Promise((_, reject) => { this.#waiting.push(reject) }) }
}

test('a member whose disk is slow to sync while its downstream member is lost has the block, and reports it', async () => {
  const bytes = noise(10_000)
  const syncing = Promise.withResolvers<void>()
  const synced = Promise.withResolvers<void>()
  const spoilt = spoiltDisk({})
  const { store, added } = await openStore([join(dir, 'disk')], { disk: { ...spoilt, async create(path, options) {
    const writer = await spoilt.create(path, options)
    return {
      get bytes() {
        return writer.bytes
      },
      writeSync: part => writer.writeSync(part), syncSync: () => writer.syncSync(), close: () => writer.close(),
      async sync() {
        syncing.resolve()
        await synced.promise
        await writer.sync()
      },
    }
  } } })
  const wire = new StuckWire()
  const sent: Array<(frame: FrameBuffer) => Received> = [
    frame => {
      frame.room.set(bytes)
      frame.seal(0, bytes.length)
      return { kind: 'data' }
    },
    () => ({ kind: 'end', value: { length: bytes.length, crc: crcOf(bytes) } }),
  ]
  const [first, second, third] = ['first', 'second', 'third'].map(name => ({
    node: nodeId(name), address: address(`${name}:1`), rack: '/r', host: name,
  }))
  const receiving = new Receiving({
    node: first!.node, store, pool: new FramePool(), log: silent, progressMs: 1_000, onBytes() {},
    wires: { take: async () => ({ address: second!.address, channel: new Channel(wire), used: false }), give() {} } as never,
  }, { op: 'write', cluster: clusterId('c'), block: blockId(1), bytesMax: 65_536, token: '', pipeline: [second!, third!] })
  const written = receiving.run({ receive: async (frame: FrameBuffer) => sent.shift()!(frame) } as never)
  await syncing.promise
  // The frame, the end and the answer all wait when the connection breaks.
  expect(wire.waiting).toBe(3)
  wire.destroy()
  await new Promise<void>(resolve => { setImmediate(resolve) })
  synced.resolve()
  const { nodes, failed } = await written
  expect(nodes).toEqual([first!.node])
  expect(failed.map(({ node }) => node)).toEqual([second!.node, third!.node])
  expect(added.map(({ id }) => id)).toEqual([1])
})

test('a sender that disconnects aborts the connection to downstream members', async () => {
  const { store } = await openStore([join(dir, 'gone')])
  const [first, second, third] = ['first', 'second', 'third'].map(name => ({
    node: nodeId(name), address: address(`${name}:1`), rack: '/r', host: name,
  }))
  const asked: string[] = []
  const sender = new AbortController()
  const looking = Promise.withResolvers<void>()
  const receiving = new Receiving({
    node: first!.node, store, pool: new FramePool(), log: silent, progressMs: 1_000, onBytes() {},
    // No reply, as from a machine that is switched off.
    wires: { give() {}, take: (to: string, { signal }: { signal?: AbortSignal }) => new Promise((_, reject) => {
      asked.push(to)
      signal?.addEventListener('abort', () => reject(signal.reason as Error))
      looking.resolve()
    }) } as never,
  }, { op: 'write', cluster: clusterId('c'), block: blockId(2), bytesMax: 65_536, token: '', pipeline: [second!, third!] })
  const run = receiving.run({ receive: async () => undefined } as never, sender.signal)
  await looking.promise
  sender.abort(new Error('gone'))
  await expect(run).rejects.toMatchObject({ code: 'UNAVAILABLE', message: expect.stringContaining('has disconnected') as string })
  expect(asked).toEqual(['second:1'])
  expect(store.blocks).toBe(0)
})
