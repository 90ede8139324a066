// Parameters and environment variables of a program, as words of the command line.

import { GristmillError } from '../../../src/base/errors.ts'

/** Parses `name=value`. The value stays a text, which is converted to the type that the program declares. */
export function parseParam(text: string): readonly [string, string] {
  const at = text.indexOf('=')
  if (at < 1) throw new GristmillError('EINVAL', `"${text}" is not a parameter; write name=value`)
  const name = text.slice(0, at)
  if (name === '__proto__') throw new GristmillError('EINVAL', 'the parameter "__proto__" cannot have this name; choose another one')
  return [name, text.slice(at + 1)]
}

/** Values by name. Throws USAGE for a name that occurs twice, as one of its values would be lost. */
export function onceEach<T>(flag: string, given: readonly (readonly [string, T])[]): Record<string, T> {
  const twice = given.map(([name]) => name).find((name, index, names) => names.indexOf(name) !== index)
  if (twice !== undefined) throw new GristmillError('USAGE', `${flag} ${twice} is given twice; give it once`)
  return Object.fromEntries(given)
}
