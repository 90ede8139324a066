// Waiting for a datanode to become what it was told to be, with a bar of its blocks.

import { GristmillError, hasCode } from '../../src/base/errors.ts'
import { formatDuration } from '../../src/base/units.ts'
import type { NodeStatus } from '../../src/protocol/admin.ts'
import { Refusal } from './complaint.ts'
import type { Context } from './context.ts'
import { formatCount } from './format.ts'

const lookMs = 300

/** The message of the namenode as it stands: what is not there is a node and not a file. */
export async function saidPlainly<T>(work: Promise<T>): Promise<T> {
  try {
    return await work
  } catch (error) {
    if (hasCode(error, 'ENOENT', 'EACCES')) throw new Refusal(error.code, error.message, { cause: error, details: error.details })
    throw error
  }
}

/** Looks until `done`; gives the node as it is then. Throws what `done` throws. */
export async function watchNode(context: Context, { node, address }: NodeStatus, done: (now: NodeStatus) => boolean): Promise<NodeStatus> {
  const mill = await context.mill()
  const { clock } = await context.world()
  const { signal } = context
  const progress = await context.progress()
  try {
    const bar = progress.bar(address, 'tasks')
    for (;;) {
      const now = (await mill.clusterStatus({ signal })).nodes.find(each => each.node === node)
      if (!now) throw new GristmillError('ENOENT', `the datanode ${node} is not known any more`)
      if (now.held) bar.update(now.held.blocks - now.held.remaining, now.held.blocks)
      if (done(now)) return now
      await clock.sleep(lookMs, signal)
    }
  } finally {
    progress.stop()
  }
}

/** What a person wants to know about a node that is not simply in service. */
export function serviceOf({ service = 'in-service', serviceUntilMs, held }: NodeStatus, nowMs: number): string {
  const left = held ? `${formatCount(held.remaining)} of its ${formatCount(held.blocks)} blocks are still to be copied` : 'its blocks are being counted'
  switch (service) {
    case 'in-service': return 'in service'
    case 'decommissioning': return `decommissioning: ${left}`
    case 'decommissioned': return 'decommissioned: it can be switched off'
    case 'maintenance': {
      const time = `for another ${formatDuration(Math.max(0, (serviceUntilMs ?? nowMs) - nowMs))}`
      return `in maintenance ${time}${held && held.remaining === 0 ? ': it can be stopped' : `: ${left}`}`
    }
  }
}

export async function tellNode(context: Context, node: NodeStatus): Promise<void> {
  const { clock } = await context.world()
  if (context.json) return context.printer.json(node)
  await context.printer.line(`${node.address} is ${serviceOf(node, clock.now())}`)
}
