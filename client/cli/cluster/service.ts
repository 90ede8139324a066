// decommission, recommission, maintenance and forget: take a datanode out of service, put it back, or off the list. With --wait,
// decommission returns when all its blocks are copied, and maintenance when every block has a replica elsewhere.

import { GristmillError, hasCode } from '../../../src/base/errors.ts'
import { limits } from '../../../src/base/limits.ts'
import { formatDuration, parseDuration } from '../../../src/base/units.ts'
import type { NodeStatus } from '../../../src/protocol/admin.ts'
import type { CommandContext } from '../context.ts'
import { Refusal } from '../errors.ts'
import { formatCount, plural } from '../display.ts'
import { option, type CommandSpec } from '../spec.ts'
import { waitFor } from '../waiting.ts'
import { forgetMember, memberNamed } from './members.ts'

const wait = option('--wait', 'wait until it is done')
const named = 'NODE is an id, an address, a host that runs only one datanode, or the name of a datanode of "gristmill up", such as datanode1.'

/** Parses a duration of at least 1 s: a bare `30` means milliseconds, which an operator hardly intends. */
function spell(text: string): number {
  const ms = parseDuration(text)
  if (ms < 1000 || ms > limits.maintenanceMsMax)
    throw new GristmillError(
      'EINVAL',
      `"${text}" is not between a second and ${formatDuration(limits.maintenanceMsMax)}; write for instance 30m`,
    )
  return ms
}

export const decommission: CommandSpec = {
  name: 'decommission', args: '<node>',
  about: 'copy the blocks of a datanode elsewhere',
  notes: `${named}\nIts blocks are copied to other datanodes; afterwards it can be switched off. Meanwhile it serves reads and gets no new blocks or tasks. Interrupting --wait does not stop the decommission; recommission does.\nTo remove a datanode of "gristmill up" for good, end its process then (its PID is in "gristmill status"), take it off the list with "gristmill forget", and remove its directory.`,
  options: [wait],
  examples: [['gristmill decommission 10.0.0.7:8621 --wait', 'afterwards it can be switched off']],
  run: runDecommission,
}

export const recommission: CommandSpec = {
  name: 'recommission', args: '<node>', about: 'put a datanode back into service',
  notes: `${named}\nExcess replicas are deleted afterwards.`,
  options: [], examples: [['gristmill recommission 10.0.0.7:8621', 'end decommissioning or maintenance']],
  run: runRecommission,
}

export const maintenance: CommandSpec = {
  name: 'maintenance', args: '<node>',
  about: 'take a datanode out of service for a time',
  notes:
    `${named}\nIt gets no new blocks or tasks, and its blocks are not copied: only those without a replica on another datanode are copied once; with --wait the command returns when that is done and the node can be stopped.\n`
    + 'When the time is over, the node is in service again; if it is not back by then, its blocks are copied.',
  options: [option('--for <time>', 'duration, for instance 30m', { parse: spell }), option('--end', 'end the maintenance'), wait],
  examples: [
    ['gristmill maintenance rack2-7 --for 30m --wait', 'afterwards it can be stopped'],
    ['gristmill maintenance rack2-7 --end', 'the node is back'],
  ],
  run: runMaintenance,
}

export const forget: CommandSpec = {
  name: 'forget', args: '<node>', about: 'take a dead datanode off the list',
  notes:
    `${named}\nThe namenode forgets it, and does not wait for it when it starts again. If the datanode is started again, it joins in service, with the blocks that it has. `
    + 'Without this, a dead datanode is shown until the namenode restarts, and a decommissioned one for good.',
  options: [option('--force', 'also while blocks have no replica that may be on it')],
  examples: [['gristmill forget 10.0.0.7:8621', 'its machine is gone']],
  run: runForget,
}

async function runForget(context: CommandContext, [name]: readonly string[], { force = false }: { force?: boolean }): Promise<void> {
  const mill = await context.mill()
  const node = await memberNamed(context, name!)
  await saidPlainly(mill.nodes.forget(node, { force, signal: context.signal }))
  const dir = await forgetMember(context, node)
  if (context.json) return context.printer.json({ forgotten: name })
  await context.printer.line(`${context.printer.name(name!)} is forgotten`)
  if (dir !== undefined)
    context.printer.note(
      `"gristmill up" starts it again as long as ${context.printer.name(dir)} has blocks: remove this directory to take the datanode away for good`,
    )
}

async function runDecommission(context: CommandContext, [name]: readonly string[], { wait = false }: { wait?: boolean }): Promise<void> {
  const { signal } = context
  const mill = await context.mill()
  const begun = await saidPlainly(mill.nodes.decommission(await memberNamed(context, name!), { signal }))
  if (!wait) return tellNode(context, begun)
  await tellNode(context, await watchNode(context, begun, ({ service, address }) => {
    if (service !== 'decommissioning' && service !== 'decommissioned')
      throw new Refusal('ABORTED', `${address} was put back into service meanwhile`)
    return service === 'decommissioned'
  }))
}

async function runRecommission(context: CommandContext, [name]: readonly string[]): Promise<void> {
  const mill = await context.mill()
  await tellNode(context, await saidPlainly(mill.nodes.recommission(await memberNamed(context, name!), { signal: context.signal })))
}

async function runMaintenance(
  context: CommandContext, [name]: readonly string[],
  options: { for?: number; end?: boolean; wait?: boolean },
): Promise<void> {
  const { for: forMs, end = false, wait = false } = options
  if (end === (forMs !== undefined)) throw new GristmillError('USAGE', 'give either --for with a duration, or --end')
  const { signal } = context
  const mill = await context.mill()
  if (end) return tellNode(context, await saidPlainly(mill.nodes.recommission(await memberNamed(context, name!), { signal })))
  const begun = await saidPlainly(mill.nodes.maintenance(await memberNamed(context, name!), { forMs: forMs!, signal }))
  if (!wait) return tellNode(context, begun)
  await tellNode(
    context,
    await watchNode(context, begun, ({ service, held, address }) => {
      if (service !== 'maintenance') throw new Refusal('ABORTED', `the maintenance of ${address} is over`)
      return held?.remaining === 0
    }),
  )
}

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
async function watchNode(
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
        text: `${formatCount(held.remaining)} of ${plural(held.blocks, 'block')} left`,
      },
  })
}

/** Service state with its progress. */
function serviceOf({ service = 'in-service', serviceUntilMs, held }: NodeStatus, nowMs: number): string {
  const left = held
    ? `${formatCount(held.remaining)} of its ${plural(held.blocks, 'block')} ${held.remaining === 1 ? 'is' : 'are'} still to be copied`
    : 'its blocks are being counted'
  switch (service) {
    case 'in-service': return 'in service'
    case 'decommissioning': return `decommissioning: ${left}`
    case 'decommissioned': return 'decommissioned: it can be switched off' +
      `${held?.short ? `; ${plural(held.short, 'block has', 'blocks have')} too few replicas, because there are not enough datanodes` : ''}`
    case 'maintenance': {
      const time = `for another ${formatDuration(Math.max(0, (serviceUntilMs ?? nowMs) - nowMs))}`
      return `in maintenance ${time}${held && held.remaining === 0 ? ': it can be stopped' : `: ${left}`}`
    }
  }
}

async function tellNode(context: CommandContext, node: NodeStatus): Promise<void> {
  const { clock } = await context.world()
  if (context.json) return context.printer.json(node)
  await context.printer.line(`${node.address} is ${serviceOf(node, clock.now())}`)
}
