// namenode backup: writes a checked copy of the running namenode's state. The directory is on the namenode's machine; relative
// paths are resolved against the working directory of the command.

import { isAbsolute, join } from 'node:path'
import { formatBytes } from '../../../src/base/units.ts'
import { plural } from '../format.ts'
import type { CommandContext } from '../context.ts'

export async function run(context: CommandContext, directory: string | undefined): Promise<void> {
  const { printer, signal, cwd } = context
  const mill = await context.mill()
  const made = await mill.backup(directory === undefined || isAbsolute(directory) ? directory : join(cwd, directory), { signal })
  if (context.json) return printer.json(made)
  await printer.line(
    `${made.path}: ${plural(made.files, 'file')}, ${plural(made.directories, 'directory', 'directories')} and ${plural(made.blocks, 'block')} up to operation ${made.seq}, ${formatBytes(made.bytes)}, every value checked`,
  )
}
