// Removes the objects that have expired by the lifecycle of their bucket, and aborts unfinished uploads: of all buckets each hour, and of
// one bucket when its rules are set. Each gateway does so: what another one has removed is gone already.
// INVARIANT: objects are removed in the name of the bucket's owner, who alone sets rules, and only the object that was looked at: one that
// is stored again meanwhile stays. Ages are measured with a clock that does not follow jumps of the wall clock.

import { hasCode } from '../../../src/base/errors.ts'
import { join, nameOf } from '../../../src/base/paths.ts'
import type { Clock } from '../../../src/ports/clock.ts'
import type { Log } from '../../../src/ports/log.ts'
import { limits } from '../../../src/base/limits.ts'
import { uploadsDirectory } from '../../../src/protocol/object.ts'
import type { Mill } from '../../mill.ts'
import type { ObjectEntry } from '../../files/objects.ts'
import type { Users } from '../users.ts'
import { etagName, lifecycleName, objectNames, tagsName } from './attributes.ts'
import { hasExpired, isAbandoned, lifecycleIn, type LifecycleRule } from './lifecyclerules.ts'
import { isAboutVersions, VersionExpiry, type ExpiredVersion } from './noncurrent.ts'
import { directoryOf, fileOf, isDirectoryKey } from './paths.ts'
import { isBucketName } from './target.ts'
import { openUploads } from './uploads.ts'

const everyMs = 3_600_000

interface ExpiryDeps {
  readonly clock: Clock
  readonly log: Pick<Log, 'info' | 'warn'>
  readonly users: Users
}

export class Expiry {
  readonly #deps: ExpiryDeps
  readonly #root: string
  readonly #startMs: number
  readonly #ending = new AbortController()
  #cancel: () => void = () => {}
  /** One run at a time. */
  #running: Promise<void> = Promise.resolve()

  constructor(deps: ExpiryDeps, { root }: { readonly root: string }) {
    this.#deps = deps
    this.#root = root
    this.#startMs = deps.clock.now() - deps.clock.mono()
    this.#wait()
  }

  /** The rules of a bucket were set. */
  soon(bucket: string): void { this.#begin(() => this.#look(bucket)) }

  async stop(): Promise<void> {
    this.#cancel()
    this.#ending.abort()
    await this.#running
  }

  #wait(): void {
    this.#cancel = this.#deps.clock.after(everyMs, () => {
      this.#begin(() => this.#lookAtAll())
      this.#wait()
    })
  }

  #begin(work: () => Promise<void>): void {
    this.#running = this.#running.then(async () => {
      if (this.#ending.signal.aborted) return
      try {
        await work()
      } catch (error) {
        if (!this.#ending.signal.aborted) this.#deps.log.warn('the lifecycle of buckets could not be applied; it is tried again in an hour', { error })
      }
    })
  }

  async #lookAtAll(): Promise<void> {
    const { users } = this.#deps
    const { signal } = this.#ending
    const names: string[] = []
    let after: string | undefined
    do {
      const page = await users.as(users.own, mill => mill.listPage(this.#root, { after, limit: limits.listPageMax, signal }))
      names.push(...page.entries.filter(({ type }) => type === 'directory').map(({ path }) => nameOf(path)).filter(isBucketName))
      after = page.next
    } while (after !== undefined)
    for (const name of names) {
      await this.#look(name).catch((error: unknown) => {
        if (signal.aborted) throw error
        this.#deps.log.warn(`the lifecycle of the bucket ${name} could not be applied; it is tried again in an hour`, { error })
      })
    }
  }

  async #look(bucket: string): Promise<void> {
    const { users, clock, log } = this.#deps
    const { signal } = this.#ending
    const path = join(this.#root, bucket)
    const nowMs = this.#startMs + clock.mono()
    const { owner } = await users.as(users.own, mill => mill.status(path, { signal }))
    const rules = await users.as(owner, async mill => lifecycleIn((await mill.xattrs.list(path,
    { signal })).get(lifecycleName)?.toString()))
    if (rules.length === 0) return
    const removed = await users.as(owner, mill => expire(mill, { bucket: path, rules, nowMs, signal }))
    const versions = await users.as(owner, mill => expireVersions(mill, { bucket: path, rules, nowMs, signal }))
    const aborted = await this.#abort(bucket, rules, nowMs)
    const failed = removed.failed + versions.failed
    if (removed.objects + versions.objects + failed + aborted > 0)
      log.info('applied the lifecycle of a bucket', { bucket, removed: removed.objects, versions: versions.objects, failed, aborted })
  }

  /** Uploads of all users, as far as this process may see them: the bucket that they are for has the rule. */
  async #abort(bucket: string, rules: readonly LifecycleRule[], nowMs: number): Promise<number> {
    const { users } = this.#deps
    const { signal } = this.#ending
    if (!rules.some(({ abortDays }) => abortDays !== undefined)) return 0
    const old = await users.as(users.own, async mill => {
      const found: { id: string; owner: string }[] = []
      for await (const upload of openUploads({ mill, signal }))
        if (upload.bucket === bucket && (upload.root ?? this.#root) === this.#root
          && isAbandoned(rules, { key: upload.key, begunMs: upload.mtimeMs }, nowMs)) found.push(upload)
      return found
    })
    for (const { id, owner } of old)
      await users.as(owner, mill => mill.rm(`${uploadsDirectory}/${id}`, { recursive: true, force: true, skipTrash: true, signal }))
    return old.length
  }
}

