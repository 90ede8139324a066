// Clients of S3 in a bucket with versioning, in the simulation: they store, delete and bring back objects, remove versions and read
// them. Each has keys of its own, in directories that they share; answers and lists are compared with the model (versionmodel.ts).
// INVARIANT: no version that was acknowledged is lost or changed before its removal was asked for, whatever fails.

import type { Mill } from 'gristmill'
import type { S3Answer, S3Operation } from '../../client/gateway/s3/operation.ts'
import type { Cluster } from '../kit/contract.ts'
import type { Acks } from './acks.ts'
import { isOneOf, notNow, type Findings } from './change.ts'
import { bytesOf } from './content.ts'
import { contentKey, type Action, type Content } from './plan.ts'
import { askS3, bodyOf, s3NameOf, type S3Asked } from './s3door.ts'
import { VersionModel, type ExpectedVersion, type KnownVersion } from './versionmodel.ts'

type VersionAction = Extract<Action, { readonly kind: 'version' }>

/** The bucket; nothing in it is known to the model of other paths. */
export const versionedBucket = '/barn'

/** What all clients of a run know. */
export class VersionsKnown {
  readonly model = new VersionModel()
  #last = 0
  next(): number { return ++this.#last }
}

interface Parts {
  readonly cluster: Pick<Cluster, 'advance'>
  readonly mill: Mill
  readonly acks: Acks
  readonly findings: Findings
  readonly known: VersionsKnown
}

/** Refusals after which a request had no effect, and that claim nothing. */
const never = ['ENOSPC', 'EBUSY', 'SAFE_MODE', 'LEASE_EXPIRED', 'OperationAborted']

const enabled = '<VersioningConfiguration><Status>Enabled</Status></VersioningConfiguration>'
const setupTriesMax = 600
const setupWaitMs = 1_000

interface ListedVersion { readonly key: string; readonly id: string; readonly latest: boolean; readonly marker: boolean }

export class Versions {
  readonly #parts: Parts
  #isReady = false

  constructor(parts: Parts) { this.#parts = parts }

  async act({ does, path, content, pick }: VersionAction): Promise<void> {
    if (!this.#isReady && !await this.#setUp()) return
    const key = path.slice(versionedBucket.length + 1)
    const of = this.#parts.known.model.of(key)
    switch (does) {
      case 'store': return this.#store(key, content)
      case 'delete': return this.#delete(key)
      case 'undelete': {
        const [newest] = of.older
        return of.inDoubt || of.file || newest === undefined || newest.content !== undefined ? undefined : this.#remove(key, newest.id)
      }
      case 'prune': {
        const found = of.all[pick % Math.max(1, of.all.length)]
        return found && this.#remove(key, found.id)
      }
      case 'clear': {
        for (const { id } of of.all) await this.#remove(key, id)
        return
      }
      case 'get': return this.#get(key)
      case 'getVersion': {
        const found = of.all[pick % Math.max(1, of.all.length)]
        return found && this.#getVersion(key, found)
      }
      case 'list': return this.#list(key)
    }
  }

  /** Compares all keys with the model. REQUIRES: all is healed, nothing was restored. */
  async check(): Promise<void> {
    const { model } = this.#parts.known
    for (const key of model.keys) {
      await this.#list(key)
      await this.#get(key)
      for (const each of model.of(key).all) await this.#getVersion(key, each)
    }
  }

  /** Makes the bucket; returns false if that is not possible in this run. */
  async #setUp(): Promise<boolean> {
    const { cluster, mill, acks, findings } = this.#parts
    for (let tries = 0; tries < setupTriesMax; tries++) {
      try {
        await mill.mkdir(versionedBucket, { recursive: true })
        await this.#ask('PUT', '', { query: { versioning: '' }, body: enabled })
        this.#isReady = true
        return true
      } catch (error) {
        const name = s3NameOf(error)
        if (!isOneOf(notNow, name) && !acks.restored) {
          findings.add(`${versionedBucket}: versioning was refused with ${name}: ${(error as Error).message}`)
          return false
        }
        await cluster.advance(setupWaitMs)
      }
    }
    return false
  }

  #ask(method: S3Operation['method'], key: string, asked: S3Asked = {}): Promise<S3Answer> {
    const { mill, known } = this.#parts
    return askS3({ mill, next: () => known.next(), versioning: 'Enabled' }, method, key === '' ? versionedBucket : pathOf(key), asked)
  }

