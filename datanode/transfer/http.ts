// Block access over plain HTTP, for curl and other programs: GET (with Range) and PUT at /v1/block/<16 hex digits>. A request is
// authorised like a call of the cluster or by the block's token, as on a wire: `Authorization: Bearer <token>`. A write always needs the
// token. Plain HTTP clients do not verify checksums, so the datanode verifies before it sends: damaged bytes are never sent.

import { Readable } from 'node:stream'
import { ChunkTable } from '../../src/block/checksum.ts'
import { FrameBuffer } from '../../src/block/frame.ts'
import { GristmillError } from '../../src/base/errors.ts'
import { blockName, parseBlockName, type BlockId } from '../../src/base/ids.ts'
import { limits } from '../../src/base/limits.ts'
import type { Clock } from '../../src/ports/clock.ts'
import type { RpcServer } from '../../src/rpc/serve.ts'
import type { BlockTokens } from '../../src/rpc/token.ts'
import type { Incoming } from '../store/incoming.ts'
import type { OpenBlock } from '../store/reader.ts'
import type { BlockStore } from '../store/store.ts'

const { chunkBytes, framePayloadBytesMax } = limits

export interface BlockRoutesOptions {
  readonly store: BlockStore
  readonly tokens: BlockTokens
  readonly mayWrite: () => void
  readonly steadySince: (ms: number) => void
  readonly clock: Clock
}

type Request = Parameters<RpcServer['guard']>[0]
type Reply = Parameters<RpcServer['guard']>[1]

export function addBlockRoutes(server: RpcServer, options: BlockRoutesOptions): void {
  void server.http.register(async scope => {
    // For every content type the body is the block's bytes, streamed and not buffered.
    scope.addContentTypeParser('*', (_request, body, done) => { done(null, body) })
    const url = '/v1/block/:block'
    const get = (request: Request, reply: Reply): Promise<unknown> => sendBlock(request, reply, options)
    scope.route({ method: ['GET', 'HEAD'], url, exposeHeadRoute: false, onRequest: authorise(server, options, 'read'), handler: get })
    scope.put(url, { onRequest: authorise(server, options, 'write') }, (request, reply) => receiveBlock(request, reply, options))
  })
}

/** Accepts the block's token; for reads also the credentials of a call of the cluster. */
function authorise({ guard, known }: RpcServer, { tokens }: BlockRoutesOptions, mode: 'read' | 'write'): RpcServer['guard'] {
  return (request, reply, done) => {
    const token = /^Bearer ([0-9a-z]+\.[0-9a-z]+\.[0-9a-f]+)$/.exec(request.headers.authorization ?? '')?.[1]
    if (!token && mode === 'read') return guard(request, reply, done)
    try {
      if (!token)
        throw new GristmillError(
          'UNAUTHENTICATED',
          'a block is written with the token that was issued for it: Authorization: Bearer <token>',
        )
      tokens.check(token, { mode, block: blockOf(request) })
      if (request.raw.socket) known.add(request.raw.socket)
    } catch (error) {
      return done(error as Error)
    }
    done()
  }
}

async function sendBlock(request: Request, reply: Reply, { store }: BlockRoutesOptions): Promise<unknown> {
  const block = await store.open(blockOf(request))
  const { length, crc } = block.meta
  const range = rangeOf(request.headers.range, length)
  void reply.header('accept-ranges', 'bytes').header('content-type', 'application/octet-stream')
  void reply.header('etag', `"${crc.toString(16).padStart(8, '0')}"`)
  if (!range) {
    await block.close()
    return reply.code(416).header('content-range', `bytes */${length}`).send()
  }
  const { start, end, partial } = range
  if (partial) void reply.code(206).header('content-range', `bytes ${start}-${end - 1}/${length}`)
  void reply.header('content-length', end - start)
  if (request.method === 'HEAD') {
    await block.close()
    return reply.send('')
  }
  return reply.send(Readable.from(bytesOf(store, block, { start, end }), { objectMode: false, highWaterMark: framePayloadBytesMax }))
}

