// chmod: sets permissions, given in octal or as a symbolic change.

import { concurrent } from '../concurrent.ts'
import type { CommandContext } from '../context.ts'
import { GristmillError } from '../../../src/base/errors.ts'
import { parseMode } from '../mode.ts'
import { remotePaths, walk, type Walked } from '../tree.ts'

export async function run(context: CommandContext, operands: readonly string[], options: { recursive?: boolean }): Promise<void> {
  const [text, ...paths] = operands as [string, ...string[]]
  const change = modeOrUsage(text)
  const mill = await context.mill()
  const { signal } = context
  await context.each(remotePaths(context, paths), async path => {
    const top = await mill.status(path, { signal })
    // Children first: a new mode of the directory may deny this command access to it.
    const all = walk(mill, top, { signal, depthMax: options.recursive ? Infinity : 0, post: true })
    const set = async ({ status }: Walked): Promise<void> => {
      const mode = change(status.mode, status.type === 'directory')
      if (mode !== status.mode) await mill.chmod(status.path, mode, { signal })
    }
    for await (const _ of concurrent(all, set, ({ status }) => status.type === 'directory'));
  })
}

function modeOrUsage(text: string): ReturnType<typeof parseMode> {
  try {
    return parseMode(text)
  } catch (error) {
    throw error instanceof GristmillError ? new GristmillError('USAGE', error.message) : error
  }
}