  /** Makes a change. Without an answer the key is in doubt. `may`: refusals that are right. */
  async #change(key: string, work: () => Promise<S3Answer>, may: readonly string[] = []): Promise<S3Answer | 'refused' | 'unknown'> {
    const { acks, findings, known: { model } } = this.#parts
    try {
      const answer = await work()
      acks.acknowledged++
      return answer
    } catch (error) {
      const name = s3NameOf(error)
      if (isOneOf(notNow, name) && !isOneOf(never, name)) {
        acks.unknowns++
        model.doubt(key)
        return 'unknown'
      }
      acks.refusals++
      if (!isOneOf([...never, ...may], name) && !this.#isFree)
        findings.add(`${pathOf(key)}: refused with ${name}: ${(error as Error).message}`)
      return 'refused'
    }
  }

  /** Nothing can be said of any key: an old state of the cluster was restored. */
  get #isFree(): boolean { return this.#parts.acks.restored }

  async #store(key: string, content: Content): Promise<void> {
    const { acks, findings, known: { model } } = this.#parts
    const of = model.of(key)
    of.sent.push(content)
    const isPossible = !model.isDirectory(key) && !model.isBelowObject(key)
    const put = () => this.#ask('PUT', key, { body: bytesOf(content) })
    const answer = await this.#change(key, put, isPossible && !of.inDoubt ? [] : ['EISDIR', 'ENOTDIR'])
    if (typeof answer === 'string') return
    const id = answer.headers?.['x-amz-version-id']
    if (!isPossible && !of.inDoubt && !this.#isFree) findings.add(`${pathOf(key)}: stored, and its name is that of something else`)
    if (id === undefined) {
      if (!this.#isFree) findings.add(`${pathOf(key)}: stored without a version`)
      return model.doubt(key)
    }
    acks.bytes += content.bytes
    model.stored(key, { id: String(id), content })
  }

  async #delete(key: string): Promise<void> {
    const { findings, known: { model } } = this.#parts
    const of = model.of(key)
    const answer = await this.#change(key, () => this.#ask('DELETE', key))
    if (typeof answer === 'string') return
    const id = answer.headers?.['x-amz-version-id']
    if (id !== undefined) return model.deleted(key, String(id))
    // Below an object there is no key.
    if (!of.inDoubt && !model.isBelowObject(key) && !this.#isFree) findings.add(`${pathOf(key)}: deleted without a delete marker`)
  }

  async #remove(key: string, id: string): Promise<void> {
    const { model } = this.#parts.known
    const answer = await this.#change(key, () => this.#ask('DELETE', key, { query: { versionId: id } }))
    if (answer === 'unknown') model.of(key).mayBeGone.add(id)
    else if (answer !== 'refused') model.removed(key, id)
  }

  async #read(key: string, asked: S3Asked = {}): Promise<Buffer | string> {
    try {
      return await bodyOf(await this.#ask('GET', key, asked))
    } catch (error) {
      return s3NameOf(error)
    }
  }

