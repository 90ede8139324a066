// completion: prints a completion script for a shell.

import { groups, globals } from '../catalog/globals.ts'
import { GristmillError } from '../../../src/base/errors.ts'
import { completionScript } from '../completion.ts'
import type { CommandContext } from '../context.ts'

export async function run(context: CommandContext, operands: readonly string[]): Promise<void> {
  const shell = operands[0]
  if (shell !== 'bash' && shell !== 'zsh' && shell !== 'fish')
    throw new GristmillError('USAGE', `"${shell}" is not a supported shell; supported are bash, zsh and fish`)
  await context.printer.text(completionScript(shell, { commands: groups.flatMap(group => group.commands), globals }))
}
