// touch: creates empty files, or sets modification times.

import { GristmillError, hasCode } from '../../../src/base/errors.ts'
import { normalise, parentOf } from '../../../src/base/paths.ts'
import type { CommandContext } from '../context.ts'
import { Refusal } from '../errors.ts'
import { shellWord } from '../target.ts'
import { remotePath } from '../tree.ts'

export async function run(
  context: CommandContext, operands: readonly string[], options: { create?: boolean; date?: string },
): Promise<void> {
  const { signal } = context
  const { clock } = await context.world()
  const time = options.date === undefined ? clock.now() : Date.parse(options.date)
  if (Number.isNaN(time)) throw new GristmillError('USAGE', `"${options.date}" is not a date; write for instance 2026-11-22T10:00`)
  const mill = await context.mill()
  await context.each(operands, async operand => {
    const path = remotePath(operand)
    const bare = normalise(operand)
    const found = await mill.status(bare, { signal }).catch((error: unknown) => {
      if (!hasCode(error, 'ENOENT')) throw error
      return undefined
    })
    if (found?.type === 'file' && path !== bare) throw new Refusal('ENOTDIR', `${operand}: not a directory`, { details: { path } })
    if (options.create === false && !found) return
    try {
      await mill.touch(path, { mtimeMs: time, signal })
    } catch (error) {
      if (!hasCode(error, 'ENOENT') || typeof error.details['missing'] !== 'string') throw error
      const parent = parentOf(bare)
      throw new Refusal(
        'ENOENT',
        `${operand}: the directory ${parent} does not exist; create it with: gristmill mkdir -p ${shellWord(parent)}`,
        { cause: error, details: { ...error.details, parent } },
      )
    }
  })
}
