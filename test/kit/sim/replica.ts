// Replicas on simulated disks, read and changed without their node's knowledge.

import { parseBlockName } from '../../../src/base/ids.ts'
import { limits } from '../../../src/base/limits.ts'
import { crcOf } from '../../../src/block/checksum.ts'
import { decodeMeta } from '../../../src/block/meta.ts'
import type { Random } from '../../../src/ports/random.ts'
import type { Damage, DataNode, Replica } from '../contract.ts'
import { contentOf, type File, type Host } from './host.ts'

const sealed = /^\/disk(\d+)\/blocks\/[0-9a-f]{2}\/([0-9a-f]{16})$/
const sectorBytes = 512

export function simReplicas(node: DataNode, host: Host, random: Random): SimReplica[] {
  const found: SimReplica[] = []
  for (const [path, file] of host.files) {
    const [, disk, block] = sealed.exec(path) ?? []
    if (block !== undefined) found.push(new SimReplica({ node, host, path, file, block, disk: Number(disk), random }))
  }
  return found.sort((a, b) => (a.block < b.block ? -1 : 1))
}

interface Parts {
  readonly node: DataNode
  readonly host: Host
  readonly path: string
  readonly file: File
  readonly block: string
  readonly disk: number
  readonly random: Random
}

export class SimReplica implements Replica {
  readonly node: DataNode
  readonly block: string
  readonly disk: number
  readonly bytes: number
  readonly #parts: Parts

  constructor(parts: Parts) {
    this.#parts = parts
    this.node = parts.node
    this.block = parts.block
    this.disk = parts.disk
    this.bytes = parts.file.length
  }

  async sound(): Promise<boolean> {
    const { host, path } = this.#parts
    const [data, meta] = [host.files.get(path), host.files.get(`${path}.meta`)]
    if (!data || !meta || data.unreadable || meta.unreadable) return false
    try {
      const { length, crcs } = decodeMeta(Buffer.from(contentOf(meta)), parseBlockName(this.block)!)
      const bytes = contentOf(data)
      return (
        length === bytes.length && crcs.every((crc, i) => crcOf(bytes.subarray(i * limits.chunkBytes, (i + 1) * limits.chunkBytes)) === crc)
      )
    } catch {
      return false
    }
  }

  async damage(kind: Damage): Promise<void> {
    const { host, path, random } = this.#parts
    const file = host.files.get(path)
    if (!file) return
    const meta = host.files.get(`${path}.meta`)
    const flip = (one: File): void => { one.bytes[random.below(one.length)]! ^= 1 << random.below(8) }
    switch (kind) {
      case 'flip': return flip(file)
      case 'meta': return meta && flip(meta)
      case 'zero': {
        // Chooses a sector that is not all zeros: zeroing an empty one would change nothing.
        const sectors = Math.ceil(file.length / sectorBytes)
        const first = random.below(sectors)
        for (let i = 0; i < sectors; i++) {
          const at = ((first + i) % sectors) * sectorBytes
          const sector = file.bytes.subarray(at, Math.min(file.length, at + sectorBytes))
          if (sector.every(byte => byte === 0)) continue
          sector.fill(0)
          return
        }
        return
      }
      case 'truncate':
        file.length = Math.floor(file.length / 2)
        file.synced = Math.min(file.synced, file.length)
        return
      case 'lengthen':
        file.bytes = Buffer.concat([contentOf(file), Buffer.alloc(100, 0x67)])
        file.length = file.synced = file.bytes.length
        return
      case 'remove':
        host.files.delete(path)
        host.durable.delete(path)
        return
      case 'unreadable':
        file.unreadable = true
    }
  }

  async swap(other: Replica): Promise<void> {
    const { host, path } = this.#parts
    const theirs = (other as SimReplica).#parts.path
    const [mine, yours] = [host.files.get(path), host.files.get(theirs)]
    if (!mine || !yours) return
    for (const names of [host.files, host.durable]) {
      names.set(path, yours)
      names.set(theirs, mine)
    }
  }
}
