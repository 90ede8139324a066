// File operations of a recovery: a note while it is unfinished, a quarantine directory for damaged files, and a journal
// reduced to its valid parts. No data is deleted.

import { makeDirectory } from '../../src/home/directory.ts'
import type { Disk } from '../../src/ports/disk.ts'
import type { World } from '../../src/ports/world.ts'
import { decodeHeader } from '../journal/journalframe.ts'
import { Segments } from '../journal/segments.ts'
import type { Salvage } from '../journal/salvage.ts'

/** Exists from the first change to the last: an interrupted recovery is repeated with the facts of the first attempt. */
export const unfinishedName = 'recovering.json'

interface Unfinished { readonly lossy: boolean; readonly epoch: number }

export function beginUnfinished(disk: Disk, dir: string, { lossy, epoch }: Unfinished): Promise<void> {
  return disk.writeFileDurable(`${dir}/${unfinishedName}`, Buffer.from(`${JSON.stringify({ lossy, epoch })}\n`), { mode: 0o600 })
}

/** Note of an interrupted recovery. */
export async function unfinishedIn(disk: Disk, dir: string): Promise<Unfinished | undefined> {
  const path = `${dir}/${unfinishedName}`
  if (!await disk.stat(path)) return undefined
  return JSON.parse((await disk.readFile(path)).toString('utf8')) as Unfinished
}

export async function quarantineIn({ disk }: World, dir: string): Promise<string> {
  for (let n = 1; ; n++) {
    const path = `${dir}/damaged-${n}`
    if (await disk.stat(path)) continue
    await makeDirectory(disk, path)
    return path
  }
}

/**
 * Moves damaged segments into quarantine and writes their valid beginnings back; a new segment begins after `seq`. REQUIRES: the store
 * holds all operations up to `seq`.
 */
export async function mendJournal(
  { disk, log }: World,
  { dir, aside, journal, seq }: { dir: string; aside: string; journal: Salvage; seq: number },
): Promise<void> {
  const bad = new Set([...journal.damages, ...(journal.torn ? [journal.torn] : [])].map(({ path }) => path))
  await makeDirectory(disk, `${aside}/journal`)
  for (const { path, firstSeq } of journal.files) {
    // Segments after a gap can no longer be replayed.
    if (!bad.has(path) && firstSeq <= seq) continue
    const [first] = journal.stretches.filter(stretch => stretch.path === path)
    const prefix = first && first.from === firstSeq && first.to - 1 <= seq ? (await disk.readFile(path)).subarray(0, first.end) : undefined
    await disk.rename(path, `${aside}/journal${path.slice(path.lastIndexOf('/'))}`)
    if (prefix && firstSeq <= seq && headerIsTrue(prefix)) await disk.writeFileDurable(path, prefix, { mode: 0o600 })
  }
  await disk.syncDir(`${aside}/journal`)
  const segments = await Segments.open({ disk, log }, `${dir}/journal`)
  await segments.prepare(seq + 1)
  await segments.end()
}

const headerIsTrue = (bytes: Buffer): boolean => decodeHeader(bytes) !== undefined
