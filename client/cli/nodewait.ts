// Waits for a datanode to reach a service state, and formats that state. For the commands that direct datanodes.

import { GristmillError, hasCode } from '../../src/base/errors.ts'
import { formatDuration } from '../../src/base/units.ts'
import type { NodeStatus } from '../../src/protocol/admin.ts'
import { Refusal } from './errors.ts'
import type { CommandContext } from './context.ts'
import { formatCount, plural } from './format.ts'
import { waitFor } from './waiting.ts'

/** Keeps the namenode's message: for ENOENT the missing thing is a node, not a file. */
export async function saidPlainly<T>(work: Promise<T>): Promise<T> {
  try {
    return await work
  } catch (error) {
    if (hasCode(error, 'ENOENT', 'EACCES')) throw new Refusal(error.code, error.message, { cause: error, details: error.details })
    throw error
  }
}

/** Polls the node until `isDone`; returns its last status. Throws the errors of `isDone`. */
export async function watchNode(
  context: CommandContext, { node, address }: NodeStatus, isDone: (now: NodeStatus) => boolean,
): Promise<NodeStatus> {
  const mill = await context.mill()
  return waitFor(context, {
    label: address, isDone,
    async look() {
      const now = (await mill.clusterStatus({ signal: context.signal })).nodes.find(each => each.node === node)
      if (!now) throw new GristmillError('ENOENT', `the namenode no longer knows the datanode ${node}`)
      return now
    },
    stepOf: ({ held }) =>
      held && {
        done: held.blocks - held.remaining, total: held.blocks,
        said: `${formatCount(held.remaining)} of ${plural(held.blocks, 'block')} left`,
      },
  })
}

/** Service state with its progress. */
export function serviceOf({ service = 'in-service', serviceUntilMs, held }: NodeStatus, nowMs: number): string {
  const left = held
    ? `${formatCount(held.remaining)} of its ${plural(held.blocks, 'block')} ${held.remaining === 1 ? 'is' : 'are'} still to be copied`
    : 'its blocks are being counted'
  switch (service) {
    case 'in-service': return 'in service'
    case 'decommissioning': return `decommissioning: ${left}`
    case 'decommissioned': return `decommissioned: it can be switched off${held?.short ? `; ${plural(held.short, 'block has', 'blocks have')} too few replicas, because there are not enough datanodes` : ''}`
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
