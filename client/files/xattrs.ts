// Extended attributes: `mill.xattrs`. Small values under names that start with `user.`, which stay with a file or directory
// wherever it is moved, and are copied by `cp` with `preserve`.

import { GristmillError } from '../../src/base/errors.ts'
import { limits } from '../../src/base/limits.ts'
import { normalise } from '../../src/base/paths.ts'
import * as protocol from '../../src/protocol/xattr.ts'
import type { Ask } from '../jobs/ask.ts'
import { during } from './describe.ts'
import type { CallOptions } from './names.ts'

export class Xattrs {
  readonly #ask: Ask

  constructor(ask: Ask) { this.#ask = ask }

  /** Throws ENOENT if the path, or the attribute, is not there; `details.name` then tells which attribute. */
  get(path: string, name: string, { signal }: CallOptions = {}): Promise<Buffer> {
    return during('getxattr', path, async () => {
      const value = (await this.#all(path, signal)).get(name)
      if (value === undefined) throw new GristmillError('ENOENT', `${normalise(path)} has no attribute ${name}`, { details: { path: normalise(path), name } })
      return value
    })
  }

  /** Makes or replaces one. At most 16 KiB each, 64 KiB and 100 of them together. Throws ENOENT, EACCES, EINVAL, TOO_LARGE. */
  set(path: string, name: string, value: string | Uint8Array, { signal }: CallOptions = {}): Promise<void> {
    return during('setxattr', path, async () => {
      const bytes = typeof value === 'string' ? Buffer.from(value) : Buffer.from(value.buffer, value.byteOffset, value.byteLength)
      if (bytes.length > limits.attributeBytesMax) throw new GristmillError('TOO_LARGE', `the value of ${name} has ${bytes.length} bytes; an extended attribute has at most ${limits.attributeBytesMax}: keep it in a file`, { details: { name } })
      await this.#ask(protocol.set, { path: normalise(path), name, value: bytes.toString('base64') }, signal)
    })
  }

  /** All of a path: values by name, in byte order of the names. Throws ENOENT, EACCES. */
  list(path: string, { signal }: CallOptions = {}): Promise<Map<string, Buffer>> {
    return during('listxattr', path, () => this.#all(path, signal))
  }

  /** Throws ENOENT, EACCES. */
  rm(path: string, name: string, { signal }: CallOptions = {}): Promise<void> {
    return during('removexattr', path, async () => { await this.#ask(protocol.remove, { path: normalise(path), name }, signal) })
  }

  async #all(path: string, signal: AbortSignal | undefined): Promise<Map<string, Buffer>> {
    const { attributes } = await this.#ask(protocol.list, { path: normalise(path) }, signal)
    return new Map(attributes.map(({ name, value }) => [name, Buffer.from(value, 'base64')]))
  }
}
