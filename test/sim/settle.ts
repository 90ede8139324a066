// Waits of checks until a healed cluster has come to rest. A cluster that has not within the limit of virtual time is a finding, which
// says what it was that had not settled: a check that goes on regardless would blame something else, or nothing.

import type { Cluster } from '../kit/contract.ts'

interface Settling {
  /** State that the check waits for, for the message. */
  readonly what: string
  readonly waitMs: number
  readonly lookMs: number
  /** Number of successive looks that must find nothing unsettled. */
  readonly looks: number
  /** Parts that have not settled, in words; empty if all have. */
  readonly unsettled: (cluster: Cluster) => Promise<readonly string[]>
  readonly add: (finding: string) => void
}

export async function settle(cluster: Cluster, { what, waitMs, lookMs, looks, unsettled, add }: Settling): Promise<void> {
  let open: readonly string[] = []
  for (let waited = 0, clear = 0; waited < waitMs; waited += lookMs) {
    await cluster.advance(lookMs)
    open = await unsettled(cluster)
    clear = open.length === 0 ? clear + 1 : 0
    if (clear === looks) return
  }
  add(`${what} not within ${waitMs / 1000} s: ${open.length > 0 ? open.join('; ') : 'it settled only at the last look'}`)
}

/**
 * Datanodes that are not live, and full reports that are awaited of them. A datanode whose disks were all replaced has come back as another
 * one: the namenode awaits the report of the former one until it forgets it, ten minutes after its death.
 */
export async function unreported({ mill, datanodes }: Cluster): Promise<string[]> {
  const [{ nodes }, { awaited }] = await Promise.all([mill.clusterStatus(), mill.safeMode()])
  const state = (id: string): string => nodes.find(({ node }) => node === id)?.state ?? 'unknown to the namenode'
  const replaced = nodes.filter(({ node, state: now }) => now === 'dead' && !datanodes.some(({ id }) => id === node)).length
  return [
    ...datanodes.filter(({ id }) => state(id) !== 'live').map(({ id }) => `the datanode ${id} is ${state(id)}`),
    ...awaited > replaced ? [`full reports awaited: ${awaited}, of datanodes that were replaced: ${replaced}`] : [],
  ]
}
