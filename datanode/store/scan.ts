// Scan of a directory's `blocks/` when a datanode starts: reads names, sizes and meta headers. Block data is verified later, by readers
// and by the scrubber. Foreign files are left alone, and links are not followed.

import { decodeMetaHeader, metaBytes, metaHeaderBytes, type MetaHeader } from '../../src/block/meta.ts'
import { asError, GristmillError } from '../../src/base/errors.ts'
import { blockName, parseBlockName, type BlockId } from '../../src/base/ids.ts'
import type { Clock } from '../../src/ports/clock.ts'
import type { Disk } from '../../src/ports/disk.ts'
import type { Log } from '../../src/ports/log.ts'
import { isDamage } from './diskerror.ts'

export interface ScannedBlock {
  readonly blocks: MetaHeader[]
  readonly bad: BlockId[]
  /** Those of the 256 directories that exist. */
  readonly directories: string[]
}

interface Tools { readonly disk: Disk; readonly clock: Clock; readonly log: Log }

/** Throws the disk's error if a directory or header cannot be read. */
export async function scan({ disk, clock, log }: Tools, dir: string): Promise<ScannedBlock> {
  const found: ScannedBlock = { blocks: [], bad: [], directories: [] }
  let foreign = 0
  for (const { name, kind } of await disk.list(dir)) {
    if (kind !== 'directory' || !/^[0-9a-f]{2}$/.test(name)) { foreign++; continue }
    found.directories.push(name)
    foreign += await scanDirectory({ disk, clock, log }, `${dir}/${name}`, found)
  }
  if (foreign > 0) log.warn('files that are not gristmill\'s lie among the blocks; they are left alone', { foreign })
  return found
}

/** Scans one of the up to 256 directories. Returns the number of foreign files. */
async function scanDirectory({ disk, clock, log }: Tools, path: string, { blocks, bad }: ScannedBlock): Promise<number> {
  const entries = await disk.list(path)
  // A process that died between a rename and its sync left a name that is not durable; it must be durable before the block is reported.
  await disk.syncDir(path)
  const files = new Set(entries.filter(({ kind }) => kind === 'file').map(({ name }) => name))
  let foreign = entries.length - files.size
  for (const name of files) {
    const id = parseBlockName(name.endsWith('.meta') ? name.slice(0, -5) : name)
    if (id === undefined || !name.startsWith(path.slice(-2), 14)) { foreign++; continue }
    if (name.endsWith('.meta')) {
      // The meta file is renamed first: without its data file it is left over from a crash between the two renames.
      if (!files.has(name.slice(0, -5))) await disk.remove(`${path}/${name}`).catch(() => {})
      continue
    }
    try {
      blocks.push(headerOf(disk, `${path}/${name}`, id))
    } catch (error) {
      if (!isDamage(error)) throw error
      log.error('a block is damaged', { error: asError(error), block: id })
      bad.push(id)
    }
  }
  await clock.yield()
  return foreign
}

function headerOf(disk: Disk, path: string, id: BlockId): MetaHeader {
  const meta = disk.openReadSync(`${path}.meta`)
  try {
    const bytes = Buffer.allocUnsafe(metaHeaderBytes)
    const header = decodeMetaHeader(bytes.subarray(0, meta.readSync(bytes, 0)), id)
    const data = disk.openReadSync(path)
    void data.close()
    if (data.bytes !== header.length) throw corrupt(id, `its file has ${data.bytes} bytes, its meta file says ${header.length}`)
    if (meta.bytes !== metaBytes(header.length))
      throw corrupt(id, `its meta file has ${meta.bytes} bytes instead of ${metaBytes(header.length)}`)
    return header
  } finally {
    void meta.close()
  }
}

const corrupt = (id: BlockId, why: string): GristmillError =>
  new GristmillError('CORRUPT', `block ${blockName(id)} is not what was written: ${why}`, { details: { block: id } })
