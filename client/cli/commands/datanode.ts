// datanode: runs one in this process until a signal ends it.

import type { Context } from '../context.ts'
import { serve } from '../serve.ts'

export async function run(context: Context): Promise<void> {
  const { runDatanode } = await import('../../process/datanode.ts')
  await serve(context, runDatanode)
}
