// decommission: starts copying a datanode's blocks elsewhere. With --wait, returns when all are copied.

import { Refusal } from '../errors.ts'
import type { CommandContext } from '../context.ts'
import { saidPlainly, tellNode, watchNode } from '../nodewait.ts'

export async function run(context: CommandContext, [name]: readonly string[], { wait = false }: { wait?: boolean }): Promise<void> {
  const { signal } = context
  const mill = await context.mill()
  const begun = await saidPlainly(mill.nodes.decommission(name!, { signal }))
  if (!wait) return tellNode(context, begun)
  await tellNode(context, await watchNode(context, begun, ({ service, address }) => {
    if (service !== 'decommissioning' && service !== 'decommissioned')
      throw new Refusal('ABORTED', `${address} was put back into service meanwhile`)
    return service === 'decommissioned'
  }))
}
