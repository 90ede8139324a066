// Check of a job's spec at submit: stages, partitions, ranges and output must fit together, and each misfit has its own message.

import { expect, test } from 'vitest'
import { checkSpec } from '../../../../namenode/jobs/spec.ts'
import type { JobSpec, StageSpec } from '../../../../src/protocol/job.ts'
import type { Split } from '../../../../src/protocol/task.ts'
import { specOf } from './scheduler/kit.ts'

test('a spec whose parts do not fit together is refused, each for its own reason', () => {
  const spec = specOf({ maps: 1, reduces: 2 })
  const [map, reduce] = spec.stages as [StageSpec, StageSpec]
  const split = (map.input as { splits: Split[] }).splits[0]!
  const ranged = (change: object) =>
    ({
      ...spec,
      stages: [{ ...map, input: { ...map.input, splits: [{ ...split, ranges: [{ ...split.ranges[0]!, ...change }] }] } }, reduce],
    }) as JobSpec
  checkSpec(spec)
  checkSpec(ranged({ start: 10, end: 10 }))
  const refused = (wrong: JobSpec, message: RegExp): void =>
    expect(() => checkSpec(wrong)).toThrow(expect.objectContaining({ code: 'EINVAL', message: expect.stringMatching(message) }))
  refused(ranged({ start: 6, end: 5 }), /does not lie in its 10 bytes/)
  refused(ranged({ end: 11 }), /does not lie in its 10 bytes/)
  refused(
    {
      ...spec,
      stages: [
        { ...map, output: { kind: 'shuffle', partitions: 0 } },
        { ...reduce, input: { kind: 'shuffle', stage: 0, partitions: 0 } },
      ],
    },
    /0 partitions/,
  )
  refused(
    {
      ...spec,
      stages: [
        { ...map, output: { kind: 'shuffle', partitions: 100_001 } },
        { ...reduce, input: { kind: 'shuffle', stage: 0, partitions: 100_001 } },
      ],
    },
    /100001 partitions/,
  )
  refused({ ...spec, stages: [map, { ...reduce, input: { kind: 'shuffle', stage: 1, partitions: 2 } }] }, /reads stage 1/)
  refused({ ...spec, stages: [map, { ...reduce, input: { kind: 'shuffle', stage: 0, partitions: 3 } }] }, /3 tasks for the 2 partitions/)
  const between = { ...map, input: { kind: 'shuffle' as const, stage: 1, partitions: 2 } }
  refused({ ...spec, stages: [map, between, { ...reduce, input: { kind: 'shuffle', stage: 1, partitions: 2 } }] }, /stage 1 reads stage 1/)
  refused({ ...spec, stages: [map] }, /the last stage/)
  refused({ ...spec, stages: [map, map, reduce] }, /no stage reads stage 1/)
  for (const path of ['/', '/.gristmill/x']) refused({ ...spec, output: { ...spec.output, path } }, /output of a job cannot be/)
})

test('only a stage that reads one shuffle or join is rewritten, and by its own sides', () => {
  const spec = specOf({ maps: 1, reduces: 2 })
  const [map, reduce] = spec.stages as [StageSpec, StageSpec]
  const adapt = { mergeBytes: 1, empty: [[0]] }
  checkSpec({ ...spec, stages: [map, { ...reduce, adapt }] })
  const refused = (stages: StageSpec[], message: RegExp): void => {
    const error = { code: 'EINVAL', message: expect.stringMatching(message) as string }
    expect(() => checkSpec({ ...spec, stages })).toThrow(expect.objectContaining(error))
  }
  refused([{ ...map, adapt }, reduce], /stage 0 reads no single shuffle/)
  refused([map, { ...reduce, adapt, more: [{ kind: 'values', parts: 1 }] }], /stage 1 reads no single shuffle/)
  const sides = [1]
  for (const wrong of [{ empty: [[0], [1]] }, { split: { bytes: 1, sides } }, { table: { bytes: 1, taskBytes: 1, sides } }])
    refused([map, { ...reduce, adapt: wrong }], /one side, and/)
})

test('an output is checked by the last stage alone, which reads nothing else', () => {
  const spec = specOf({ maps: 1, reduces: 2, check: true })
  const [map, reduce, check] = spec.stages as [StageSpec, StageSpec, StageSpec]
  checkSpec(spec)
  checkSpec(specOf({ maps: 1, reduces: 0, check: true }))
  const refused = (stages: StageSpec[], message: string): void => {
    const error = { code: 'EINVAL', message: expect.stringContaining(message) as string }
    expect(() => checkSpec({ ...spec, stages })).toThrow(expect.objectContaining(error))
  }
  refused([map, reduce, { ...check, input: { kind: 'output', stage: 0 } }], 'stage 2 checks stage 0, which does not write the output')
  refused([map, { ...reduce, input: check.input, output: { kind: 'files', format: 'text' } }], 'checks the output, and reads nothing else')
  refused([map, reduce, { ...check, input: { kind: 'values', parts: 1 } }], 'checks the output, and reads nothing else')
  refused([map, reduce, { ...check, more: [{ kind: 'values', parts: 1 }] }], 'checks the output, and reads nothing else')
  refused([map, check, reduce], 'stage 1 checks stage 1, which does not write the output')
  refused([map, reduce, check, check], 'the last stage, and only that, writes files')
  refused([check], 'which does not write the output')
})
