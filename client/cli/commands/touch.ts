// touch: an empty file, or another modification time.

import { GristmillError } from '../../../src/base/errors.ts'
import type { CommandContext } from '../context.ts'
import { remotePath, statusOrNone } from '../tree.ts'

export async function run(context: CommandContext, operands: readonly string[], options: { create?: boolean; date?: string }): Promise<void> {
  const { signal } = context
  const { clock } = await context.world()
  const time = options.date === undefined ? clock.now() : Date.parse(options.date)
  if (Number.isNaN(time)) throw new GristmillError('USAGE', `"${options.date}" is not a date; write for instance 2026-11-22T10:00`)
  const mill = await context.mill()
  await context.each(operands, async operand => {
    const path = remotePath(operand)
    if (options.create === false && !await statusOrNone(mill, path, signal)) return
    await mill.touch(path, { mtimeMs: time, signal })
  })
}
