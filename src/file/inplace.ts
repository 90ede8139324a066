// Finds a replica on this machine for a reader that opens files by their paths, and checks every byte of it first.

import { FrameBuffer } from '../block/frame.ts'
import { hasCode } from '../base/errors.ts'
import type { BlockPlaces, BlockReadOptions, ReadTools } from './block.ts'
import { Damaged, openInPlace } from './replica.ts'

interface LocalOptions {
  readonly onRead?: BlockReadOptions['onRead']
  readonly pause?: (() => Promise<void> | undefined) | undefined
}

/** undefined: no replica of this machine can be opened, or it is damaged, which is reported. The caller reads another one. */
export async function localReplica(
  tools: ReadTools, { id, length, crc, token, nodes }: BlockPlaces, { onRead, pause }: LocalOptions,
): Promise<string | undefined> {
  const place = nodes.find(({ host, node }) => host === tools.host && !tools.suspectNodes.has(node))
  if (!place) return undefined
  try {
    const replica = await openInPlace(tools, place, { cluster: tools.cluster, id, length, crc, token }, { start: 0, end: length })
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
