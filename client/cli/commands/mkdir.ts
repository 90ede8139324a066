// mkdir: new directories, with -p their missing parents too.

import { GristmillError } from '../../../src/base/errors.ts'
import { normalise } from '../../../src/base/paths.ts'
import type { CommandContext } from '../context.ts'

export async function run(context: CommandContext, operands: readonly string[], options: { parents?: boolean; mode?: string }): Promise<void> {
  if (options.mode !== undefined && !/^[01]?[0-7]{3}$/.test(options.mode)) throw new GristmillError('USAGE', `"${options.mode}" is not a mode; write for instance 750`)
  const mode = options.mode === undefined ? {} : { mode: Number.parseInt(options.mode, 8) }
  const mill = await context.mill()
  await context.each(operands, async operand => {
    await mill.mkdir(normalise(operand), { recursive: options.parents === true, ...mode, signal: context.signal })
  })
}
