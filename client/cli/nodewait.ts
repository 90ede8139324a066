// A datanode as operators direct it: waiting for it to become what it was told to be, and what is said of it.

import { GristmillError, hasCode } from '../../src/base/errors.ts'
import { formatDuration } from '../../src/base/units.ts'
import type { NodeStatus } from '../../src/protocol/admin.ts'
import { Refusal } from './errors.ts'
import type { CommandContext } from './context.ts'
import { formatCount, plural } from './format.ts'
import { waitFor } from './waiting.ts'

/** The message of the namenode as it stands: what is not there is a node and not a file. */
export async function saidPlainly<T>(work: Promise<T>): Promise<T> {
  try {
    return await work
  } catch (error) {
    if (hasCode(error, 'ENOENT', 'EACCES')) throw new Refusal(error.code, error.message, { cause: error, details: error.details })
    throw error
  }
}

/** Looks until `isDone`; gives the node as it is then. Throws what `isDone` throws. */
export async function watchNode(
  context: CommandContext, { node, address }: NodeStatus, isDone: (now: NodeStatus) => boolean,
): Promise<NodeStatus> {
  const mill = await context.mill()
  return waitFor(context, {
    label: address, isDone,
    async look() {
      const now = (await mill.clusterStatus({ signal: context.signal })).nodes.find(each => each.node === node)
      if (!now) throw new GristmillError('ENOENT', `the datanode ${node} is not known any more`)
      return now
    },
    stepOf: ({ held }) =>
      held && {
        done: held.blocks - held.remaining, total: held.blocks,
        said: `${formatCount(held.remaining)} of ${plural(held.blocks, 'block')} left`,
      },
  })
}

/** What a person wants to know about a node that is not simply in service. */
export function serviceOf({ service = 'in-service', serviceUntilMs, held }: NodeStatus, nowMs: number): string {
  const left = held
    ? `${formatCount(held.remaining)} of its ${plural(held.blocks, 'block')} ${held.remaining === 1 ? 'is' : 'are'} still to be copied`
    : 'its blocks are being counted'
  switch (service) {
    case 'in-service': return 'in service'
    case 'decommissioning': return `decommissioning: ${left}`
    case 'decommissioned': return `decommissioned: it can be switched off${held?.short ? `; ${plural(held.short, 'block has', 'blocks have')} fewer copies than wanted, because there are no more datanodes for them` : ''}`
    case 'maintenance': {
      const time = `for another ${formatDuration(Math.max(0, (serviceUntilMs ?? nowMs) - nowMs))}`
      return `in maintenance ${time}${held && held.remaining === 0 ? ': it can be stopped' : `: ${left}`}`
    }
  }
}

export async function tellNode(context: CommandContext, node: NodeStatus): Promise<void> {
  const { clock } = await context.world()
  if (context.json) return context.printer.json(node)
  await context.printer.line(`${node.address} is ${serviceOf(node, clock.now())}`)
}
