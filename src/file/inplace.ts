// Finds a replica on this machine for a reader that opens files by their paths, and checks first the bytes that it will read.

import { FrameBuffer } from '../block/frame.ts'
import { hasCode } from '../base/errors.ts'
import type { BlockPlaces, BlockReadOptions, ReadTools } from './block.ts'
import { Damaged, openInPlace } from './replica.ts'

export interface LocalOptions {
  readonly onRead?: BlockReadOptions['onRead']
  readonly pause?: (() => Promise<void> | undefined) | undefined
  /** Bytes that the reader reads, in their order, without overlaps. Default: all. */
  readonly ranges?: ReadonlyArray<{ readonly start: number; readonly end: number }> | undefined
}

/** undefined: no replica of this machine can be opened, or it is damaged, which is reported. The caller reads another one. */
export async function localReplica(
  tools: ReadTools, { id, length, crc, token, nodes }: BlockPlaces, { onRead, pause, ranges }: LocalOptions,
): Promise<string | undefined> {
  const place = nodes.find(({ host, node }) => host === tools.host && !tools.suspectNodes.has(node))
  if (!place) return undefined
  try {
    const target = { cluster: tools.cluster, id, length, crc, token }
    const replica = await openInPlace(tools, place, target, ranges ?? [{ start: 0, end: length }])
    if (!replica) return undefined
    try {
      const frame = new FrameBuffer()
      for (let count = await replica.next(frame); count > 0; count = await replica.next(frame)) {
        onRead?.(count, place, true)
        await pause?.()
      }
      return replica.file
    } finally {
      replica.close()
    }
  } catch (error) {
    if (error instanceof Damaged) tools.reportBad(id, place.address, error.proof)
    else if (!hasCode(error, 'BLOCK_MISSING', 'UNAVAILABLE', 'TIMEOUT')) throw error
    return undefined
  }
}