  async #get(key: string): Promise<void> {
    const { findings, known: { model } } = this.#parts
    const of = model.of(key)
    const found = await this.#read(key)
    if (this.#isFree || (typeof found === 'string' && isOneOf([...notNow, 'OperationAborted'], found))) return
    if (of.inDoubt) {
      if (typeof found !== 'string' && !of.sent.some(each => bytesOf(each).equals(found)))
        findings.add(`${pathOf(key)}: ${found.length} bytes that its client never sent`)
      return
    }
    const content = of.file?.content
    if (content === undefined) {
      if (!isOneOf(['NoSuchKey', 'ENOENT', 'ENOTDIR'], String(found)))
        findings.add(`${pathOf(key)}: is ${typeof found === 'string' ? found : `${found.length} bytes`}, and has no object`)
    } else if (typeof found === 'string') findings.add(`${pathOf(key)}: ${found}, and its object is ${contentKey(content)}`)
    else if (!bytesOf(content).equals(found)) findings.add(`${pathOf(key)}: ${found.length} bytes that are not its object`)
  }

  async #getVersion(key: string, { id, content }: KnownVersion): Promise<void> {
    const { findings, known: { model } } = this.#parts
    const found = await this.#read(key, { query: { versionId: id } })
    if (this.#isFree || (typeof found === 'string' && isOneOf([...notNow, 'OperationAborted'], found))) return
    if (model.of(key).mayBeGone.has(id) && found === 'NoSuchVersion') return
    if (content === undefined) {
      if (found !== 'MethodNotAllowed') findings.add(`${pathOf(key)}: the delete marker ${id} is read as ${String(found).slice(0, 50)}`)
    } else if (typeof found === 'string') findings.add(`${pathOf(key)}: the version ${id} was acknowledged, and there is ${found}`)
    else if (!bytesOf(content).equals(found)) findings.add(`${pathOf(key)}: ${found.length} bytes that are not its version ${id}`)
  }

  /** Pages of three versions. */
  async #list(key: string): Promise<void> {
    const { findings, known: { model } } = this.#parts
    const listed: ListedVersion[] = []
    try {
      for (let place: Record<string, string> | undefined = {}; place;) {
        const { xml = '' }: S3Answer = await this.#ask('GET', '', { query: { versions: '', prefix: key, 'max-keys': '3', ...place } })
        listed.push(...versionsIn(xml).filter(each => each.key === key))
        const [next, id] = ['NextKeyMarker', 'NextVersionIdMarker'].map(name => new RegExp(`<${name}>(.*?)</`).exec(xml)?.[1])
        place = next === undefined ? undefined : { 'key-marker': next, ...id !== undefined && { 'version-id-marker': id } }
      }
    } catch (error) {
      const name = s3NameOf(error)
      if (!isOneOf(notNow, name) && !this.#isFree)
        findings.add(`${pathOf(key)}: its versions cannot be listed: ${name}: ${(error as Error).message}`)
      return
    }
    if (this.#isFree) return
    const of = model.of(key)
    if (of.inDoubt) {
      const ids = new Set(listed.map(({ id }) => id))
      for (const { id } of of.all)
        if (!ids.has(id) && !of.mayBeGone.has(id)) findings.add(`${pathOf(key)}: the version ${id} was acknowledged, and is not listed`)
      return
    }
    // A page has versions before delete markers.
    const wanted = model.expected(key).map(shown).sort()
    const found = listed.map(each => `${each.marker ? 'marker' : 'version'} ${each.id}${each.latest ? ' latest' : ''}`).sort()
    if (wanted.join() !== found.join())
      findings.add(`${pathOf(key)}: its versions are ${found.join(', ') || 'none'}, and should be ${wanted.join(', ') || 'none'}`)
  }
}

const shown = ({ id, content, latest }: ExpectedVersion): string =>
  `${content === undefined ? 'marker' : 'version'} ${id}${latest ? ' latest' : ''}`

function versionsIn(xml: string): ListedVersion[] {
  const pattern = /<(Version|DeleteMarker)>.*?<Key>([^<]*)<\/Key><VersionId>([^<]*)<\/VersionId><IsLatest>(true|false)/g
  return [...xml.matchAll(pattern)].map(([, kind, key, id, latest]) =>
    ({ key: key!, id: id!, latest: latest === 'true', marker: kind === 'DeleteMarker' }))
}

const pathOf = (key: string): string => `${versionedBucket}/${key}`
