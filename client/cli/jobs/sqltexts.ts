// Texts of `gristmill sql`: statements of an operand, of a local file, or of stdin.

import { GristmillError } from '../../../src/base/errors.ts'
import { sqlStatements } from '../../../src/base/sqltokens.ts'
import type { CommandContext } from '../context.ts'
import { Refusal } from '../errors.ts'
import { localPath } from '../tree.ts'

/** Statements of a local file. */
export async function statementsInFile(context: CommandContext, name: string): Promise<string[]> {
  if (name === '') throw new GristmillError('EINVAL', 'name the local file that has the statements')
  return sqlStatements(await fileText(context, name))
}

export async function fileText(context: CommandContext, file: string): Promise<string> {
  const { disk } = await context.world()
  const path = localPath(context, file)
  const found = await disk.stat(path, { follow: true })
  if (found?.kind !== 'file') throw new Refusal('ENOENT', `${file}: there is no such local file`, { details: { path: file } })
  return (await disk.readFile(found.path ?? path)).toString('utf8')
}

/** All of stdin. */
export async function inputText({ printer, signal }: CommandContext): Promise<string> {
  const pieces: Buffer[] = []
  for await (const piece of printer.input(signal)) pieces.push(piece)
  return Buffer.concat(pieces).toString('utf8')
}
