// What a recovery does to files: a note while it is not finished, a place for what was damaged, and a journal of which only what
// is true is left. Nothing is deleted.

import { makeDirectory } from '../../src/home/directory.ts'
import type { Disk } from '../../src/ports/disk.ts'
import type { World } from '../../src/ports/world.ts'
import { decodeHeader } from '../journal/frame.ts'
import { Segments } from '../journal/segments.ts'
import type { Salvage } from '../journal/salvage.ts'

/** There from the first change to the last: a recovery that was cut off is done again, by one that knows what it knew. */
export const unfinishedName = 'recovering.json'

interface Unfinished { readonly lossy: boolean; readonly epoch: number }

export function beginUnfinished(disk: Disk, dir: string, { lossy, epoch }: Unfinished): Promise<void> {
  return disk.writeFileDurable(`${dir}/${unfinishedName}`, Buffer.from(`${JSON.stringify({ lossy, epoch })}\n`), { mode: 0o600 })
}

/** Of a recovery that was cut off. */
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

/** Damaged files go aside, and come back as far as they are true; a new file begins behind `seq`. The store has everything already. */
export async function mendJournal(
  { disk, log }: World,
  { dir, aside, journal, seq }: { dir: string; aside: string; journal: Salvage; seq: number },
): Promise<void> {
  const bad = new Set([...journal.damages, ...(journal.torn ? [journal.torn] : [])].map(({ path }) => path))
  await makeDirectory(disk, `${aside}/journal`)
  for (const { path, firstSeq } of journal.files) {
    // What lies behind a gap cannot follow on anything any more.
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
