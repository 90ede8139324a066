// recommission: a datanode is in service again.

import type { CommandContext } from '../context.ts'
import { saidPlainly, tellNode } from '../nodewait.ts'

export async function run(context: CommandContext, [name]: readonly string[]): Promise<void> {
  const mill = await context.mill()
  await tellNode(context, await saidPlainly(mill.nodes.recommission(name!, { signal: context.signal })))
}
