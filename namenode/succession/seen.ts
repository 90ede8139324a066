// Note file in the directory of a namenode that is behind its cluster: the highest position that datanodes have told it. It
// keeps the next start from serving, and tells a recovery which operations were lost and which epoch to exceed.

import type { Disk } from '../../src/ports/disk.ts'
import type { Seen } from '../../src/protocol/position.ts'

export const seenName = 'behind.json'

export async function noteSeen(disk: Disk, dir: string, { epoch, incarnation, seq, nextBlock }: Seen): Promise<void> {
  await disk.writeFileDurable(`${dir}/${seenName}`, Buffer.from(`${JSON.stringify({ epoch, incarnation, seq, nextBlock })}\n`), {
    mode: 0o600,
  })
}

/** undefined: there is no note. Throws errors of the disk. An unreadable note yields position 0: it proves only that there was one. */
export async function seenIn(disk: Disk, dir: string): Promise<Seen | undefined> {
  const path = `${dir}/${seenName}`
  if (!await disk.stat(path)) return undefined
  try {
    const { epoch, incarnation, seq, nextBlock } = JSON.parse((await disk.readFile(path)).toString('utf8')) as Partial<Seen>
    return { epoch: epoch ?? 0, ...incarnation !== undefined && { incarnation }, seq: seq ?? 0, nextBlock: nextBlock ?? 0 }
  } catch (error) {
    if (!(error instanceof SyntaxError)) throw error
    return { epoch: 0, seq: 0, nextBlock: 0 }
  }
}

export async function dropSeen(disk: Disk, dir: string): Promise<void> {
  await disk.remove(`${dir}/${seenName}`)
  await disk.syncDir(dir)
}
