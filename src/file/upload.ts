// Gets one block into the cluster: allocate, open a pipeline, send. A pipeline that fails altogether is replaced by another one
// under a new block id, without the nodes that failed, and the block is sent again from its first byte. What the failed pipeline
// left on some datanode is garbage of an id that the file never names.

import type { FramePool } from '../block/ring.ts'
import { abortable, throwIfAborted } from '../base/abort.ts'
import { asError, GristmillError, hasCode } from '../base/errors.ts'
import type { Address, ClusterId, LeaseId, NodeId, RequestId } from '../base/ids.ts'
import { backoffMs } from '../base/backoff.ts'
import type { Clock } from '../ports/clock.ts'
import type { Log } from '../ports/log.ts'
import type { Random } from '../ports/random.ts'
import { allocate, type AllocatedBlock, type SealedBlock } from '../protocol/writing.ts'
import type { Caller } from '../rpc/call.ts'
import { Pipe } from './pipe.ts'
import { sendBlock, SourceFailed } from './send.ts'
import type { BlockSource } from './source.ts'
import type { Wires } from './wires.ts'

/** What all uploads of a process share. */
export interface UploadTools {
  readonly caller: Caller
  readonly clock: Clock
  readonly random: Random
  readonly log: Log
  readonly wires: Wires
  readonly pool: FramePool
  readonly namenode: Address
  readonly cluster: ClusterId
  readonly host: string
  readonly progressMs: number | undefined
  requestId(): RequestId
}

export interface UploadOptions {
  readonly lease: LeaseId
  /** Allocated before, not used yet. */
  readonly block?: AllocatedBlock | undefined
  readonly signal?: AbortSignal | undefined
  /** Bytes that left for the first datanode; what is sent again counts again, after a call with what must be taken back. */
  readonly onSent?: ((bytes: number) => void) | undefined
}

/** Each try costs a whole block: what fails six times in a row is not an accident. */
const triesMax = 6
const backoff = { firstMs: 50, maxMs: 2_000 }
/** A namenode that is being restarted is waited for. */
export const namenodeMs = 60_000
export const namenodeTryMs = 10_000

export async function upload(tools: UploadTools, source: BlockSource, options: UploadOptions): Promise<Omit<SealedBlock, 'aligned'>> {
  const { lease, signal } = options
  const excluded = new Set<NodeId>()
  let block = options.block
  for (let attempt = 1; ; attempt++) {
    let sent = 0
    const onSent = options.onSent && ((bytes: number): void => { sent += bytes; options.onSent!(bytes) })
    let pipe: Pipe | undefined
    try {
      block ??= await allocateOne(tools, { lease, bytes: source.bytes, excluded, signal })
      pipe = await Pipe.open(
        tools.wires,
        { cluster: tools.cluster, block: block.id, bytesMax: source.bytes, token: block.token, members: block.targets },
        { signal, progressMs: tools.progressMs },
      )
      const { length, crc, nodes } = await sendBlock(pipe, source, { pool: tools.pool, signal, onSent })
      return { id: block.id, length, crc, nodes: [...nodes] }
    } catch (error) {
      throwIfAborted(signal)
      if (error instanceof SourceFailed) throw error.cause
      if (sent > 0) options.onSent?.(-sent)
      const failure = asError(error)
      if (!block || attempt >= triesMax || !mayHelp(failure)) throw failure
      if (!pipe) for (const { node } of block.targets) excluded.add(node)
      // A wire that had been kept may just have been old.
      else if (!pipe.used || attempt > 1) excluded.add((failure.details.node as NodeId | undefined) ?? pipe.first.node)
      tools.log.warn('a pipeline failed; sending the block again through another one', { error: failure, block: block.id, attempt })
      block = undefined
    }
    await abortable(tools.clock.sleep(backoffMs(attempt, backoff, tools.random), signal), signal)
  }
}

/** Another id and other nodes change nothing about these. */
const mayHelp = (failure: GristmillError): boolean =>
  !hasCode(failure, 'WRONG_CLUSTER', 'LEASE_EXPIRED', 'ABORTED', 'TOO_LARGE', 'EACCES', 'ENOENT', 'EINVAL')

async function allocateOne(
  tools: UploadTools,
  { lease, bytes, excluded, signal }: { lease: LeaseId; bytes: number; excluded: Set<NodeId>; signal: AbortSignal | undefined },
): Promise<AllocatedBlock> {
  const ask = async (exclude: readonly NodeId[]): Promise<AllocatedBlock> => {
    const { blocks } = await tools.caller.call(
      tools.namenode, allocate,
      { requestId: tools.requestId(), lease, count: 1, bytes, exclude: exclude.slice(-1000), host: tools.host },
      { signal, peer: 'namenode', timeoutMs: namenodeMs, tryMs: namenodeTryMs },
    )
    const [block] = blocks
    if (!block || block.targets.length === 0) throw new GristmillError('ENOSPC', 'the namenode found no datanode for a block')
    return block
  }
  try {
    return await ask([...excluded])
  } catch (error) {
    // Everybody has failed once: better one of those again than nobody.
    if (excluded.size === 0 || !hasCode(error, 'ENOSPC')) throw error
    excluded.clear()
    return ask([])
  }
}
