// Rows between two stages of a query: each task writes a map output whose partitions hold Parquet files in pieces, so that checksums,
// fetching and retries are those of every shuffle.

import { join } from 'node:path'
import { KiB } from '../../src/base/units.ts'
import type { Disk } from '../../src/ports/disk.ts'
import type { TaskFinished, TaskWork } from '../../src/protocol/task.ts'
import { Cursor } from '../../src/shuffle/cursor.ts'
import { Inbox } from '../../src/shuffle/inbox.ts'
import { digestOf, encodeIndex } from '../../src/shuffle/segment.ts'
import { SegmentWriter } from '../../src/shuffle/writer.ts'
import { outputFiles } from '../shuffle/paths.ts'
import { gather } from './fetch.ts'
import type { ExecutorSession } from './session.ts'

type Left = Extract<Extract<TaskFinished['outcome'], { kind: 'done' }>['output'], { kind: 'shuffle' }>

/** Below the size of a frame, so that a frame holds few pieces. */
const pieceBytes = 64 * KiB
/** Segments are read once: what is larger waits on the disk. */
const inboxBytes = 1 << 20

/** Writes the files, one for each partition, as the map output of the attempt; undefined: the partition has no rows. */
export async function writeExchange(
  { disk, setup }: Pick<ExecutorSession, 'disk' | 'setup'>, work: TaskWork, files: ReadonlyArray<string | undefined>,
  pause: () => Promise<void> | undefined,
): Promise<Left> {
  const { data, index } = outputFiles(setup.dir, work.attempt)
  try {
    const written = await disk.create(data, { exclusive: false })
    const writer = new SegmentWriter(written, { partitions: files.length, compress: false, mark: true })
    const key = Buffer.from([0])
    try {
      for (const [partition, file] of files.entries()) {
        writer.moveTo(partition)
        if (file === undefined) continue
        const reader = await disk.openRead(file)
        try {
          for (let at = 0; at < reader.bytes;) {
            const piece = Buffer.alloc(Math.min(pieceBytes, reader.bytes - at))
            await reader.read(piece, at)
            writer.add(key, 0, key.length, piece, 0, piece.length, at > 0)
            at += piece.length
            await pause()
          }
        } finally {
          await reader.close()
        }
      }
      const extents = writer.finish()
      const indexed = await disk.create(index, { exclusive: false })
      try {
        indexed.writeSync(encodeIndex(extents))
      } finally {
        await indexed.close()
      }
      return { kind: 'shuffle', bytes: written.bytes, digest: digestOf(extents) }
    } finally {
      await written.close()
    }
  } catch (error) {
    await disk.remove(data)
    await disk.remove(index)
    throw error
  }
}

interface ReadExchange {
  readonly session: ExecutorSession
  readonly work: TaskWork
  readonly stage: number
  readonly partition: number
  /** REQUIRES: it exists. */
  readonly directory: string
  readonly pause: () => Promise<void> | undefined
}

interface ReadFiles { readonly files: readonly string[]; readonly bytesLocal: number; readonly bytesRemote: number }

/** Fetches one partition of an earlier stage: a local file for each of its tasks that has rows, in their order. Throws OutputsMissing. */
export async function readExchange(
  { session, work: { job, attempt }, stage, partition, directory, pause }: ReadExchange,
): Promise<ReadFiles> {
  const { disk, setup } = session
  const inbox = new Inbox({ disk, directory: setup.scratch, name: `${attempt}.stage${stage}`, memoryBytes: inboxBytes })
  try {
    const { segments, bytesLocal, bytesRemote } = await gather(session, inbox, { job, stage, partition }, () => {})
    const files: string[] = []
    for (const [i, segment] of segments.entries()) {
      const file = join(directory, `stage${stage}-${i}.parquet`)
      if (await writeOut(disk, new Cursor(segment), file, pause)) files.push(file)
    }
    return { files, bytesLocal, bytesRemote }
  } finally {
    await inbox.close()
  }
}

/** False: the segment is empty, and there is no file. */
async function writeOut(disk: Disk, cursor: Cursor, file: string, pause: () => Promise<void> | undefined): Promise<boolean> {
  if (!cursor.next()) return false
  const writer = await disk.create(file, { mode: 0o600 })
  try {
    do {
      writer.writeSync(cursor.bytes.subarray(cursor.valueStart, cursor.valueEnd))
      await pause()
    } while (cursor.next())
  } finally {
    await writer.close()
  }
  return true
}
