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
