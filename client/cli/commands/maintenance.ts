// maintenance: lets a datanode be away for a given time. With --wait, returns when every block of it has a replica elsewhere.

import { GristmillError } from '../../../src/base/errors.ts'
import { Refusal } from '../errors.ts'
import type { CommandContext } from '../context.ts'
import { saidPlainly, tellNode, watchNode } from '../nodewait.ts'

export async function run(
  context: CommandContext, [name]: readonly string[],
  options: { for?: number; end?: boolean; wait?: boolean },
): Promise<void> {
  const { for: forMs, end = false, wait = false } = options
  if (end === (forMs !== undefined)) throw new GristmillError('USAGE', 'give either --for with a duration, or --end')
  const { signal } = context
  const mill = await context.mill()
  if (end) return tellNode(context, await saidPlainly(mill.nodes.recommission(name!, { signal })))
  const begun = await saidPlainly(mill.nodes.maintenance(name!, { forMs: forMs!, signal }))
  if (!wait) return tellNode(context, begun)
  await tellNode(
    context,
    await watchNode(context, begun, ({ service, held, address }) => {
      if (service !== 'maintenance') throw new Refusal('ABORTED', `the maintenance of ${address} is over`)
      return held?.remaining === 0
    }),
  )
}