interface Expiring {
  readonly bucket: string
  readonly rules: readonly LifecycleRule[]
  readonly nowMs: number
  readonly signal: AbortSignal
}

/** `bucket`: path. An object that cannot be removed is left for the next time. */
async function expire(mill: Mill, { bucket, rules, nowMs, signal }: Expiring): Promise<{ objects: number; failed: number }> {
  let [objects, failed] = [0, 0]
  let after: string | undefined
  do {
    const page = await mill.objects.list(bucket, { after, attributes: [etagName, tagsName], signal })
    for (const entry of page.entries) {
      if (!isOld(entry, rules, nowMs)) continue
      try {
        await remove(mill, { bucket, entry, signal })
        objects++
      } catch (error) {
        if (signal.aborted) throw error
        if (!hasCode(error, 'ENOENT', 'ESTALE')) failed++
      }
    }
    after = page.next
  } while (after !== undefined)
  return { objects, failed }
}

/** Removes older versions and delete markers. What was added or taken meanwhile is for the next time. */
async function expireVersions(mill: Mill, { bucket, rules, nowMs, signal }: Expiring): Promise<{ objects: number; failed: number }> {
  let [objects, failed] = [0, 0]
  if (!isAboutVersions(rules)) return { objects, failed }
  const expiry = new VersionExpiry(rules, nowMs)
  const removeAll = async (expired: readonly ExpiredVersion[]): Promise<void> => {
    for (const { key, version, isOlder } of expired) {
      try {
        const only = isOlder ? 'older' : 'marker'
        const keys = isDirectoryKey(key) && { attributes: objectNames }
        await mill.objects.rmVersion(fileOf(bucket, key), version, { keep: bucket, only, ...keys, signal })
        objects++
      } catch (error) {
        if (signal.aborted) throw error
        if (!hasCode(error, 'ENOENT', 'ESTALE')) failed++
      }
    }
  }
  let after: { readonly key: string; readonly version?: string | undefined } | undefined
  do {
    const page = await mill.objects.versions(bucket, { after, attributes: [tagsName], signal })
    // The markers of keys whose versions go now come after them.
    for (const entry of page.entries) await removeAll(expiry.take(entry))
    after = page.next
  } while (after !== undefined)
  await removeAll(expiry.end())
  return { objects, failed }
}

function isOld({ key, status, attributes }: ObjectEntry, rules: readonly LifecycleRule[], nowMs: number): boolean {
  // A directory that other doors have made is no object that expires.
  if (!status || (status.type === 'directory' && attributes[etagName] === undefined)) return false
  const bytes = status.type === 'directory' ? 0 : status.length
  return hasExpired(rules, { key, bytes, mtimeMs: status.mtimeMs, tags: new URLSearchParams(attributes[tagsName] ?? '') }, nowMs)
}

function remove(
  mill: Mill, { bucket, entry: { key, status },
    signal }: { readonly bucket: string; readonly entry: ObjectEntry; readonly signal: AbortSignal },
): Promise<unknown> {
  if (status?.type === 'directory')
    return mill.objects.rm(directoryOf(bucket, key), { keep: bucket, directory: true, attributes: objectNames, signal })
  const asked = { keep: bucket, expect: { id: status!.id }, ...isDirectoryKey(key) && { attributes: objectNames }, signal }
  return mill.objects.rm(fileOf(bucket, key), asked)
}
