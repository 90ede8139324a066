// Environment variables of a program: names and values that tasks can be given. Used by the library and, before a cluster is called, by the
// command line.

import { GristmillError } from '../../src/base/errors.ts'
import { limits } from '../../src/base/limits.ts'

/** Throws EINVAL for an invalid variable name, or a variable that affects Node before a program starts. */
export function checkedEnvironment(env: Readonly<Record<string, string>>): Record<string, string> {
  let bytes = 0
  for (const [name, value] of Object.entries(env)) {
    if (!/^[A-Za-z_][A-Za-z0-9_]*$/.test(name) || name === '__proto__')
      throw new GristmillError('EINVAL', `${JSON.stringify(name)} cannot be the name of an environment variable; use letters, digits and _`)
    if (/^(?:NODE_|LD_)/.test(name))
      throw new GristmillError(
        'EINVAL',
        `the environment variable ${name} takes effect when a process starts, and tasks run in processes already started; leave it out`,
      )
    if (typeof value !== 'string' || value.includes('\0'))
      throw new GristmillError(
        'EINVAL',
        `the environment variable ${name} must be a text without NUL, not ${typeof value === 'string' ? 'one with it' : typeof value}`,
      )
    bytes += name.length + Buffer.byteLength(value)
  }
  if (bytes > limits.environmentBytesMax)
    throw new GristmillError(
      'TOO_LARGE',
      `the environment of the program has ${bytes} bytes and may have ${limits.environmentBytesMax}; put large values into files`,
    )
  return { ...env }
}
