// JSON of WebHDFS replies, made from the cluster's own data. Keys that Hadoop's client reads without a check are always there;
// `childrenNum` of a directory is left out, because it is not known without listing the directory.

import { nameOf } from '../../../src/base/paths.ts'
import type { FileStatus, LocatedBlock } from '../../../src/protocol/namespace.ts'

/** `suffix`: name of an entry within the listed directory. */
export function fileStatus(
  { type, length, owner, group, mode, mtimeMs, blockBytes, replication, id, acl }: FileStatus, suffix = '',
): object {
  const isFile = type === 'file'
  return {
    pathSuffix: suffix, type: isFile ? 'FILE' : 'DIRECTORY', length, owner, group, permission: mode.toString(8),
    // There is no access time: that of a file is its modification time, that of a directory 0 as in HDFS.
    accessTime: isFile ? mtimeMs : 0, modificationTime: mtimeMs,
    blockSize: isFile ? blockBytes : 0, replication: isFile ? replication : 0, fileId: id, storagePolicy: 0,
    ...isFile && { childrenNum: 0 }, ...acl && { aclBit: true },
  }
}

export const entryStatus = (entry: FileStatus): object => fileStatus(entry, nameOf(entry.path))

export interface TreeUsage { readonly files: number; readonly directories: number; readonly bytes: number; readonly stored: number }
/** In the terms of HDFS, whose quota of names counts the directory itself; -1: none. */
export interface Limits { readonly names: number; readonly bytes: number }

export const contentSummary = ({ files, directories, bytes, stored }: TreeUsage, { names, bytes: spaceQuota }: Limits): object => ({
  ContentSummary: {
    directoryCount: directories, fileCount: files, length: bytes, quota: names, spaceConsumed: stored, spaceQuota,
    ecPolicy: directories > 0 ? '' : 'Replicated', typeQuota: {},
    snapshotDirectoryCount: 0, snapshotFileCount: 0, snapshotLength: 0, snapshotSpaceConsumed: 0,
  },
})

export const quotaUsage = ({ files, directories, stored }: TreeUsage, { names, bytes }: Limits): object => ({
  QuotaUsage: { fileAndDirectoryCount: files + directories, quota: names, spaceConsumed: stored, spaceQuota: bytes, typeQuota: {} },
})

export const blockLocations = (blocks: readonly LocatedBlock[]): object => ({
  BlockLocations: {
    BlockLocation: blocks.map(({ offset, length, nodes }) => ({
      offset, length, hosts: nodes.map(({ host }) => host), names: nodes.map(({ address }) => address),
      topologyPaths: nodes.map(({ rack, address }) => `${rack}/${address}`), cachedHosts: [],
      storageTypes: nodes.map(() => 'DISK'), corrupt: false,
    })),
  },
})

/** `blocks`: those of the range that was asked for; `last`: the last one of the file. */
export function locatedBlocks(
  status: FileStatus, blocks: readonly LocatedBlock[], last: LocatedBlock | undefined, cluster: string,
): object {
  const located = (block: LocatedBlock): object => ({
    block: { blockPoolId: cluster, blockId: block.id, numBytes: block.length, generationStamp: 0 },
    startOffset: block.offset, isCorrupt: false, blockToken: { urlString: 'AAAAAA' }, cachedLocations: [],
    storageTypes: block.nodes.map(() => 'DISK'), locations: block.nodes.map(datanodeInfo),
  })
  return {
    LocatedBlocks: {
      fileLength: status.length, isUnderConstruction: false, isLastBlockComplete: last !== undefined,
      lastLocatedBlock: last ? located(last) : null, locatedBlocks: blocks.map(located),
    },
  }
}

/** The port is the one of both the data and the HTTP of a datanode of ours. Sizes of disks are not part of a location here. */
function datanodeInfo({ node, address, rack, host }: LocatedBlock['nodes'][number]): object {
  const colon = address.lastIndexOf(':')
  const port = Number(address.slice(colon + 1))
  return {
    name: address, ipAddr: address.slice(0, colon), hostName: host, storageID: node, xferPort: port, infoPort: port, infoSecurePort: 0,
    ipcPort: port, networkLocation: rack, adminState: 'NORMAL', capacity: 0, dfsUsed: 0, remaining: 0, blockPoolUsed: 0, cacheCapacity: 0,
    cacheUsed: 0, lastUpdate: 0, lastUpdateMonotonic: 0, xceiverCount: 0, lastBlockReportTime: 0, lastBlockReportMonotonic: 0,
  }
}

/** The one policy of a cluster that has disks and no other kind of storage. */
export const hotPolicy = {
  id: 7, name: 'HOT', storageTypes: ['DISK'], creationFallbacks: [], replicationFallbacks: ['ARCHIVE'], copyOnCreateFile: false,
} as const
