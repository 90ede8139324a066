// Current locations of each task's input. The cost is per block, so large jobs yield to the event loop in between.

import type { NodeId } from '../../../src/base/ids.ts'
import { inputsOf, type JobSpec, type StageSpec } from '../../../src/protocol/job.ts'
import type { Split } from '../../../src/protocol/task.ts'
import type { Places } from '../scheduler/event.ts'
import type { JobsDeps } from '../deps.ts'
import { hasSplits, splitAt, taskCount } from './splits.ts'

/** Blocks and ranges between two turns of the event loop: about 4 ms. */
const slice = 2000

/** Result per stage; undefined for stages that read no files. REQUIRES: the spec includes all uploaded splits. */
export async function placesOf(spec: JobSpec, { blocks, clock }: Pick<JobsDeps, 'blocks' | 'clock'>): Promise<Array<Places | undefined>> {
  let looked = 0
  const places: Array<Places | undefined> = []
  for (const stage of spec.stages) places.push(inputsOf(stage).some(hasSplits) ? await ofStage(stage) : undefined)
  return places

  async function ofStage(stage: StageSpec): Promise<Places> {
    const found: NodeId[][] = []
    for (const input of inputsOf(stage)) {
      const count = taskCount(input)
      for (let task = 0; task < count; task++) {
        const split = hasSplits(input) ? splitAt(input, task) : undefined
        looked += split?.ranges.reduce((sum, range) => sum + 1 + range.blocks.length, 1) ?? 0
        found.push(split ? holdersOf(split) : [])
        if (looked < slice) continue
        looked = 0
        await clock.yield()
      }
    }
    return found
  }

  /** Nodes with more than half as many input bytes as the node with most, in descending order. */
  function holdersOf({ ranges }: Split): NodeId[] {
    const bytes = new Map<NodeId, number>()
    for (const range of ranges) {
      for (const block of range.blocks) {
        const own = Math.min(range.end, block.offset + block.length) - Math.max(range.start, block.offset)
        if (own > 0) for (const node of blocks.holders(block.id)) bytes.set(node, (bytes.get(node) ?? 0) + own)
      }
    }
    const most = Math.max(0, ...bytes.values())
    return [...bytes].filter(([, held]) => held * 2 > most).sort((a, b) => b[1] - a[1]).map(([node]) => node)
  }
}
