// Determines the cluster to use, in this order: the setting `cluster` (flag, variable, file), the cluster that `gristmill up`
// created in this home, the embedded cluster.
// Invariant: a home that has had a cluster of `up` never falls back to the embedded one, which has other files: not while that cluster
// is stopped, not while its data directory is missing (a disk that is not mounted), not if its record cannot be read. A home whose
// first `up` has failed gets an embedded cluster only if the user asks for one.

import { GristmillError, hasCode } from '../../src/base/errors.ts'
import { address, type Address, type ClusterId } from '../../src/base/ids.ts'
import type { Settings } from '../../src/base/settings.ts'
import type { Disk } from '../../src/ports/disk.ts'
import type { Machine } from '../../src/ports/machine.ts'
import { refuseFailedUp } from './failedup.ts'
import { awayCluster, logDirectory, readRemembered } from './remembered.ts'
import { isAlive, living, readCluster, type Running } from './running.ts'

/**
 * Ports of processes that are given none. `up` uses those from the namenode's on, one for each of up to 64 datanodes, so the others lie
 * outside of that range.
 */
export const portDefaults = { namenode: 8620, datanode: 8621, gateway: 9870, console: 8610, keyValue: 8611 } as const

export type ClusterLocation =
  | { readonly kind: 'cluster'; readonly namenode: Address; readonly secretFile: string; readonly running: Running | undefined }
  | { readonly kind: 'stopped'; readonly dir: string }
  | { readonly kind: 'embedded'; readonly dir: string }

/**
 * Throws UNAVAILABLE if the data directory of this home's cluster is missing, or its first `up` has failed, CONFIG_INVALID if a file of
 * `up` cannot be read.
 */
export async function locate({ disk, machine }: { disk: Disk; machine: Machine }, settings: Settings): Promise<ClusterLocation> {
  const { home, cluster } = settings
  if (cluster === 'embedded') return { kind: 'embedded', dir: embeddedDirectory(home) }
  if (cluster !== undefined) return named({ disk, machine }, settings, parseAddress(cluster))
  const running = await readCluster(disk, home)
  if (running && living(machine, running).length > 0)
    return { kind: 'cluster', namenode: running.namenode, secretFile: settings.secretFile ?? running.secretFile, running }
  const last = await readRemembered(disk, home)
  if (last?.away !== undefined) throw awayCluster(home, last.remembered.dir, last.away)
  if (last) return { kind: 'stopped', dir: last.remembered.dir }
  const dir = embeddedDirectory(home)
  if (!await disk.stat(dir)) await refuseFailedUp(disk, home)
  return { kind: 'embedded', dir }
}

/** The processes of `up` are of use only if they are the named ones, which are reachable without knowing them. */
async function named(
  { disk, machine }: { disk: Disk; machine: Machine }, { home, secretFile }: Settings, namenode: Address,
): Promise<ClusterLocation> {
  const running = await readCluster(disk, home).catch((error: unknown) => {
    if (!hasCode(error, 'CONFIG_INVALID')) throw error
    return undefined
  })
  const own = running?.namenode === namenode && living(machine, running).length > 0 ? running : undefined
  return { kind: 'cluster', namenode, secretFile: secretFile ?? own?.secretFile ?? secretDefault(home), running: own }
}

export const embeddedDirectory = (home: string): string => `${home}/embedded`

/** Error of a call to the cluster of this home while it does not run. */
export const stoppedCluster = (dir: string): GristmillError =>
  new GristmillError(
    'UNAVAILABLE',
    `the cluster of this home does not run (its data is in ${dir}): start it with "gristmill up --detach", or select the embedded cluster, which has files of its own, with --cluster embedded or GRISTMILL_CLUSTER=embedded`,
    { details: { dir } },
  )

/**
 * For connectTo, if the namenode of `up` has ended while other processes of its cluster run: another one may have been started by hand
 * at its address. undefined while it runs. `named`: the user named the address.
 */
export function endedNamenode(
  machine: Machine, running: Running | undefined, named: boolean,
): { error: GristmillError; cluster: ClusterId | undefined } | undefined {
  const namenode = running?.processes.find(({ role }) => role === 'namenode')
  if (!running || !namenode || isAlive(machine, namenode)) return undefined
  const error = new GristmillError(
    'UNAVAILABLE',
    `the namenode of the cluster in ${running.dir} has ended (process ${namenode.pid}); its log is ${logDirectory(running.dir)}/namenode.log, and "gristmill up --detach" starts it again`,
    { details: { dir: running.dir, address: running.namenode } },
  )
  return { error, cluster: named ? undefined : running.cluster }
}

/** Default secret file, shared by all processes of one user on one machine. */
export const secretDefault = (home: string): string => `${home}/secret`

/** Parses `host`, `host:port`, `[v6]:port`, each optionally after `gristmill://` or `http://`. Throws CONFIG_INVALID. */
export function parseAddress(text: string): Address {
  const match = /^(?:(?:gristmill|http):\/\/)?(\[[0-9a-fA-F:.]+\]|[\w.-]+)(?::(\d{1,5}))?\/?$/.exec(text.trim())
  const port = Number(match?.[2] ?? portDefaults.namenode)
  if (!match || port > 65_535 || port === 0) {
    throw new GristmillError(
      'CONFIG_INVALID',
      `"${text}" is not an address of a cluster; write host:port, gristmill://host:port, or embedded`,
      { details: { address: text } },
    )
  }
  return address(`${match[1]}:${port}`)
}
