// Settings of buckets that requests are decided by: the owner, the rules for pages, the policy and the lifecycle. They are attributes of
// the bucket's directory, read for all callers alike, and remembered for a few seconds.
// INVARIANT: a policy that cannot be read, or that has another form than PutBucketPolicy writes, denies everything.

import { abortable } from '../../../src/base/abort.ts'
import { hasCode } from '../../../src/base/errors.ts'
import type { Clock } from '../../../src/ports/clock.ts'
import type { Mill } from '../../mill.ts'
import { TimedCache } from '../timedcache.ts'
import type { Users } from '../users.ts'
import { corsName, lifecycleName, policyName, versioningName } from './attributes.ts'
import { rulesIn, type CorsRule } from './cors.ts'
import { S3Error } from './errors.ts'
import { lifecycleIn, type LifecycleRule } from './lifecyclerules.ts'
import { bucketPath } from './paths.ts'
import { policyIn, type BucketPolicy } from './statements.ts'
import { isBucketName } from './target.ts'

export interface BucketSetting {
  readonly owner: string
  readonly rules: readonly CorsRule[]
  /** undefined: there is none; 'unreadable': it denies everything. */
  readonly policy: BucketPolicy | 'unreadable' | undefined
  /** For headers of answers only: the namenode decides whether an object gets a version. */
  readonly versioning: string | undefined
  /** For headers of answers only: expiry.ts reads the rules anew before it removes anything. */
  readonly lifecycle: readonly LifecycleRule[]
}

interface BucketSettingsDeps { readonly clock: Pick<Clock, 'mono'>; readonly users: Users }

type Found = Promise<BucketSetting | undefined>

export class BucketSettings {
  readonly #deps: BucketSettingsDeps
  readonly #root: string
  readonly #known: TimedCache<BucketSetting | undefined>

  constructor(deps: BucketSettingsDeps, { root }: { readonly root: string }) {
    this.#deps = deps
    this.#root = root
    this.#known = new TimedCache(deps)
  }

  /**
   * undefined: there is no such bucket. `caller`: user of the request. Throws AccessDenied if it cannot be read. Requests at the same time
   * share a lookup, which does not end with the request that began it: each request waits until its own end.
   */
  async of(bucket: string, { caller, signal }: { readonly caller?: string | undefined; readonly signal: AbortSignal }): Found {
    if (!isBucketName(bucket)) return undefined
    let isOwn = false
    const shared = this.#known.get(bucket, () => {
      isOwn = true
      return this.#find(bucket, caller)
    })
    try {
      return await abortable(shared, signal)
    } catch (error) {
      // The caller of the lookup could not read it; this one may.
      if (isOwn || caller === undefined || !(error instanceof S3Error)) throw error
      return abortable(this.#find(bucket, caller), signal)
    }
  }

  /** A request of this gateway has changed the bucket. */
  forget(bucket: string): void { this.#known.forget(bucket) }

  async #find(bucket: string, caller: string | undefined): Found {
    const { users } = this.#deps
    const path = bucketPath(this.#root, bucket)
    const readers = [users.own, ...caller === undefined || caller === users.own ? [] : [caller]]
    for (const reader of readers) {
      try {
        return await users.as(reader, mill => read(mill, bucket, path))
      } catch (error) {
        if (hasCode(error, 'ENOENT', 'ENOTDIR')) return undefined
        if (!hasCode(error, 'EACCES')) throw error
      }
    }
    const owner = await this.#ownerOf(path, readers)
    if (owner !== undefined && !readers.includes(owner)) {
      try {
        // The owner sees the attributes of a directory without any right to read.
        const attributes = await users.as(owner, mill => mill.xattrs.list(path))
        return settingOf(bucket, owner, name => attributes.get(name)?.toString())
      } catch (error) {
        if (!hasCode(error, 'EACCES')) throw error
      }
    }
    throw new S3Error('AccessDenied', 'Access Denied: the gateway may not read the policy of the bucket.')
  }

  async #ownerOf(path: string, readers: readonly string[]): Promise<string | undefined> {
    for (const reader of readers) {
      try {
        return (await this.#deps.users.as(reader, mill => mill.status(path))).owner
      } catch (error) {
        if (!hasCode(error, 'EACCES')) throw error
      }
    }
    return undefined
  }
}

async function read(mill: Mill, bucket: string, path: string): Promise<BucketSetting | undefined> {
  const { status, attributes } = await mill.objects.get(path, { attributes: [corsName, policyName, versioningName, lifecycleName] })
  return status.type === 'directory' ? settingOf(bucket, status.owner, name => attributes[name]) : undefined
}

function settingOf(bucket: string, owner: string, attribute: (name: string) => string | undefined): BucketSetting {
  const text = attribute(policyName)
  return { owner, rules: rulesIn(attribute(corsName)), policy: text === undefined ? undefined : readable(text, bucket),
    versioning: attribute(versioningName), lifecycle: lifecycleIn(attribute(lifecycleName)) }
}

function readable(text: string, bucket: string): BucketPolicy | 'unreadable' {
  try {
    return policyIn(text, bucket)
  } catch {
    return 'unreadable'
  }
}
