// datanode: runs a datanode in this process until a signal ends it.

import type { CommandContext } from '../context.ts'
import { serve } from '../serve.ts'

export async function run(context: CommandContext): Promise<void> {
  const { runDatanode } = await import('../../process/datanode.ts')
  await serve(context, runDatanode)
}
