// Parameters and environment variables of a program, as words of the command line.

import { GristmillError } from '../../../src/base/errors.ts'
import { isKept } from '../../../src/record/integers.ts'
import { poisonedKey } from '../../../src/rpc/body.ts'

/**
 * Parses `name=value`. A value that is JSON (true, a list, an object) is taken as JSON. A number is taken as a number only if it
 * is written as JavaScript writes it: `1.10`, `1e999` and integers beyond 2^53 stay text. Lists and objects with a number that no
 * double holds exactly, or with a repeated name, are refused.
 */
export function parseParam(text: string): readonly [string, unknown] {
  const at = text.indexOf('=')
  if (at < 1) throw new GristmillError('EINVAL', `"${text}" is not a parameter; write name=value`)
  const name = text.slice(0, at)
  if (name === '__proto__') throw new GristmillError('EINVAL', 'the parameter "__proto__" cannot have this name; choose another one')
  const value = text.slice(at + 1)
  let bent: string | undefined
  let parsed: unknown
  try {
    parsed = JSON.parse(value, ((_key: string, item: unknown, { source }: { source?: string }) => {
      if (typeof item === 'number' && !isKept(source!, item)) bent ??= source
      return item
    }) as (key: string, item: unknown) => unknown)
  } catch {
    return [name, value]
  }
  if (typeof parsed === 'number') return [name, String(parsed) === value.trim() ? parsed : value]
  const twice = repeatedName(value)
  if (twice !== undefined)
    throw new GristmillError('EINVAL', `the parameter ${name} has an object with the name ${twice} twice; leave one of them out`)
  const poisoned = poisonedKey(Object.fromEntries([[name, parsed]]))
  if (poisoned !== undefined)
    throw new GristmillError('EINVAL', `the parameter ${name} has an object with the key "${poisoned}", which no parameter may have; rename the key`)
  if (bent === undefined) return [name, parsed]
  throw new GristmillError(
    'EINVAL',
    `the number ${bent} of the parameter ${name} would be changed to ${Number(bent)}; put it in quotes, and the program gets a string`,
  )
}

/** The first name that occurs twice in one object of a JSON text, as written there; undefined if there is none. */
function repeatedName(text: string): string | undefined {
  const open: (Set<string> | undefined)[] = []
  let string = ''
  for (const [token] of text.matchAll(/"(?:[^"\\]|\\.)*"|[{}[\]:]/g)) {
    if (token === '{') open.push(new Set())
    else if (token === '[') open.push(undefined)
    else if (token === '}' || token === ']') open.pop()
    else if (token === ':') {
      const name = JSON.parse(string) as string
      if (open.at(-1)!.has(name)) return string
      open.at(-1)!.add(name)
    } else string = token
  }
  return undefined
}
