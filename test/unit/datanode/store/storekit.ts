// Hand-written block files, and disks that can be made to refuse.

import { ChunkTable, crcOf } from '../../../../src/block/checksum.ts'
import { blockId, blockName, storageId, type BlockId } from '../../../../src/base/ids.ts'
import type { Clock } from '../../../../src/ports/clock.ts'
import type { Disk, DiskReader } from '../../../../src/ports/disk.ts'
import type { Failpoints } from '../../../../src/ports/failpoints.ts'
import { silent } from '../../../../src/ports/log.ts'
import type { Replica } from '../../../../src/protocol/report.ts'
import { systemClock } from '../../../../src/world/clock.ts'
import { localDisk } from '../../../../src/world/disk.ts'
import { BlockStore } from '../../../../datanode/store/store.ts'
import { checked } from '../../checked.ts'

export interface Opened {
  store: BlockStore
  added: Replica[]
  removed: BlockId[]
  bad: BlockId[]
  failed: Array<{ dir: string; last: boolean }>
}

/** The local disk, half full: on a full one the trash and the quarantine are emptied. */
export const roomyDisk: Disk = {
  ...localDisk, space: async () => ({ capacityBytes: 2 ** 40, freeBytes: 2 ** 39, filesystem: 'roomy' }),
}

/** Opens a store over directories; records its events. */
export async function openStore(
  dirs: readonly string[],
  {
    disk = roomyDisk, clock = systemClock, trashKeepMs = 0, failpoints,
  }: { disk?: Disk; clock?: Clock; trashKeepMs?: number; failpoints?: Failpoints } = {},
): Promise<Opened> {
  const seen: Omit<Opened, 'store'> = { added: [], removed: [], bad: [], failed: [] }
  const store = await BlockStore.open({
    disk, clock, log: silent, trashKeepMs, failpoints,
    dirs: dirs.map(dir => ({ dir, id: storageId(dir.split('/').at(-1)!) })),
    listener: {
      added: replica => seen.added.push(replica), removed: id => seen.removed.push(id), bad: id => seen.bad.push(id),
      failed: (storage, _, last) => seen.failed.push({ dir: storage.dir, last }),
    },
  })
  return { store: checked(store, { made: ['receive'] }), ...seen }
}

export function tableOf(bytes: Buffer): ChunkTable {
  const table = new ChunkTable()
  for (let at = 0; at < bytes.length; at += 65_536) table.add(crcOf(bytes.subarray(at, at + 65_536)), Math.min(65_536, bytes.length - at))
  return table
}

export async function write(store: BlockStore, id: number, bytes: Buffer): Promise<void> {
  const incoming = await store.receive(blockId(id), bytes.length)
  incoming.write(bytes)
  await incoming.seal(tableOf(bytes))
}

/** Path of a block's file below a data directory. */
export const placeOf = (id: number): string => `blocks/${blockName(blockId(id)).slice(-2)}/${blockName(blockId(id))}`

/** The local disk with some methods of its writers replaced. */
export const spoiltDisk = (spoil: {
  write?: (bytes: Uint8Array, path: string) => void
  sync?: (path: string) => void
  syncDir?: (path: string) => void
}): Disk => ({
  ...localDisk,
  async create(path, options) {
    const writer = await localDisk.create(path, options)
    return {
      get bytes() {
        return writer.bytes
      },
      writeSync(bytes) {
        spoil.write?.(bytes, path)
        writer.writeSync(bytes)
      },
      async sync() {
        spoil.sync?.(path)
        await writer.sync()
      },
      syncSync: () => writer.syncSync(), close: () => writer.close(),
    }
  },
  async syncDir(path) {
    spoil.syncDir?.(path)
    await localDisk.syncDir(path)
  },
})

/** The local disk, with a count of its open files. */
export function countingDisk(): { disk: Disk; open: () => number } {
  let count = 0
  const counted = (reader: DiskReader): DiskReader => {
    count++
    return {
      bytes: reader.bytes, readSync: reader.readSync.bind(reader), read: reader.read.bind(reader),
      async close() {
        count--
        await reader.close()
      },
    }
  }
  const disk: Disk = {
    ...localDisk,
    async create(path, options) {
      const writer = await localDisk.create(path, options)
      count++
      return {
        get bytes() {
          return writer.bytes
        },
        writeSync: writer.writeSync.bind(writer), sync: writer.sync.bind(writer), syncSync: writer.syncSync.bind(writer),
        async close() {
          count--
          await writer.close()
        },
      }
    },
    openRead: async path => counted(await localDisk.openRead(path)),
    openReadSync: path => counted(localDisk.openReadSync(path)),
  }
  return { disk, open: () => count }
}

export const refusal = (code: string): Error => Object.assign(new Error(code), { code })
