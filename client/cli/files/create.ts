// mkdir and touch: create directories and empty files, and set modification times.

import { GristmillError, hasCode } from '../../../src/base/errors.ts'
import { normalise, parentOf } from '../../../src/base/paths.ts'
import { isPattern } from '../../glob/pattern.ts'
import type { CommandContext } from '../context.ts'
import { Refusal } from '../errors.ts'
import { option, type CommandSpec } from '../spec.ts'
import { shellWord } from '../target.ts'
import { matchesOf, pathToWrite, remotePath } from '../tree.ts'

export const mkdir: CommandSpec = {
  name: 'mkdir', args: '<path...>', about: 'create directories',
  options: [
    option('-p, --parents', 'create missing parents; no error if the directory exists'),
    option('-m, --mode <mode>', 'permissions, in octal'),
  ],
  examples: [['gristmill mkdir -p /logs/2026/11', 'with parents']],
  run: runMkdir,
}

export const touch: CommandSpec = {
  name: 'touch', args: '<path...>',
  about: 'create empty files, or set modification times',
  options: [
    option('-c, --no-create', 'do not create files'),
    option('-d, --date <date>', 'set this time instead of the current time, for instance 2026-11-22T10:00'),
  ],
  examples: [['gristmill touch /flags/ready', 'an empty file']],
  run: runTouch,
}

async function runMkdir(
  context: CommandContext, operands: readonly string[], options: { parents?: boolean; mode?: string },
): Promise<void> {
  if (options.mode !== undefined && !/^[01]?[0-7]{3}$/.test(options.mode))
    throw new GristmillError('USAGE', `"${options.mode}" is not a mode; write for instance 750`)
  const mode = options.mode === undefined ? {} : { mode: Number.parseInt(options.mode, 8) }
  const mill = await context.mill()
  await context.each(operands, async operand => {
    const path = normalise(await pathToWrite(context, operand))
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

/** A pattern stands for all paths that it matches, and for itself, a new name, without a match. */
async function* writable(context: CommandContext, operands: readonly string[]): AsyncGenerator<string> {
  for (const operand of operands) {
    const matches = isPattern(operand) ? await matchesOf(context, operand) : []
    if (matches.length > 0) yield* matches
    else yield pathToWrite(context, operand)
  }
}

async function runTouch(
  context: CommandContext, operands: readonly string[], options: { create?: boolean; date?: string },
): Promise<void> {
  const { signal } = context
  const { clock } = await context.world()
  const time = options.date === undefined ? clock.now() : Date.parse(options.date)
  if (Number.isNaN(time)) throw new GristmillError('USAGE', `"${options.date}" is not a date; write for instance 2026-11-22T10:00`)
  const mill = await context.mill()
  await context.each(writable(context, operands), async operand => {
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
