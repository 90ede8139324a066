// xattr: gets, sets, lists and removes extended attributes of files and directories.

import { GristmillError } from '../../../src/base/errors.ts'
import { showText } from '../../../src/base/quote.ts'
import { inOwnWords } from '../errors.ts'
import type { CommandContext } from '../context.ts'
import { pad } from '../table.ts'
import { remotePath } from '../tree.ts'

interface Verb {
  readonly min: number
  readonly max: number
  readonly usage: string
  readonly run: (context: CommandContext, path: string, operands: readonly string[]) => Promise<void>
}

const verbs: Record<string, Verb> = {
  get: { min: 2, max: 2, usage: 'get <path> <name>', run: get },
  set: { min: 3, max: 3, usage: 'set <path> <name> <value>', run: set },
  ls: { min: 1, max: 1, usage: 'ls <path>', run: list },
  rm: { min: 2, max: Infinity, usage: 'rm <path> <name...>', run: remove },
}

export async function run(context: CommandContext, [word = '', ...operands]: readonly string[]): Promise<void> {
  const verb = Object.hasOwn(verbs, word) ? verbs[word] : undefined
  if (!verb) throw new GristmillError('USAGE', `xattr knows ${Object.keys(verbs).join(', ')}, not "${word}"`)
  if (operands.length < verb.min || operands.length > verb.max) throw new GristmillError('USAGE', `write: gristmill xattr ${verb.usage}`)
  const [path = '', ...rest] = operands
  await verb.run(context, remotePath(path), rest)
}

async function get(context: CommandContext, path: string, [name = '']: readonly string[]): Promise<void> {
  const mill = await context.mill()
  const value = await inOwnWords(mill.xattrs.get(path, name, { signal: context.signal }))
  if (context.json) await context.printer.json({ path, name, value: value.toString('base64') })
  else await context.printer.text(`${textOf(value)}\n`)
}

async function set(context: CommandContext, path: string, [name = '', value = '']: readonly string[]): Promise<void> {
  const mill = await context.mill()
  await mill.xattrs.set(path, name, value, { signal: context.signal })
}

async function list(context: CommandContext, path: string): Promise<void> {
  const { printer, signal } = context
  const all = await (await context.mill()).xattrs.list(path, { signal })
  const width = Math.max(0, ...[...all.keys()].map(name => showText(name).length))
  for (const [name, value] of all) {
    if (context.json) await printer.json({ path, name, value: value.toString('base64') }, { compact: true })
    else await printer.line(`${pad(showText(name), width)}  ${showText(textOf(value))}`)
  }
}

async function remove(context: CommandContext, path: string, names: readonly string[]): Promise<void> {
  const mill = await context.mill()
  await context.each(names, name => inOwnWords(mill.xattrs.rm(path, name, { signal: context.signal })))
}

/** A value as text; in base64 with the prefix 0s, like getfattr, if it is not text. */
function textOf(value: Buffer): string {
  const text = value.toString('utf8')
  return Buffer.from(text).equals(value) && !text.includes('\0') ? text : `0s${value.toString('base64')}`
}
