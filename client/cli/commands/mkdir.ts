// mkdir: creates directories, with -p also their missing parents.

import { GristmillError, hasCode } from '../../../src/base/errors.ts'
import { normalise, parentOf } from '../../../src/base/paths.ts'
import type { CommandContext } from '../context.ts'
import { Refusal } from '../errors.ts'

export async function run(
  context: CommandContext, operands: readonly string[], options: { parents?: boolean; mode?: string },
): Promise<void> {
  if (options.mode !== undefined && !/^[01]?[0-7]{3}$/.test(options.mode))
    throw new GristmillError('USAGE', `"${options.mode}" is not a mode; write for instance 750`)
  const mode = options.mode === undefined ? {} : { mode: Number.parseInt(options.mode, 8) }
  const mill = await context.mill()
  await context.each(operands, async operand => {
    const path = normalise(operand)
    try {
      await mill.mkdir(path, { recursive: options.parents === true, ...mode, signal: context.signal })
    } catch (error) {
      if (!hasCode(error, 'ENOENT')) throw error
      throw new Refusal('ENOENT', `${path}: the directory ${parentOf(path)} does not exist; add -p to create it as well`, {
        cause: error,
        details: { ...error.details, parent: parentOf(path) },
      })
    }
  })
}
