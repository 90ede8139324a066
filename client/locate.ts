// Which cluster is meant. The first of these that says something: the setting `cluster` (flag, variable, file), the cluster
// that `gristmill up` has started and that still lives, and else the embedded one.

import { GristmillError } from '../src/base/errors.ts'
import { address, type Address } from '../src/base/ids.ts'
import type { Settings } from '../src/base/settings.ts'
import type { Disk } from '../src/ports/disk.ts'
import type { Machine } from '../src/ports/machine.ts'
import { clusterFile, living, readRunning, type Running } from './running.ts'

export const portDefault = 8620

export type ClusterLocation =
  | { readonly kind: 'cluster'; readonly namenode: Address; readonly secretFile: string; readonly running: Running | undefined }
  | { readonly kind: 'embedded'; readonly dir: string }

export async function locate({ disk, machine }: { disk: Disk; machine: Machine }, settings: Settings): Promise<ClusterLocation> {
  const { home, cluster } = settings
  if (cluster === 'embedded') return { kind: 'embedded', dir: embeddedDirectory(home) }
  const running = await readRunning(disk, clusterFile(home))
  const alive = running && living(machine, running).length > 0 ? running : undefined
  if (cluster === undefined) {
    if (!alive) return { kind: 'embedded', dir: embeddedDirectory(home) }
    return { kind: 'cluster', namenode: alive.namenode, secretFile: settings.secretFile ?? alive.secretFile, running: alive }
  }
  const namenode = parseAddress(cluster)
  const own = alive?.namenode === namenode ? alive : undefined
  return { kind: 'cluster', namenode, secretFile: settings.secretFile ?? own?.secretFile ?? secretDefault(home), running: own }
}

export const embeddedDirectory = (home: string): string => `${home}/embedded`
/** Shared by all processes of one user on one machine who were not told otherwise. */
export const secretDefault = (home: string): string => `${home}/secret`

/** `host`, `host:port`, `[v6]:port`, each perhaps after `gristmill://` or `http://`. Throws CONFIG_INVALID. */
export function parseAddress(text: string): Address {
  const match = /^(?:(?:gristmill|http):\/\/)?(\[[0-9a-fA-F:.]+\]|[\w.-]+)(?::(\d{1,5}))?\/?$/.exec(text.trim())
  const port = Number(match?.[2] ?? portDefault)
  if (!match || port > 65_535 || port === 0) {
    throw new GristmillError('CONFIG_INVALID', `"${text}" is not an address of a cluster; write host:port, gristmill://host:port, or embedded`, { details: { address: text } })
  }
  return address(`${match[1]}:${port}`)
}
