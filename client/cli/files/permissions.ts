// chmod and chown: set permissions, given in octal or as a symbolic change, and owner and group.

import { GristmillError } from '../../../src/base/errors.ts'
import { concurrent } from '../concurrent.ts'
import type { CommandContext } from '../context.ts'
import type { CommandSpec } from '../spec.ts'
import { remotePaths, statusToChange, walk, type Walked } from '../tree.ts'
import { recurse } from './options.ts'

export const chmod: CommandSpec = {
  name: 'chmod', args: '<mode> <path...>', about: 'change permissions',
  options: [recurse],
  examples: [
    ['gristmill chmod -R go-w,a+rX /shared', 'symbolic modes as in chmod(1)'],
    ['gristmill chmod 640 /logs/access.log', 'octal mode'],
  ],
  rewrite: words => words.map(word => (/^-[rwxXt]+(,|$)/.test(word) ? `a${word}` : word)),
  run: runChmod,
}

export const chown: CommandSpec = {
  name: 'chown', args: '<owner> <path...>', about: 'change owner, owner:group, or :group',
  options: [recurse],
  examples: [['gristmill chown -R ada:analysts /shared', 'owner and group']],
  run: runChown,
}

async function runChmod(context: CommandContext, operands: readonly string[], options: { recursive?: boolean }): Promise<void> {
  const [text, ...paths] = operands as [string, ...string[]]
  const change = modeOrUsage(text)
  /** The mode, if it does not depend on that of the file. */
  const whole = new Set([0, 0o7777].flatMap(mode => [change(mode, false), change(mode, true)])).size === 1 ? change(0, false) : undefined
  const mill = await context.mill()
  const { signal } = context
  await context.each(remotePaths(context, paths), async path => {
    const top = await statusToChange(mill, path, signal, whole === undefined ? undefined : () => mill.chmod(path, whole, { signal }))
    // Children first: a new mode of the directory may deny this command access to it.
    const all = walk(mill, top, { signal, depthMax: options.recursive ? Infinity : 0, post: true })
    const set = async ({ status }: Walked): Promise<void> => {
      const mode = change(status.mode, status.type === 'directory')
      if (mode !== status.mode) await mill.chmod(status.path, mode, { signal })
    }
    for await (const _ of concurrent(all, set, ({ status }) => status.type === 'directory'));
  })
}

function modeOrUsage(text: string): ReturnType<typeof parseMode> {
  try {
    return parseMode(text)
  } catch (error) {
    throw error instanceof GristmillError ? new GristmillError('USAGE', `${error.message}: gristmill chmod 640 PATH`) : error
  }
}

async function runChown(context: CommandContext, operands: readonly string[], options: { recursive?: boolean }): Promise<void> {
  const [wanted, ...paths] = operands as [string, ...string[]]
  // A path here is the wrong order of operands, and no name of a user begins with a slash.
  const match = /^(?!\/)([^:\s]*)(?::([^:\s]+))?$/.exec(wanted)
  if (!match || (!match[1] && !match[2]))
    throw new GristmillError('USAGE', `"${wanted}" is not an owner; write owner, owner:group or :group, then the paths: gristmill chown ada PATH`)
  const names = { ...(match[1] ? { owner: match[1] } : {}), ...(match[2] ? { group: match[2] } : {}) }
  const mill = await context.mill()
  const { signal } = context
  await context.each(remotePaths(context, paths), async path => {
    const top = await statusToChange(mill, path, signal, () => mill.chown(path, names, { signal }))
    const all = walk(mill, top, { signal, depthMax: options.recursive ? Infinity : 0, post: true })
    // Children first: the caller may lose access to a directory by changing its owner.
    for await (const _ of concurrent(
      all,
      below => mill.chown(below.status.path, names, { signal }),
      below => below.status.type === 'directory',
    ));
  })
}

const bits: Readonly<Record<string, number>> = { r: 4, w: 2, x: 1 }

/** Returns a function from the current mode to the new one. Throws EINVAL for an invalid mode. */
export function parseMode(text: string): (mode: number, directory: boolean) => number {
  if (/^[01]?[0-7]{3}$/.test(text)) {
    const mode = Number.parseInt(text, 8)
    return () => mode
  }
  const clauses = text.split(',').map(clause => {
    const match = /^([ugoa]*)([-+=])([rwxXt]*)$/.exec(clause)
    if (!match) throw new GristmillError('EINVAL', `"${text}" is not a mode; write for instance 640 or u+rw,go-w`)
    return { who: match[1]!, operator: match[2]!, letters: match[3]! }
  })
  return (mode, directory) => clauses.reduce((now, { who, operator, letters }) => {
    const everyone = who === '' || who.includes('a')
    let three = 0
    for (const letter of letters) {
      if (letter === 'X') three |= directory || (now & 0o111) !== 0 ? 1 : 0
      else three |= bits[letter] ?? 0
    }
    let mask = 0
    if (everyone || who.includes('u')) mask |= 0o700
    if (everyone || who.includes('g')) mask |= 0o070
    if (everyone || who.includes('o')) mask |= 0o007
    const sticky = letters.includes('t') ? 0o1000 : 0
    const wanted = ((three * 0o111) & mask) | sticky
    if (operator === '+') return now | wanted
    if (operator === '-') return now & ~wanted
    return (now & ~(mask | (everyone ? 0o1000 : 0))) | wanted
  }, mode)
}
