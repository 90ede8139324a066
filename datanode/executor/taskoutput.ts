// Output of an attempt, with its counters: a map output in this node's home, or a part of the job's output (`part-00000.txt`) below the
// job's staging directory.

import { assert, AssertionFailed, unreachable } from '../../src/base/assert.ts'
import { extensionOf, formats, hasHeader } from '../../src/base/formats.ts'
import { join } from '../../src/base/paths.ts'
import type { ClusterFileWriter } from '../../src/file/writer.ts'
import type { FileStatus } from '../../src/protocol/namespace.ts'
import type { TaskFinished, TaskWork } from '../../src/protocol/task.ts'
import type { UserFunction } from '../../src/plan/node.ts'
import type { Stage } from '../../src/plan/stage.ts'
import type { Sink } from '../../src/operator/operator.ts'
import { Overflow } from '../../src/operator/overflow.ts'
import { ShuffleSink } from '../../src/operator/shufflesink.ts'
import { FileSink, type SinkFile } from '../../src/operator/filesink.ts'
import { avroWriter } from '../../src/record/avrowriter.ts'
import { RawWriter } from '../../src/record/rawwriter.ts'
import type { Combine } from '../../src/shuffle/combiner.ts'
import { MapOutput, type MapOutputCounters } from '../../src/shuffle/mapoutput.ts'
import type { Partitioner } from '../../src/shuffle/partition.ts'
import { KeyRanges } from '../../src/shuffle/ranges.ts'
import { digestOf } from '../../src/shuffle/segment.ts'
import { encodeSizes } from '../../src/shuffle/sizes.ts'
import { outputsDirectory } from '../shuffle/paths.ts'
import { readBroadcast } from './broadcast.ts'
import type { ExecutorSession } from './session.ts'

type Left = Extract<TaskFinished['outcome'], { kind: 'done' }>['output']

export interface OpenOutput {
  readonly sink: Sink<unknown>
  counters(): Record<string, number>
  finish(): Promise<Left>
  discard(): Promise<void>
}

/** Share of a task's memory for records that wait to be sorted. */
const shuffleShare = 0.25
/**
 * The same for a task that holds no other buffers, neither fetched segments nor tables: enough for a block of 128 MiB in records of 100
 * bytes with 512 MiB. Records that do not fit are written, read and written again.
 */
const loneShuffleShare = 0.36

export function openOutput(
  session: ExecutorSession, work: TaskWork, stage: Stage, functions: readonly UserFunction[],
): Promise<OpenOutput> {
  const { output } = work
  // Tasks with other outputs need their memory for what they read.
  if (output.kind !== 'shuffle') session.spareArena.drop()
  switch (output.kind) {
    case 'shuffle': return openShuffle(session, work, stage, output.partitions, functions)
    case 'files': return openFile(session, work, stage, output)
    case 'check': return Promise.resolve(nothing)
    default: return unreachable(output)
  }
}

const nothing: OpenOutput = {
  sink: {
    emit: () => { throw new AssertionFailed('a check emits nothing') },
    records: 0, isUnsettled: false, settle: () => undefined, finish: async () => undefined, discard: async () => {},
  },
  counters: () => ({}),
  finish: async () => ({ kind: 'check' }),
  discard: async () => {},
}

/** Values that are combined are kept in the heap, and once more while they are written. */
const shareOf = ({ input }: TaskWork, { combine, lookups }: Stage): number =>
  input.kind === 'split' && combine === undefined && lookups.size === 0 ? loneShuffleShare : shuffleShare

async function openShuffle(
  session: ExecutorSession, work: TaskWork, stage: Stage, partitions: number, functions: readonly UserFunction[],
): Promise<OpenOutput> {
  const { disk, setup } = session
  const { combine, sink: end } = stage
  assert(end.kind === 'shuffle', 'the plan has a shuffle where the task has')
  const { partition } = end
  const ranges = end.ranges && KeyRanges.of(await readBroadcast(session, work, work.broadcasts![0]!), partitions)
  const output = await MapOutput.open({
    partitions, disk, directory: outputsDirectory(setup.dir, work.job), name: work.attempt, spare: session.spareArena,
    memoryBytes: setup.memoryBytes * shareOf(work, stage),
    ...(combine !== undefined && { combine: functions[combine] as Combine }),
    ...(partition !== undefined && { partitioner: functions[partition] as Partitioner }),
    ...(ranges && { ranges }),
  })
  const sink = new ShuffleSink(output)
  let done: (MapOutputCounters & { bytes: number }) | undefined
  return {
    sink,
    counters: () => ({
      recordsOut: sink.records,
      ...(done && { bytesOut: done.bytes, spills: done.spills, ...(done.spilledRecords > 0 && { spilledRecords: done.spilledRecords }) }),
      ...(done && combine !== undefined && { combineIn: done.combinedRecords, combineOut: done.outputRecords }),
    }),
    async finish() {
      const { bytes, partitions: extents, counters } = await sink.finish()
      done = { ...counters, bytes }
      return {
        kind: 'shuffle', bytes, digest: digestOf(extents),
        ...work.sizes && { sizes: encodeSizes(extents.map(extent => extent.bytes)) },
      }
    },
    discard: () => sink.discard(),
  }
}

async function openFile(
  { disk, files, setup, loadAvro }: ExecutorSession, work: TaskWork, { sink: end }: Stage,
  { format, replication, blockBytes }: Extract<TaskWork['output'], { kind: 'files' }>,
): Promise<OpenOutput> {
  const options = end.kind === 'write' ? end.output : undefined
  const { schema, codec } = options ?? {}
  const name = `part-${String(work.task).padStart(5, '0')}${extensionOf(format)}`
  const path = join(join(work.staging, work.attempt), name)
  const sink = new FileSink<FileStatus>({
    output: { format, delimiter: options?.delimiter, header: options?.header, columns: options?.columns },
    ...options?.raw && { writer: new RawWriter() },
    ...format === 'avro' && { writer: await avroWriter({ schema, codec }, loadAvro) },
    overflow: new Overflow(disk, `${setup.scratch}/${work.attempt}.overflow`),
    open: async () =>
      asOutput(
        await files.create(path, {
          parents: true, replication, blockBytes, format: formats[format].output.as,
          ...hasHeader(format) && { delimiter: options?.delimiter ?? ',', header: options?.header ?? true },
        }),
      ),
  })
  return {
    sink,
    counters: () => ({ recordsOut: sink.records, bytesOut: sink.bytes, outputRecords: sink.records, outputBytes: sink.bytes }),
    async finish() {
      const left = await sink.finish()
      return { kind: 'files', files: left ? [{ name, inode: left.file.id, length: left.file.length, crc: left.crc }] : [] }
    },
    discard: () => sink.discard(),
  }
}

const asOutput = (writer: ClusterFileWriter): SinkFile<FileStatus> => ({
  write: bytes => writer.write(bytes),
  close: () => writer.close(),
  abort: () => writer.abort(),
})
