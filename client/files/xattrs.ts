// `mill.xattrs`: extended attributes, small values under names that start with `user.`. They are kept across renames, and copied by
// `cp` with `preserve`.

import { GristmillError } from '../../src/base/errors.ts'
import { limits } from '../../src/base/limits.ts'
import * as protocol from '../../src/protocol/xattr.ts'
import type { CallMessage } from '../call/cluster.ts'
import { callOptions, shown, textOf, type CallOptions, type Path } from '../call/arguments.ts'
import { perform } from '../call/perform.ts'
import { placed } from './resolve.ts'

export class Xattrs {
  readonly #ask: CallMessage

  constructor(ask: CallMessage) { this.#ask = ask }

  /** Throws ENOENT if the path or the attribute does not exist; `details.name` is set in the second case. */
  get(path: Path, name: string, options?: CallOptions | null): Promise<Buffer> {
    return perform('getxattr', path, callOptions('get', options), async ({ signal }) => {
      const at = await placed(this.#ask, path, signal)
      textOf(name, 'name of the attribute')
      const value = (await this.#all(at, signal)).get(name)
      if (value === undefined) throw new GristmillError('ENOENT', `${at} has no attribute ${name}`, { details: { path: at, name } })
      return value
    })
  }

  /**
   * Creates or replaces an attribute. At most 16 KiB each; 64 KiB and 100 of them per path. Throws ENOENT, EACCES, EINVAL,
   * TOO_LARGE.
   */
  set(path: Path, name: string, value: string | NodeJS.ArrayBufferView, options?: CallOptions | null): Promise<void> {
    return perform('setxattr', path, callOptions('set', options), async ({ signal }) => {
      textOf(name, 'name of the attribute')
      if (typeof value !== 'string' && !ArrayBuffer.isView(value))
        throw new GristmillError('EINVAL', `the value of an attribute is a string or bytes, not ${shown(value)}`)
      if (typeof value === 'string' && !value.isWellFormed())
        throw new GristmillError('EINVAL', `the value of ${name} has half of a surrogate pair, which UTF-8 does not have; give its bytes`)
      const bytes = typeof value === 'string' ? Buffer.from(value) : Buffer.from(value.buffer, value.byteOffset, value.byteLength)
      if (bytes.length > limits.attributeBytesMax)
        throw new GristmillError(
          'TOO_LARGE',
          `the value of ${name} has ${bytes.length} bytes; an extended attribute has at most ${limits.attributeBytesMax}: keep it in a file`,
          { details: { name } },
        )
      await this.#ask(protocol.set, { path: await placed(this.#ask, path, signal), name, value: bytes.toString('base64') }, signal)
    })
  }

  /** All attributes of a path by name, in byte order of the names. Throws ENOENT, EACCES. */
  list(path: Path, options?: CallOptions | null): Promise<Map<string, Buffer>> {
    return perform('listxattr', path, callOptions('list', options), async ({ signal }) =>
      this.#all(await placed(this.#ask, path, signal), signal),
    )
  }

  /** Removes an attribute. Throws ENOENT, EACCES. */
  rm(path: Path, name: string, options?: CallOptions | null): Promise<void> {
    return perform('removexattr', path, callOptions('rm', options), async ({ signal }) => {
      const named = textOf(name, 'name of the attribute')
      await this.#ask(protocol.remove, { path: await placed(this.#ask, path, signal), name: named }, signal)
    })
  }

  async #all(path: string, signal: AbortSignal | undefined): Promise<Map<string, Buffer>> {
    const { attributes } = await this.#ask(protocol.list, { path }, signal)
    return new Map(attributes.map(({ name, value }) => [name, Buffer.from(value, 'base64')]))
  }
}
