// The connection of a Mill, for queries of the command line: they open a Mill only when they read files of the cluster.

import type { FileClient } from '../../src/file/client.ts'
import type { Cluster } from '../call/cluster.ts'

export interface SqlCluster { readonly cluster: Cluster; readonly files: FileClient }

const known = new WeakMap<object, SqlCluster>()

export const keepCluster = (mill: object, parts: SqlCluster): void => { known.set(mill, parts) }

export const clusterIn = (mill: object): SqlCluster => known.get(mill)!
