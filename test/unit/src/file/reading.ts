// Fake datanodes for a reader, without connections: each wire taken from a node follows the next of the node's acts.

import type { Received } from '../../../../src/block/channel.ts'
import { GristmillError } from '../../../../src/base/errors.ts'
import { address, clusterId, nodeId, type Address, type BlockId } from '../../../../src/base/ids.ts'
import { BlockReader, type BlockPlaces, type BlockReadOptions, type ReadTools } from '../../../../src/file/block.ts'
import { SuspectNodes } from '../../../../src/file/suspectnodes.ts'
import type { Proof } from '../../../../src/file/replica.ts'
import type { FrameBuffer } from '../../../../src/block/frame.ts'
import type { Disk } from '../../../../src/ports/disk.ts'
import { silent } from '../../../../src/ports/log.ts'
import type { NodePlace } from '../../../../src/protocol/fields.ts'
import { localDisk } from '../../../../src/world/disk.ts'
import { ManualClock } from '../../../kit/manual-clock.ts'

const frameBytes = 4 * 65_536

export interface Act {
  /** The wire is available when this settles; an error: the connection fails. */
  readonly opens?: Promise<void> | Error | undefined
  /** True for a wire that has been used before. */
  readonly used?: boolean
  /** Number of frames that arrive; then `instead` in place of the rest. */
  readonly frames?: number
  readonly instead?: 'closes' | 'is silent' | Received | Error
  /** Changes a frame on its way. */
  readonly spoil?: (frame: FrameBuffer, i: number) => void
  /** Replaces the end, after the last frame. */
  readonly end?: Received | Error | 'is silent'
}

export interface Asked { readonly node: string; readonly offset: number; readonly length: number; readonly fresh: boolean }

/** Runs everything that is ready. */
export async function turns(): Promise<void> { for (let i = 0; i < 5; i++) await new Promise(resolve => { setImmediate(resolve) }) }

export class Reading {
  readonly clock = new ManualClock()
  readonly suspectNodes = new SuspectNodes(this.clock)
  readonly bytes: Buffer
  readonly asked: Asked[] = []
  readonly requests: Array<Record<string, unknown>> = []
  readonly reported: Array<{ block: BlockId; address: Address; proof: Proof }> = []
  /** Nodes whose wire was returned, and nodes whose wire was destroyed. */
  readonly given: string[] = []
  readonly destroyed: string[] = []
  readonly local: string[] = []
  readonly acts = new Map<string, Act[]>()
  readonly tools: ReadTools
  places: BlockPlaces
  /** Reply of a datanode on this host about its files. */
  files: { data: string; meta: string } | Error = new GristmillError('UNAVAILABLE', 'no')

  constructor(
    bytes: Buffer, nodes: readonly string[],
    { id, crc = 0, host = 'client', disk = localDisk }: { id: BlockId; crc?: number; host?: string; disk?: Disk },
  ) {
    this.bytes = bytes
    this.places = { id, length: bytes.length, crc, token: 't', nodes: nodes.map(node => this.place(node)) }
    this.tools = {
      clock: this.clock, random: { float: () => 1 } as never, disk, log: silent, suspectNodes: this.suspectNodes,
      cluster: clusterId('c'), host, progressMs: undefined,
      caller: {
        call: async (to: string) => {
          this.local.push(to.split(':')[0]!)
          if (this.files instanceof Error) throw this.files
          return this.files
        },
      } as never,
      wires: {
        take: (to: Address, options: { fresh?: boolean }) => this.#take(to.split(':')[0]!, options.fresh === true),
        give: ({ address: to }: { address: string }) => {
          this.given.push(to.split(':')[0]!)
        },
      } as never,
      reportBad: (block, to, proof) => {
        this.reported.push({ block, address: to, proof })
      },
    }
  }

  place(node: string): NodePlace { return { node: nodeId(node), address: address(`${node}:1`), rack: '/r', host: `host-${node}` } }
  act(node: string, ...acts: Act[]): this { this.acts.set(node, acts); return this }
  reader(options: Partial<BlockReadOptions> = {}): BlockReader {
    return new BlockReader(this.tools, this.places, { start: 0, end: this.bytes.length, ...options })
  }

  async #take(node: string, fresh: boolean): Promise<unknown> {
    const acts = this.acts.get(node) ?? [{}]
    const act = acts.length > 1 ? acts.shift()! : acts[0]!
    let range = { offset: 0, length: 0 }
    let sent = 0
    let over = false
    const silence = Promise.withResolvers<never>()
    const channel = {
      wire: { destroy: () => { this.destroyed.push(node); silence.reject(new GristmillError('UNAVAILABLE', 'destroyed')) } },
      request: async (request: { offset: number; length: number }) => {
        range = request
        this.requests.push(request as never)
        this.asked.push({ node, offset: request.offset, length: request.length, fresh })
      },
      receive: async (into: FrameBuffer): Promise<Received | undefined> => {
        const at = range.offset + sent * frameBytes
        if (over || at >= range.offset + range.length)
          return this.#say(over ? 'closes' : (act.end ?? { kind: 'end', value: { length: range.length, crc: 0 } }), silence.promise)
        if (act.frames !== undefined && sent >= act.frames) return this.#say(act.instead ?? 'closes', silence.promise)
        const payload = this.bytes.subarray(at, Math.min(at + frameBytes, range.offset + range.length))
        into.room.set(payload)
        into.seal(at, payload.length)
        act.spoil?.(into, sent++)
        if (!act.spoil) sent++
        return { kind: 'data' }
      },
    }
    silence.promise.catch(() => {})
    if (act.opens instanceof Error) {
      this.asked.push({ node, offset: -1, length: -1, fresh })
      throw act.opens
    }
    if (act.opens) {
      this.asked.push({ node, offset: -1, length: -1, fresh })
      await act.opens
    }
    return { address: address(`${node}:1`), channel, used: act.used === true }
  }

  async #say(what: NonNullable<Act['instead']>, silence: Promise<never>): Promise<Received | undefined> {
    if (what === 'closes') return undefined
    if (what === 'is silent') return silence
    if (what instanceof Error) throw what
    return what
  }
}

export async function readAll(reader: BlockReader): Promise<Buffer> {
  const pieces: Buffer[] = []
  for (let piece = await reader.next(); piece; piece = await reader.next()) pieces.push(Buffer.from(piece))
  reader.close()
  return Buffer.concat(pieces)
}
