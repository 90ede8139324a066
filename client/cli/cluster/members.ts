// Processes of `up` by the names that it gives them and their directories, `datanode1`: commands take them where they take a datanode, as
// long as they mean the cluster of this home.

import { readRemembered, remember } from '../../discovery/remembered.ts'
import { isAlive, nameOf, readCluster, writeCluster, type Running } from '../../discovery/running.ts'
import type { CommandContext } from '../context.ts'

/** The cluster of `up` in this home, if that is the one which commands use. */
async function runningHere(context: CommandContext): Promise<Running | undefined> {
  const [{ home, cluster }, { disk }] = await Promise.all([context.settings(), context.world()])
  const running = await readCluster(disk, home).catch(() => undefined)
  return running && (cluster === undefined || cluster === running.namenode) ? running : undefined
}

/** The id of a datanode of `up` that is named so; else the name. */
export async function memberNamed(context: CommandContext, name: string): Promise<string> {
  if (!/^datanode[1-9]\d*$/.test(name)) return name
  const running = await runningHere(context)
  return running?.processes.find(one => nameOf(one) === name)?.id ?? name
}

/**
 * Takes an ended datanode off the record of `up`, which no longer misses it. Returns its directory, with whose blocks `up` would start it
 * again; undefined if it is none of `up`.
 */
export async function forgetMember(context: CommandContext, name: string): Promise<string | undefined> {
  const running = await runningHere(context)
  const node = running?.processes.find(one => one.role === 'datanode' && (one.id === name || one.address === name))
  if (!running || !node || running.stopping || isAlive(await context.machine(), node)) return node?.dir
  const [{ home }, { disk }] = await Promise.all([context.settings(), context.world()])
  const processes = running.processes.filter(one => one !== node)
  await writeCluster(disk, home, { ...running, processes })
  const left = processes.filter(({ role }) => role === 'datanode').length
  const { remembered } = await readRemembered(disk, home) ?? {}
  if (remembered && left > 0) {
    const said = { ...remembered.said, ...remembered.said.datanodes !== undefined && { datanodes: String(left) } }
    const ports = Object.fromEntries(Object.entries(remembered.ports).filter(([one]) => one !== nameOf(node)))
    await remember(disk, home, { ...remembered, datanodes: left, ports, said })
  }
  return node.dir
}
