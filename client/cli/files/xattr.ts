// xattr: gets, sets, lists and removes extended attributes of files and directories.

import { showText } from '../../../src/base/quote.ts'
import type { CommandContext } from '../context.ts'
import { inOwnWords } from '../errors.ts'
import type { CommandSpec } from '../spec.ts'
import { pad } from '../table.ts'
import { remotePath } from '../tree.ts'

const path = ['<path>', 'a file or directory'] as const
const name = ['<name>', 'begins with "user."'] as const

export const xattr: CommandSpec = {
  name: 'xattr', args: '', about: 'get, set, list or remove extended attributes',
  notes: 'Names start with "user."; a value has up to 16 KiB. Attributes are kept across renames; cp -p copies them.',
  options: [],
  examples: [
    ['gristmill xattr set /grain/rye.txt user.origin "field 7"', 'create or replace an attribute'],
    ['gristmill xattr ls /grain/rye.txt', 'all attributes with their values'],
    ['gristmill xattr rm /grain/rye.txt user.origin', 'remove an attribute'],
  ],
  verbs: [
    {
      name: 'get', args: '<path> <name>', about: 'print the value of an attribute',
      operands: [path, name], notes: 'A value that is not text is shown in base64, with the prefix 0s.',
      options: [], examples: [['gristmill xattr get /grain/rye.txt user.origin', 'its value']],
      run: get,
    },
    {
      name: 'set', args: '<path> <name> <value>', mayBeEmpty: 2, about: 'create or replace an attribute',
      operands: [path, name, ['<value>', 'text of up to 16 KiB; may be empty']],
      options: [], examples: [['gristmill xattr set /grain/rye.txt user.origin "field 7"', 'create or replace an attribute']],
      run: set,
    },
    {
      name: 'ls', args: '<path>', about: 'list attributes with their values',
      operands: [path], notes: 'A value that is not text is shown in base64, with the prefix 0s.',
      options: [], examples: [['gristmill xattr ls /grain/rye.txt', 'one attribute a line']],
      run: list,
    },
    {
      name: 'rm', args: '<path> <name...>', about: 'remove attributes',
      operands: [path, name],
      options: [], examples: [['gristmill xattr rm /grain/rye.txt user.origin', 'remove an attribute']],
      run: remove,
    },
  ],
}

async function get(context: CommandContext, [operand = '', name = '']: readonly string[]): Promise<void> {
  const path = remotePath(operand)
  const mill = await context.mill()
  const value = await inOwnWords(mill.xattrs.get(path, name, { signal: context.signal }))
  if (context.json) await context.printer.json({ path, name, value: value.toString('base64') })
  else await context.printer.text(`${textOf(value)}\n`)
}

async function set(context: CommandContext, [operand = '', name = '', value = '']: readonly string[]): Promise<void> {
  const path = remotePath(operand)
  const mill = await context.mill()
  await mill.xattrs.set(path, name, value, { signal: context.signal })
}

async function list(context: CommandContext, [operand = '']: readonly string[]): Promise<void> {
  const path = remotePath(operand)
  const { printer, signal } = context
  const all = await (await context.mill()).xattrs.list(path, { signal })
  const width = Math.max(0, ...[...all.keys()].map(name => showText(name).length))
  for (const [name, value] of all) {
    if (context.json) await printer.json({ path, name, value: value.toString('base64') }, { compact: true })
    else await printer.line(`${pad(showText(name), width)}  ${showText(textOf(value))}`)
  }
}

async function remove(context: CommandContext, [operand = '', ...names]: readonly string[]): Promise<void> {
  const path = remotePath(operand)
  const mill = await context.mill()
  await context.each(names, name => inOwnWords(mill.xattrs.rm(path, name, { signal: context.signal })))
}

/** A value as text; in base64 with the prefix 0s, like getfattr, if it is not text. */
function textOf(value: Buffer): string {
  const text = value.toString('utf8')
  return Buffer.from(text).equals(value) && !text.includes('\0') ? text : `0s${value.toString('base64')}`
}
