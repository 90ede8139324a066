// Replicas on a datanode's disks, read and changed without the node's knowledge.

import { appendFile, open, readFile, readdir, rename, rm, stat, truncate } from 'node:fs/promises'
import { join } from 'node:path'
import { crcOf } from '../../../src/block/checksum.ts'
import { decodeMeta } from '../../../src/block/meta.ts'
import { limits } from '../../../src/base/limits.ts'
import { parseBlockName } from '../../../src/base/ids.ts'
import type { Random } from '../../../src/ports/random.ts'
import type { Damage, DataNode, Replica } from '../contract.ts'

const sectorBytes = 4096

export interface ReplicaParts {
  readonly node: DataNode
  readonly block: string
  readonly disk: number
  readonly path: string
  readonly bytes: number
  readonly random: Random
  /** `add` makes the node's reads of a file fail; `has` tells whether they do. */
  readonly unreadable: { add(path: string): Promise<void>; has(path: string): Promise<boolean> }
}

export class FileReplica implements Replica {
  readonly node: DataNode
  readonly block: string
  readonly disk: number
  readonly bytes: number
  readonly #path: string
  readonly #parts: ReplicaParts

  constructor(parts: ReplicaParts) {
    this.#parts = parts
    this.node = parts.node
    this.block = parts.block
    this.disk = parts.disk
    this.bytes = parts.bytes
    this.#path = parts.path
  }

  async sound(): Promise<boolean> {
    try {
      if (await this.#parts.unreadable.has(this.#path)) return false
      const data = await readFile(this.#path)
      const meta = decodeMeta(await readFile(`${this.#path}.meta`), parseBlockName(this.block)!)
      if (meta.length !== data.length) return false
      return meta.crcs.every((crc, i) => crcOf(data.subarray(i * limits.chunkBytes, (i + 1) * limits.chunkBytes)) === crc)
    } catch {
      return false
    }
  }

  async damage(kind: Damage): Promise<void> {
    const { random } = this.#parts
    switch (kind) {
      case 'flip': return flip(this.#path, random)
      case 'meta': return flip(`${this.#path}.meta`, random)
      case 'zero': return zero(this.#path, random)
      case 'truncate': return truncate(this.#path, Math.floor(this.bytes / 2))
      case 'lengthen': return appendFile(this.#path, Buffer.alloc(100, 0x67))
      case 'remove': return rm(this.#path)
      case 'unreadable': return this.#parts.unreadable.add(this.#path)
    }
  }

  async swap(other: Replica): Promise<void> {
    const theirs = (other as FileReplica).#path
    await rename(this.#path, `${this.#path}.swap`)
    await rename(theirs, this.#path)
    await rename(`${this.#path}.swap`, theirs)
  }
}

/** Data and meta files of all sealed blocks in one data directory. */
export async function replicasIn(dir: string): Promise<{ block: string; path: string; bytes: number }[]> {
  const found: { block: string; path: string; bytes: number }[] = []
  for (const directory of await readdir(join(dir, 'blocks')).catch(() => [])) {
    for (const name of await readdir(join(dir, 'blocks', directory)).catch(() => [])) {
      if (!/^[0-9a-f]{16}$/.test(name)) continue
      const path = join(dir, 'blocks', directory, name)
      // The node may delete it at this moment.
      const about = await stat(path).catch(() => undefined)
      if (about?.isFile()) found.push({ block: name, path, bytes: about.size })
    }
  }
  return found
}

async function flip(path: string, random: Random): Promise<void> {
  await change(path, bytes => { bytes[random.below(bytes.length)]! ^= 1 << random.below(8) })
}

/** Chooses a sector that is not all zeros: zeroing an empty one would change nothing. */
async function zero(path: string, random: Random): Promise<void> {
  await change(path, bytes => {
    const sectors = Math.ceil(bytes.length / sectorBytes)
    const first = random.below(sectors)
    for (let i = 0; i < sectors; i++) {
      const at = ((first + i) % sectors) * sectorBytes
      const sector = bytes.subarray(at, at + sectorBytes)
      if (sector.every(byte => byte === 0)) continue
      sector.fill(0)
      return
    }
    throw new Error(`${path} holds zeros only; zeroing a sector would change nothing`)
  })
}

/** In place, as a disk does it: processes that have the file open read the change too. */
async function change(path: string, work: (bytes: Buffer) => void): Promise<void> {
  const file = await open(path, 'r+')
  try {
    const bytes = await file.readFile()
    work(bytes)
    await file.write(bytes, 0, bytes.length, 0)
  } finally {
    await file.close()
  }
}
