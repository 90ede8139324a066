// setrep: another number of replicas. With --wait, returns when every block has as many, and no more on nodes in service.

import { GristmillError } from '../../../src/base/errors.ts'
import { limits } from '../../../src/base/limits.ts'
import type { Mill } from '../../mill.ts'
import { Refusal } from '../complaint.ts'
import type { Context } from '../context.ts'
import { remotePaths, walk } from '../tree.ts'

const pollMs = 200

export async function run(context: Context, operands: readonly string[], options: { recursive?: boolean; wait?: boolean }): Promise<void> {
  const [text, ...paths] = operands as [string, ...string[]]
  const replicas = /^\d{1,4}$/.test(text) ? Number(text) : NaN
  if (!(replicas >= 1 && replicas <= limits.replicationMax)) throw new GristmillError('USAGE', `"${text}" is not a number of replicas from 1 to ${limits.replicationMax}`)
  const mill = await context.mill()
  const { signal, printer } = context
  const { clock } = await context.world()
  const changed: string[] = []
  await context.each(remotePaths(context, paths), async path => {
    const top = await mill.status(path, { signal })
    if (top.type === 'directory' && !options.recursive) {
      throw new Refusal('EISDIR', `${path}: is a directory; add -R for all files below it`, { details: { path } })
    }
    for await (const { status } of walk(mill, top, { signal })) {
      if (status.type !== 'file') continue
      await mill.setReplication(status.path, replicas, { signal })
      changed.push(status.path)
      if (context.json) await printer.json({ path: status.path, replication: replicas }, { compact: true })
    }
  })
  if (!options.wait) return
  const live = [...(await services(mill, signal)).values()].filter(service => service === 'in-service').length
  if (live < replicas) throw new Refusal('EINVAL', `not waiting: ${replicas} replicas need as many datanodes, and ${live} are live and in service`)
  const progress = await context.progress()
  try {
    const bar = progress.bar(`${replicas} replicas`, 'tasks', changed.length)
    for (const [i, path] of changed.entries()) {
      while (!await settled(mill, path, replicas, signal)) await clock.sleep(pollMs, signal)
      bar.update(i + 1)
    }
  } finally {
    progress.stop()
  }
}

async function settled(mill: Mill, path: string, replicas: number, signal: AbortSignal): Promise<boolean> {
  // What is on nodes that leave is no replica; what is on nodes in maintenance is one, and never one too many.
  const nodes = await services(mill, signal)
  for await (const block of mill.locate(path, { signal })) {
    const held = block.nodes.map(({ node }) => nodes.get(node))
    const here = held.filter(service => service === 'in-service').length
    const away = held.filter(service => service === 'maintenance').length
    if (here > replicas || here + away < replicas) return false
  }
  return true
}

/** What operators have said of the nodes that live. */
async function services(mill: Mill, signal: AbortSignal): Promise<Map<string, string>> {
  const { nodes } = await mill.clusterStatus({ signal })
  return new Map(nodes.filter(({ state }) => state === 'live').map(({ node, service = 'in-service' }) => [node, service]))
}
