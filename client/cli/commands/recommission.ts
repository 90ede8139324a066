// recommission: puts a datanode back into service.

import type { CommandContext } from '../context.ts'
import { saidPlainly, tellNode } from '../nodewait.ts'

export async function run(context: CommandContext, [name]: readonly string[]): Promise<void> {
  const mill = await context.mill()
  await tellNode(context, await saidPlainly(mill.nodes.recommission(name!, { signal: context.signal })))
}
