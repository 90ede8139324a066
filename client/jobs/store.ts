// Stores the small files of programs in the cluster.

import type { FileClient } from '../../src/file/client.ts'
import type { ProgramStore } from './storeprogram.ts'

export const storeOf = (files: FileClient): ProgramStore => ({
  async write(path, bytes, until) {
    // Default replication, which the namenode bounds by the number of datanodes: each node reads the bundle only once and keeps it. One
    // replica per live node could never be restored once a node is lost for good.
    await using writer = await files.create(path, { parents: true, mode: 0o644, overwrite: false, eager: true, signal: until })
    await writer.write(bytes)
    await writer.close()
  },
  async read(path, until) {
    const pieces: Buffer[] = []
    for await (const piece of files.read(path, { signal: until })) pieces.push(piece)
    return Buffer.concat(pieces)
  },
})
