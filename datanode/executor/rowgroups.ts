// Copies a part of a Parquet file (src/operator/parquet.ts) to this machine: the bytes of its row groups and the tail of the file, at the
// places that they have in the file, with holes between them.

import { GristmillError } from '../../src/base/errors.ts'
import { KiB } from '../../src/base/units.ts'
import { readRowGroups, rowsWithin, tailOf } from '../../src/operator/parquet.ts'
import type { Database } from '../../src/ports/database.ts'
import type { Disk } from '../../src/ports/disk.ts'
import type { SplitRange } from '../../src/protocol/task.ts'
import type { SplitSource } from './input.ts'

interface CopyParts {
  /** Reads the footer. REQUIRES: it is not confined yet. */
  readonly db: Database
  readonly source: Pick<SplitSource, 'partOf'>
  readonly range: SplitRange
  /** Path of the copy, which does not exist. */
  readonly local: string
  readonly disk: Disk
  readonly pause: () => Promise<void> | undefined
}

/** Most footers are shorter. */
const footerBytes = 64 * KiB

/** Numbers of the rows of the part in the file. */
export async function copyRowGroups({ db, source, range, local, disk, pause }: CopyParts): Promise<{ first: number; end: number }> {
  const { path, start, end, fileBytes } = range
  const bytesFrom = async (from: number): Promise<Buffer> => {
    const pieces: Buffer[] = []
    for await (const piece of source.partOf(range, from, fileBytes)) pieces.push(Buffer.from(piece))
    return Buffer.concat(pieces)
  }
  let last = await bytesFrom(Math.max(0, fileBytes - footerBytes))
  const footer = last.length < 12 ? 0 : last.readUInt32LE(last.length - 8) + 8
  if (footer < 12 || footer > fileBytes) throw new GristmillError('PROGRAM_INVALID', `${path} is no Parquet file: it does not end as one`)
  if (footer > last.length) last = await bytesFrom(fileBytes - footer)
  const alone = `${local}.footer`
  await written(disk, alone, async writer => {
    writer.writeSync(magic)
    writer.writeSync(last.subarray(last.length - footer))
  })
  const groups = (await readRowGroups(db, [alone])).get(alone) ?? []
  await disk.remove(alone)
  if (groups.length === 0) throw new GristmillError('PROGRAM_INVALID', `${path} has no row groups`)
  const tail = tailOf(groups)
  await written(disk, local, async writer => {
    writer.writeSync(magic)
    const sections = [[Math.max(start, magic.length), Math.min(end, tail)], [tail, fileBytes]] as const
    for (const [from, to] of sections) {
      const hole = from - writer.bytes
      if (writer.skipSync) writer.skipSync(hole)
      else writer.writeSync(Buffer.alloc(hole))
      for await (const piece of source.partOf(range, from, to)) {
        writer.writeSync(piece)
        await pause()
      }
    }
    if (writer.bytes !== fileBytes) throw new GristmillError('UNAVAILABLE', `${path} has ended at byte ${writer.bytes} of ${fileBytes}`)
  })
  return rowsWithin(groups, start, end)
}

const magic = Buffer.from('PAR1')

async function written(disk: Disk, path: string, write: (writer: Awaited<ReturnType<Disk['create']>>) => Promise<void>): Promise<void> {
  const writer = await disk.create(path, { mode: 0o600 })
  try {
    await write(writer)
  } finally {
    await writer.close()
  }
}
