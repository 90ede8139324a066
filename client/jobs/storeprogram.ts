// Stores a program in the cluster at its submission, once for all jobs: its bundle and its assets, under names made of their hashes. Every
// user may write where programs are, so a file that exists under such a name is compared before it is used.

import { Semaphore } from '../../src/base/queue.ts'
import { retry } from '../../src/base/retry.ts'
import { combine, crcOf } from '../../src/block/checksum.ts'
import { GristmillError, hasCode } from '../../src/base/errors.ts'
import type { ProgramId } from '../../src/base/ids.ts'
import { join, programsDirectory } from '../../src/base/paths.ts'
import { assetHash, assetPath } from '../../src/program/assets.ts'
import { locate, stat } from '../../src/protocol/namespace.ts'
import type { Cluster } from '../call/cluster.ts'
import type { ShippedAsset } from '../load/shipping.ts'
import { settled } from './splits.ts'

export interface StoredProgram {
  readonly id: ProgramId
  /** The bundle. */
  readonly bytes: Uint8Array
  readonly assets?: readonly ShippedAsset[]
}

/** Stores and reads small files that all users may read; provided by the owner of the file client. */
export interface ProgramStore {
  /** Throws EEXIST if the file exists. */
  write(path: string, bytes: Uint8Array, signal?: AbortSignal): Promise<void>
  read(path: string, signal?: AbortSignal): Promise<Buffer>
}

/** Tries to see a file that another client is storing, and the pause between them. */
const appearTries = 101
const appearMs = 100
/** Concurrent checks or stores of a program's files. */
const storesAtOnce = 8

/**
 * Stores the program under its hash, once, and returns its path. Every user may write there, so an existing file is compared with
 * the program; if it differs, this submission stores the program and its assets in a directory of its user, and if that is taken
 * too, in a directory of its own.
 */
export async function storeProgram(
  cluster: Cluster, store: ProgramStore, program: StoredProgram, signal?: AbortSignal,
): Promise<string> {
  const { user, random } = cluster
  // A directory created by this user belongs to this user, and so does its content.
  const own = user === undefined ? [] : [join(programsDirectory, `${program.id}-${assetHash(Buffer.from(user)).slice(0, 16)}`)]
  for (const directory of [programsDirectory, ...own, join(programsDirectory, `${program.id}-${random.id()}`)]) {
    const path = join(directory, `${program.id}.js`)
    // The bundle is stored last: if it exists, so do its assets.
    const assets = [
      ...new Map((program.assets ?? []).map(({ id, content }) => [id, { path: assetPath(path, id), bytes: content }])).values(),
    ]
    const gate = new Semaphore(storesAtOnce)
    const stored = await settled(assets.map(file => gate.run(() => storeOnce(cluster, store, file, signal), signal)))
    if (stored.every(Boolean) && await storeOnce(cluster, store, { path, bytes: program.bytes }, signal)) return path
  }
  throw new GristmillError(
    'EBUSY',
    `the program cannot be stored in ${programsDirectory}: all its names are taken by other files; check their owners`,
    { details: { path: programsDirectory } },
  )
}

/** Stores a file unless it exists. False: the existing file has other content. */
async function storeOnce(
  cluster: Cluster, store: ProgramStore,
  { path, bytes }: { readonly path: string; readonly bytes: Uint8Array },
  signal: AbortSignal | undefined,
): Promise<boolean> {
  const same = async (): Promise<boolean | undefined> => {
    try {
      const { status, blocks, next, content } = await cluster.ask(locate, { path }, signal)
      if (status.type !== 'file' || status.length !== bytes.length) return false
      const crc = content?.crc ?? blocks.reduce((sum, block) => combine(sum, block.crc, block.length), 0)
      if (next === undefined && crc !== crcOf(bytes)) return false
      // A checksum detects damage, but another user may have crafted other bytes with the same checksum.
      if (next === undefined && cluster.user !== undefined && status.owner === cluster.user) return true
      return Buffer.from(bytes).equals(await store.read(path, signal))
    } catch (error) {
      if (hasCode(error, 'ENOENT')) return undefined
      // This user cannot read it, or no client can now.
      if (hasCode(error, 'EACCES', 'EISDIR', 'BLOCK_MISSING', 'CORRUPT', 'ESTALE')) return false
      throw error
    }
  }
  const before = await same()
  if (before !== undefined) return before
  try {
    await store.write(path, bytes, signal)
    return true
  } catch (error) {
    // Another client is storing a file under this name right now, most likely the same program.
    if (!hasCode(error, 'EEXIST', 'EBUSY')) throw error
    return (await untilThere(cluster, path, signal)) && (await same()) === true
  }
}

/** Waits up to 10 s for the file to appear. False: it did not. */
async function untilThere(cluster: Cluster, path: string, signal?: AbortSignal): Promise<boolean> {
  const absent = (error: unknown): boolean => hasCode(error, 'ENOENT')
  try {
    await retry(() => cluster.ask(stat, { path }, signal), {
      clock: cluster.clock, signal, pauseMs: appearMs, attemptsMax: appearTries, again: absent,
    })
    return true
  } catch (error) {
    if (absent(error)) return false
    throw error
  }
}
