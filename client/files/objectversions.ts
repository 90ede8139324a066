// The part of `mill.objects` that is about versions: whether a bucket has them, lists, and what is done with one version. Older versions of
// the object NAME are read at `.snapshot/.objects/NAME/VERSION` of its directory.

import { GristmillError } from '../../src/base/errors.ts'
import { limits } from '../../src/base/limits.ts'
import type { FileStatus } from '../../src/protocol/namespace.ts'
import * as protocol from '../../src/protocol/object.ts'
import type { CallMessage } from '../call/cluster.ts'
import { optionsOf, pathOf, shown, type CallOptions, type Path } from '../call/arguments.ts'
import { checkInteger } from '../call/integers.ts'
import { perform } from '../call/perform.ts'
import {
  aboveOf, attributesOf, checkedVersion, checkKeyTexts, namesOf, placeOf, valuesOf, type AttributeOptions, type ObjectAttributes,
  type VersionPlace,
} from './objectarguments.ts'

export interface ObjectEntry {
  readonly key: string
  /** True for a common prefix. */
  readonly rolled: boolean
  readonly status?: FileStatus | undefined
  readonly attributes: ObjectAttributes
}

interface ListVersionsOptions extends AttributeOptions {
  readonly prefix?: string | undefined
  readonly delimiter?: string | undefined
  /** Only what comes behind this version of this key; without a version, behind all of them. */
  readonly after?: VersionPlace | undefined
  readonly limit?: number | undefined
}

export interface ObjectVersion extends ObjectEntry {
  /** undefined for a common prefix. */
  readonly version?: string | undefined
  /** The object as it is, or the delete marker in its place. */
  readonly latest: boolean
  readonly marker: boolean
}

interface VersionPage { readonly entries: readonly ObjectVersion[]; readonly next?: VersionPlace | undefined }

interface RemoveVersionOptions extends CallOptions {
  /** Directory above the path that stays; default: the one right above. */
  readonly keep?: string | undefined
  /** Refuses (ESTALE) the object itself: `older`; or a version that is not all that the key has: `marker`. Default: any version. */
  readonly only?: 'older' | 'marker' | undefined
  /** Names of attributes that make a directory a key: the directory is the version `null` of the path. */
  readonly attributes?: readonly string[] | undefined
}

interface DescribeOptions extends CallOptions {
  readonly attributes?: ObjectAttributes | undefined
  /** Attributes that the version has no longer unless they are given. */
  readonly replaces?: readonly string[] | undefined
}

export class ObjectVersions {
  readonly #ask: CallMessage

  constructor({ ask }: { readonly ask: CallMessage }) { this.#ask = ask }

  /**
   * Whether objects below a directory, the bucket, get versions. With `Enabled` an object that is replaced or deleted there, with `base` or
   * `keep`, stays as an older version. Only for its owner. Throws ENOENT, ENOTDIR, EACCES.
   */
  versioning(path: Path, state: 'Enabled' | 'Suspended', options?: CallOptions | null): Promise<void> {
    return perform('xattr', path, () => optionsOf<CallOptions>(options, 'versioning', { signal: true }), async ({ signal }) => {
      if (state !== 'Enabled' && state !== 'Suspended')
        throw new GristmillError('EINVAL', `versioning is "Enabled" or "Suspended", not ${shown(state)}`)
      await this.#ask(protocol.versioning, { path: pathOf(path), state }, signal)
    })
  }

  /**
   * A page of the versions of the keys below a directory: keys in the order of their UTF-8 bytes, the versions of each from the newest to
   * the oldest. The path of a status is the one under which the version is read. Throws ENOENT, ENOTDIR, EACCES.
   */
  versions(path: Path, options?: ListVersionsOptions | null): Promise<VersionPage> {
    const read = () => optionsOf<ListVersionsOptions>(options, 'versions', {
      prefix: true, delimiter: true, after: true, limit: true, attributes: true, signal: true,
    })
    return perform('scandir', path, read, async ({ prefix = '', delimiter, after, limit = limits.listPageMax, attributes, signal }) => {
      checkInteger('number of versions in a page', limit, 1, limits.listPageMax)
      const place = after === undefined ? undefined : placeOf(after)
      checkKeyTexts({ prefix, delimiter, start: place?.key })
      const { entries, next } = await this.#ask(protocol.versions, {
        path: pathOf(path), prefix, limit, attributes: namesOf(attributes),
        ...delimiter !== undefined && { delimiter }, ...place && { after: place },
      }, signal)
      return {
        entries: entries.map(({ key, rolled = false, status, version, latest = false, marker = false, attributes: found = [] }) => ({
          key, rolled, latest, marker, attributes: attributesOf(found), ...status && { status }, ...version !== undefined && { version },
        })),
        ...next && { next },
      }
    })
  }

  /**
   * Removes one version of the object at a path for good, and directories above, up to `keep`, as `rm` does. If it was the newest one, the
   * version before it becomes the object, unless it is a delete marker. Throws ENOENT if there is no such version, ESTALE,
   * EACCES.
   */
  rmVersion(path: Path, version: string, options?: RemoveVersionOptions | null): Promise<{ readonly marker: boolean }> {
    const read = () => optionsOf<RemoveVersionOptions>(options, 'rmVersion', { keep: true, only: true, attributes: true, signal: true })
    return perform('rm', path, read, async ({ keep, only, attributes, signal }) => {
      const at = pathOf(path)
      if (only !== undefined && only !== 'older' && only !== 'marker')
        throw new GristmillError('EINVAL', `a version is removed only if it is "older" or a "marker", not ${shown(only)}`)
      return this.#ask(protocol.removeVersion, {
        path: at, version: checkedVersion(version), keep: keep === undefined ? aboveOf(at) : pathOf(keep),
        ...only !== undefined && { only }, ...attributes !== undefined && { attributes: namesOf(attributes) },
      }, signal)
    })
  }

  /** Gives a version of an object attributes in place of those that `replaces` names. Throws ENOENT, EISDIR for a delete marker, EACCES. */
  describe(path: Path, version: string, options?: DescribeOptions | null): Promise<void> {
    const read = () => optionsOf<DescribeOptions>(options, 'describe', { attributes: true, replaces: true, signal: true })
    return perform('xattr', path, read, async ({ attributes = {}, replaces, signal }) => {
      await this.#ask(protocol.describe, {
        path: pathOf(path), version: checkedVersion(version), attributes: valuesOf(attributes), replaces: namesOf(replaces),
      }, signal)
    })
  }
}
