// namenode: runs one in this process until a signal ends it.

import type { Context } from '../context.ts'
import { serve } from '../serve.ts'

export async function run(context: Context): Promise<void> {
  const { runNamenode } = await import('../../process/namenode.ts')
  await serve(context, runNamenode)
}
