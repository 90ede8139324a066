// `mill.acls`: access control lists, who beside owner, group and others may use a file or a directory, as in POSIX.1e and HDFS. Entries are
// texts as those of setfacl: `user:ada:rw-`, `group:staff:r-x`, `mask::r--`, `default:user:ada:rwx`.

import { aclEntriesMax, aclText, parseAcl, wholeAcl, type AclChange, type AclEntry } from '../../src/base/acl.ts'
import { GristmillError } from '../../src/base/errors.ts'
import * as protocol from '../../src/protocol/acl.ts'
import type { ReplyOf } from '../../src/protocol/message.ts'
import { callOptions, shown, type CallOptions, type Path } from '../call/arguments.ts'
import type { CallMessage } from '../call/cluster.ts'
import { perform } from '../call/perform.ts'
import { placed } from './resolve.ts'

type AclReply = ReplyOf<typeof protocol.get>

export interface AclStatus {
  readonly path: string
  readonly owner: string
  readonly group: string
  readonly mode: number
  /** All entries in order: those of owner, group, mask and others too. */
  readonly entries: readonly AclEntry[]
  /** The entries that the mode does not have. */
  readonly extended: readonly AclEntry[]
}

export class Acls {
  readonly #ask: CallMessage

  constructor(ask: CallMessage) { this.#ask = ask }

  /** Throws ENOENT, EACCES. */
  get(path: Path, options?: CallOptions | null): Promise<AclStatus> {
    return perform('getfacl', path, callOptions('get', options), async ({ signal }) => {
      const at = await placed(this.#ask, path, signal)
      const { owner, group, mode, entries }: AclReply = await this.#ask(protocol.get, { path: at }, signal)
      const extended = entries.length > 0 ? parseAcl(entries.join(',')) : []
      return { path: at, owner, group, mode, entries: wholeAcl(mode, extended), extended }
    })
  }

  /** Replaces the access list, the default list, or both: those that entries are given for. Throws ENOENT, EACCES, EINVAL. */
  set(path: Path, entries: readonly string[], options?: CallOptions | null): Promise<void> {
    return this.#change(path, { kind: 'set', entries }, options)
  }

  /** Adds entries, and replaces those of the same user, group or mask. Throws ENOENT, EACCES, EINVAL. */
  modify(path: Path, entries: readonly string[], options?: CallOptions | null): Promise<void> {
    return this.#change(path, { kind: 'modify', entries }, options)
  }

  /** Removes entries, named without permissions: `user:ada`, `default:group:staff`. Throws ENOENT, EACCES, EINVAL. */
  remove(path: Path, entries: readonly string[], options?: CallOptions | null): Promise<void> {
    return this.#change(path, { kind: 'remove', entries }, options)
  }

  /** Removes the default list of a directory. Throws ENOENT, EACCES. */
  removeDefault(path: Path, options?: CallOptions | null): Promise<void> { return this.#change(path, { kind: 'removeDefault' }, options) }

  /** Removes all entries but those of owner, group and others. Throws ENOENT, EACCES. */
  clear(path: Path, options?: CallOptions | null): Promise<void> { return this.#change(path, { kind: 'clear' }, options) }

  #change(
    path: Path, { kind, entries }: { readonly kind: AclChange['kind']; readonly entries?: readonly string[] }, options?: CallOptions | null,
  ): Promise<void> {
    return perform('setfacl', path, callOptions(kind, options), async ({ signal }) => {
      const given = entries === undefined && (kind === 'clear' || kind === 'removeDefault') ? {} : { entries: textsOf(entries, kind) }
      await this.#ask(protocol.change, { path: await placed(this.#ask, path, signal), kind, ...given }, signal)
    })
  }
}

/** Normal texts of entries. Throws EINVAL. */
function textsOf(given: unknown, kind: AclChange['kind']): string[] {
  if (!Array.isArray(given) || given.some(each => typeof each !== 'string' || each.includes(',')))
    throw new GristmillError('EINVAL', `entries of an ACL are an array of texts such as "user:ada:rw-", not ${shown(given)}`)
  const entries = parseAcl(given.join(','), kind !== 'remove')
  if (entries.length > 2 * aclEntriesMax)
    throw new GristmillError('EINVAL', `${entries.length} entries are too many: a list has at most ${aclEntriesMax}`)
  const long = entries.find(({ name = '' }) => name.length > 255)
  if (long) throw new GristmillError('EINVAL', 'a name in the entries of an ACL is too long')
  return entries.map(entry => (kind === 'remove' ? aclText(entry).slice(0, -4) : aclText(entry)))
}
