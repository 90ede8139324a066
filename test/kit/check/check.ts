// Cluster invariants, checked on a healed and quiet cluster through the public library and by reading the disks. The cluster's own
// claims are not trusted where the fact can be read directly.

import { crc32c } from '@node-rs/crc32'
import { hasCode, type FileStatus, type LocatedBlock } from 'gristmill'
import type { Cluster, Replica, Verdict } from '../contract.ts'

interface Found {
  readonly files: readonly { readonly status: FileStatus; readonly blocks: readonly LocatedBlock[] }[]
  readonly replicas: readonly Replica[]
}

/** Yields one line for each violation. */
type Invariant = (cluster: Cluster, found: Found) => AsyncIterable<string> | Iterable<string>

/** Listed only when a caller asks for it by path. */
const systemDirectory = '/.gristmill'

const hex = (id: number): string => id.toString(16).padStart(16, '0')

const invariants: Record<string, Invariant> = {
  async* 'an acknowledged file reads back with its length and checksum'({ mill }, { files }) {
    for (const { status: { path, length } } of files) {
      let crc = 0
      let bytes = 0
      try {
        for await (const piece of mill.createReadStream(path)) {
          crc = crc32c(piece as Buffer, crc)
          bytes += (piece as Buffer).length
        }
        const expected = (await mill.checksum(path)).crc
        if (bytes !== length) yield `${path} has ${bytes} bytes, it should have ${length}`
        else if (crc !== expected) yield `${path} has the checksum ${crc.toString(16)}, it should have ${expected.toString(16)}`
      } catch (error) {
        yield `${path} cannot be read: ${(error as Error).message}`
      }
    }
  },

  async* 'each replica that the namenode knows is on its node\'s disk, and sound'(_cluster, { files, replicas }) {
    const byNode = new Map(replicas.map(replica => [`${replica.node.id} ${replica.block}`, replica]))
    for (const { status: { path }, blocks } of files) {
      for (const { id, length, nodes } of blocks) {
        for (const { node } of nodes) {
          const replica = byNode.get(`${node} ${hex(id)}`)
          if (!replica) yield `block ${hex(id)} of ${path} is not on ${node}`
          else if (replica.bytes !== length || !await replica.sound()) yield `block ${hex(id)} of ${path} is bad on ${node}`
        }
      }
    }
  },

  * 'every block has its number of replicas, on as many nodes, and no more'({ datanodes }, { files, replicas }) {
    const holders = new Map<string, Set<string>>()
    for (const { block, node } of replicas) holders.set(block, (holders.get(block) ?? new Set()).add(node.id))
    for (const { status: { path, replication }, blocks } of files) {
      for (const { id, nodes } of blocks) {
        const wanted = Math.min(replication, datanodes.length)
        const known = new Set(nodes.map(({ node }) => node)).size
        if (known !== wanted || nodes.length !== known)
          yield `block ${hex(id)} of ${path} is known on ${known} nodes (${nodes.length} replicas), wanted ${wanted}`
        const there = holders.get(hex(id))?.size ?? 0
        if (there !== wanted) yield `block ${hex(id)} of ${path} lies on ${there} nodes, wanted ${wanted}`
      }
    }
  },

  * 'every block on a disk is some file\'s'(_cluster, { files, replicas }) {
    const known = new Set(files.flatMap(({ blocks }) => blocks.map(({ id }) => hex(id))))
    for (const { block, node, disk } of replicas) if (!known.has(block)) yield `block ${block} on disk ${disk} of ${node.name} is no file's`
  },

  async* 'the namenode\'s totals are right'({ mill }) {
    for (const { what, kept, found, path } of (await mill.recount()).differences)
      yield `${path === undefined ? '' : `${path}: `}${what}: it keeps ${kept}, and there are ${found}`
  },

  async* 'nothing is left to do'({ mill, datanodes }) {
    const status = await mill.clusterStatus()
    for (const name of ['missing', 'underReplicated', 'overReplicated', 'pendingReplications', 'pendingDeletions'] as const) {
      if (status[name] !== 0) yield `${name} is ${status[name]}`
    }
    for (const { node, state } of status.nodes) {
      // A datanode that was wiped with its identity came back under a new id; its old id stays dead.
      if (state !== 'live' && (state !== 'dead' || datanodes.some(({ id }) => id === node))) yield `${node} is ${state}`
    }
    if (status.safeMode) yield 'safe mode is on'
  },
}

export async function checkAll(cluster: Cluster): Promise<Verdict> {
  const broken: string[] = []
  let found: Found
  try {
    found = {
      files: [...(await filesBelow(cluster, '/')), ...(await filesBelow(cluster, systemDirectory))],
      replicas: (await Promise.all(cluster.datanodes.map(node => node.replicas()))).flat(),
    }
  } catch (error) {
    return verdictOf([`the namespace can be read: ${(error as Error).message}`])
  }
  for (const [name, look] of Object.entries(invariants)) {
    try {
      for await (const what of look(cluster, found)) broken.push(`${name}: ${what}`)
    } catch (error) {
      broken.push(`${name}: cannot be looked at: ${(error as Error).message}`)
    }
  }
  return verdictOf(broken)
}

async function filesBelow(cluster: Cluster, directory: string): Promise<Found['files'][number][]> {
  const files: Found['files'][number][] = []
  for await (const status of cluster.mill.list(directory)) {
    if (status.type === 'directory') {
      files.push(...await filesBelow(cluster, status.path))
      for await (const older of olderObjects(cluster.mill, status.path))
        files.push({ status: older, blocks: await Array.fromAsync(cluster.mill.locate(older.path)) })
      for (const version of await olderVersions(cluster, status.path)) files.push(...await filesBelow(cluster, version))
    } else files.push({ status, blocks: await Array.fromAsync(cluster.mill.locate(status.path)) })
  }
  return files
}

/** Paths of the older versions of a directory; none if no job has published it. */
async function olderVersions({ mill }: Cluster, path: string): Promise<string[]> {
  try {
    const versions = await Array.fromAsync(mill.versions.list(path))
    return versions.filter(({ head }) => !head).map(({ number }) => `${path}@${number}`)
  } catch (error) {
    if (hasCode(error, 'EINVAL')) return []
    throw error
  }
}

/** Older versions of the objects in a directory, which no listing of it shows. */
export async function* olderObjects(mill: Cluster['mill'], directory: string): AsyncGenerator<FileStatus> {
  const keys: string[] = []
  try {
    for await (const { path } of mill.list(`${directory === '/' ? '' : directory}/.snapshot/.objects`)) keys.push(path)
  } catch (error) {
    if (!hasCode(error, 'ENOENT')) throw error
  }
  for (const key of keys) for await (const status of mill.list(key)) if (status.type === 'file') yield status
}

export function verdictOf(broken: readonly string[]): Verdict {
  return {
    ok: broken.length === 0, broken,
    toString: () =>
      broken.length === 0 ? 'all invariants hold' : `${broken.length} broken:\n${broken.map(line => `  ${line}`).join('\n')}`,
  }
}