async function receiveBlock(request: Request, reply: Reply, { store, clock, mayWrite, steadySince }: BlockRoutesOptions): Promise<unknown> {
  mayWrite()
  const startedMs = clock.mono()
  const id = blockOf(request)
  const announced = Number(request.headers['content-length'] ?? limits.blockBytesMax)
  if (announced > limits.blockBytesMax) throw new GristmillError('TOO_LARGE', `a block has at most ${limits.blockBytesMax} bytes`)
  const incoming = await store.receive(id, announced)
  try {
    const table = await writeAll((request.body ?? []) as AsyncIterable<Buffer>, incoming, announced)
    if (table.bytes === 0) throw new GristmillError('EINVAL', 'a block has at least one byte; an empty file has no blocks')
    await incoming.seal(table)
    steadySince(startedMs)
    return await reply.code(201).send({ block: blockName(id), length: table.bytes, crc: table.crc })
  } finally {
    await incoming.abort()
  }
}

/** Writes a body frame by frame; returns its checksums. */
async function writeAll(body: AsyncIterable<Buffer>, incoming: Incoming, announced: number): Promise<ChunkTable> {
  const table = new ChunkTable(announced)
  const frame = new FrameBuffer()
  let filled = 0
  const flush = (): void => {
    frame.seal(table.bytes, filled)
    frame.addTo(table)
    incoming.write(frame.payload)
    filled = 0
  }
  for await (const piece of body) {
    for (let at = 0; at < piece.length;) {
      const count = piece.copy(frame.room, filled, at)
      at += count
      filled += count
      if (filled === frame.room.length) flush()
    }
  }
  if (filled > 0) flush()
  return table
}

function blockOf(request: Request): BlockId {
  const { block } = request.params as { block: string }
  const id = parseBlockName(block)
  if (id === undefined || id > Number.MAX_SAFE_INTEGER)
    throw new GristmillError('EINVAL', `"${block.slice(0, 40)}" is not a block; write its id in 16 hex digits`)
  return id
}

/** [start, end) of a Range header; the whole block for a missing or unsupported header; undefined if the range is not satisfiable. */
function rangeOf(header: string | undefined, length: number): { start: number; end: number; partial: boolean } | undefined {
  const match = /^bytes=(\d{0,15})-(\d{0,15})$/.exec(header ?? '')
  if (!match || (match[1] === '' && match[2] === '')) return { start: 0, end: length, partial: false }
  const [, first = '', last = ''] = match
  const start = first === '' ? Math.max(0, length - Number(last)) : Number(first)
  const end = first === '' || last === '' ? length : Math.min(length, Number(last) + 1)
  return start >= length || start >= end ? undefined : { start, end, partial: true }
}

async function* bytesOf(
  store: BlockStore, block: OpenBlock, { start, end }: { start: number; end: number },
): AsyncGenerator<Buffer, void, void> {
  const { meta, data } = block
  try {
    for (let at = start - (start % chunkBytes); at < end; at += framePayloadBytesMax) {
      const length = Math.min(framePayloadBytesMax, meta.length - at, Math.ceil((end - at) / chunkBytes) * chunkBytes)
      const frame = new FrameBuffer(length)
      const found = await data.read(frame.room, at)
      frame.seal(at, length, meta.crcs.subarray(at / chunkBytes, Math.ceil((at + length) / chunkBytes)))
      if (found < length || frame.damagedChunk() >= 0) {
        const damage = new GristmillError('CORRUPT', `block ${blockName(meta.id)} is damaged between its bytes ${at} and ${at + length}`)
        await store.damaged(meta.id, damage)
        throw damage
      }
      yield frame.payload.subarray(Math.max(0, start - at), Math.min(length, end - at))
    }
  } finally {
    await block.close()
  }
}
