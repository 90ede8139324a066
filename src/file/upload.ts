// Uploads one block: allocates it, opens a pipeline, sends. A pipeline that fails completely is replaced by another one with a new
// block id and without the failed nodes, and the block is sent again from its first byte. Replicas of the failed pipeline are
// garbage: no file names their id. Decides which datanodes are not asked for again, and how often a block is tried.

import type { FramePool } from '../block/ring.ts'
import { abortable } from '../base/abort.ts'
import { asError, GristmillError, hasCode } from '../base/errors.ts'
import type { Address, ClusterId, LeaseId, NodeId, RequestId } from '../base/ids.ts'
import { backoffMs } from '../base/backoff.ts'
import { retry } from '../base/retry.ts'
import type { Clock } from '../ports/clock.ts'
import type { Log } from '../ports/log.ts'
import type { Random } from '../ports/random.ts'
import { allocate, type AllocatedBlock, type SealedBlock } from '../protocol/writing.ts'
import type { Caller } from '../rpc/call.ts'
import { Pipe } from './pipe.ts'
import { sendBlock } from './send.ts'
import type { SmallFiles } from './small.ts'
import { GrowingSource, SourceFailed, type BlockSource } from './source.ts'
import type { Wires } from './wires.ts'

/** Shared by all uploads of a process. */
export interface UploadTools {
  readonly caller: Caller
  readonly clock: Clock
  readonly random: Random
  readonly log: Log
  readonly wires: Wires
  readonly pool: FramePool
  readonly small: SmallFiles
  readonly namenode: Address
  readonly cluster: ClusterId
  readonly host: string
  readonly progressMs: number | undefined
  requestId(): RequestId
}

export interface UploadOptions {
  readonly lease: LeaseId
  /** A block allocated before and not used yet. */
  readonly block?: AllocatedBlock | undefined
  readonly signal?: AbortSignal | undefined
  /** Bytes sent to the first datanode; before a block is sent again, called with the negative number of bytes to discount. */
  readonly onSent?: ((bytes: number) => void) | undefined
}

/** Each attempt costs a whole block; six failures in a row are no accident. */
const triesMax = 6
const backoff = { firstMs: 50, maxMs: 2_000 }
/** Wait for the next frame of a block that is sent while it comes: a slower sender holds no datanode. */
const stallMs = 1_000
/** Long enough for a restart of the namenode. */
export const namenodeMs = 60_000
export const namenodeTryMs = 10_000

export async function upload(tools: UploadTools, source: BlockSource, options: UploadOptions): Promise<Omit<SealedBlock, 'aligned'>> {
  const { lease, signal } = options
  const excluded = new Set<NodeId>()
  let block = options.block
  let sent = 0
  let pipe: Pipe | undefined
  let stalled = false
  return retry(async () => {
    sent = 0
    pipe = undefined
    if (stalled && source instanceof GrowingSource) await abortable(wholeOf(source), signal)
    const onSent = options.onSent && ((bytes: number): void => { sent += bytes; options.onSent!(bytes) })
    block ??= await allocateOne(tools, { lease, bytes: source.bytes, excluded, signal })
    pipe = await Pipe.open(
      tools.wires,
      { cluster: tools.cluster, block: block.id, bytesMax: source.bytes, token: block.token, members: block.targets },
      { signal, progressMs: tools.progressMs },
    )
    const { length, crc, nodes } = await sendBlock(pipe, source, {
      pool: tools.pool, signal, onSent, waiting: coming => unlessStalled(tools.clock, coming),
    })
    return { id: block.id, length, crc, nodes: [...nodes] }
  }, {
    clock: tools.clock, signal, pauseMs: attempt => backoffMs(attempt, backoff, tools.random),
    again(error, attempt) {
      if (error instanceof SourceFailed) throw error.cause
      if (sent > 0) options.onSent?.(-sent)
      if (error instanceof SourceStalled) {
        // No node has failed: the block is sent once it has come as a whole.
        stalled = true
        block = undefined
        return true
      }
      const failure = asError(error)
      if (!block || attempt >= triesMax || !mayHelp(failure)) throw failure
      if (!pipe) for (const { node } of block.targets) excluded.add(node)
      // A kept wire may simply have been closed: its node is not excluded at the first attempt.
      else if (!pipe.used || attempt > 1) excluded.add((failure.details.node as NodeId | undefined) ?? pipe.first.node)
      tools.log.warn('a pipeline failed; sending the block again through another one', { error: failure, block: block.id, attempt })
      block = undefined
      return true
    },
  })
}

/** The next bytes of a block that is sent while it comes were not there in time. */
class SourceStalled extends Error {
  override name = 'SourceStalled'
}

function unlessStalled(clock: Clock, coming: Promise<void>): Promise<void> {
  return new Promise((resolve, reject) => {
    const cancel = clock.after(stallMs, () => reject(new SourceStalled(`no bytes of a block came for ${stallMs} ms`)))
    coming.then(() => { cancel(); resolve() }, (error: Error) => { cancel(); reject(error) })
  })
}

/** Waits until the block has come. Throws SourceFailed. */
async function wholeOf(source: GrowingSource): Promise<void> {
  await source.whole.catch((error: unknown) => { throw new SourceFailed('the rest of a block does not come', { cause: error }) })
}

/** False for errors that another block id and other nodes would not change. */
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
    // All nodes have failed once: try them again rather than none.
    if (excluded.size === 0 || !hasCode(error, 'ENOSPC')) throw error
    excluded.clear()
    return ask([])
  }
}
