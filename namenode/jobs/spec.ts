// What a submitted job must be before it is believed. Schemas have checked its shape; here its parts are held against
// each other. Nobody else checks again.

import { GristmillError } from '../../src/base/errors.ts'
import { checkPath, isWithin, systemDirectory } from '../../src/base/paths.ts'
import type { JobSpec } from '../../src/protocol/job.ts'

/** Partitions of one shuffle; each is a task and, with an output, a file. */
const partitionsMax = 100_000

/** Throws EINVAL, saying which part is wrong. */
export function checkSpec(spec: JobSpec): void {
  checkPath(spec.output.path)
  if (spec.output.path === '/' || isWithin(spec.output.path, systemDirectory)) throw invalid(`its output cannot be ${spec.output.path}; give a directory that does not exist yet`)
  const last = spec.stages.length - 1
  spec.stages.forEach(({ input, output }, index) => {
    if (output.kind === 'shuffle' && (output.partitions < 1 || output.partitions > partitionsMax)) throw invalid(`stage ${index} has ${output.partitions} partitions; between 1 and ${partitionsMax} are allowed`)
    if ((output.kind === 'files') !== (index === last)) throw invalid(`the last stage, and only that, writes files; stage ${index} writes ${output.kind}`)
    if (input.kind !== 'shuffle') {
      for (const split of input.splits) {
        for (const range of split.ranges) {
          if (range.start > range.end || range.end > range.fileBytes) throw invalid(`a range of ${range.path}, ${range.start} to ${range.end}, does not lie in its ${range.fileBytes} bytes`)
        }
      }
      return
    }
    const source = spec.stages[input.stage]
    if (input.stage >= index || source?.output.kind !== 'shuffle') throw invalid(`stage ${index} reads stage ${input.stage}, which is not an earlier one that shuffles`)
    if (source.output.partitions !== input.partitions) throw invalid(`stage ${index} has ${input.partitions} tasks for the ${source.output.partitions} partitions of stage ${input.stage}`)
  })
  for (const [index] of spec.stages.entries()) {
    if (index !== last && !spec.stages.some(({ input }) => input.kind === 'shuffle' && input.stage === index)) throw invalid(`nobody reads stage ${index}`)
  }
}

const invalid = (why: string): GristmillError => new GristmillError('EINVAL', `the job cannot be run: ${why}`)
