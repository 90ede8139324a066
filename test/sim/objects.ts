// Clients of S3 in the simulation: each action is the dialect's own operation on a client of the cluster, without HTTP and signatures.
// Their answers are compared with the model, and counted: a condition is met by one writer, and an upload ends once.

import type { Mill } from 'gristmill'
import type { S3Answer, S3Operation } from '../../client/gateway/s3/operation.ts'
import { compareKeys, namesOfKey } from '../../src/protocol/objectkey.ts'
import { absent, keyOf, type Acks, type State } from './acks.ts'
import { isOneOf, notNow, type Findings } from './change.ts'
import { bytesOf } from './content.ts'
import type { ObjectCounts } from './objectcounts.ts'
import { contentKey, type Action, type Content } from './plan.ts'
import { askS3, bodyOf, md5, s3NameOf, type S3Asked } from './s3door.ts'

export type ObjectAction = Extract<Action, { readonly kind: 'object' }>

interface Parts { readonly mill: Mill; readonly acks: Acks; readonly findings: Findings; readonly counts: ObjectCounts }

/** Errors of the dialect that say what the path was, and are no finding where another client may have changed it. */
const conditional = ['PreconditionFailed', 'EEXIST', 'ESTALE', 'NoSuchKey', 'ENOENT', 'OperationAborted', 'InvalidPart', 'NoSuchUpload']

type Beside = 'none' | 'abort' | 'part'

/** How the completions of an upload ended: entity tags of those that succeeded, names of the refusals of the others. */
interface Completed {
  readonly ended: readonly PromiseSettledResult<S3Answer>[]
  readonly told: readonly string[]
  readonly isAborted: boolean
}

const completedTag = /<ETag>&quot;(.*?)&quot;/

/** Of several completions: the one that succeeded, otherwise one that may have, otherwise the first refusal. */
function answerOf({ ended }: Completed): S3Answer {
  const ok = ended.find(each => each.status === 'fulfilled')
  if (ok) return ok.value
  const refused = ended as readonly PromiseRejectedResult[]
  throw (refused.find(each => isOneOf(notNow, s3NameOf(each.reason))) ?? refused[0]!).reason
}

export class Objects {
  readonly #parts: Parts
  constructor(parts: Parts) { this.#parts = parts }

  act({ does, path, content, from, parts }: ObjectAction): Promise<unknown> {
    switch (does) {
      case 'put': return this.#put(path, content, {})
      case 'claim': return this.#claim(path, content)
      case 'replace': return this.#replace(path, content)
      case 'delete': return this.#remove(path, undefined)
      case 'withdraw': return this.#withdraw(path)
      case 'copy': return this.#copy(from, path)
      case 'touch': return Promise.all([this.#touch(path), this.#put(path, content, {})])
      case 'join': return this.#join(path, content, parts)
      case 'get': return this.#get(path)
      case 'list': return this.#list(path)
    }
  }

  #ask(method: S3Operation['method'], path: string, asked: S3Asked = {}): Promise<S3Answer> {
    const { mill, counts } = this.#parts
    return askS3({ mill, next: () => counts.next() }, method, path, asked)
  }

  /** Announces a change to the model, makes it, and returns the answer if it was acknowledged, or the name of the refusal. */
  async #change(path: string, state: State, work: () => Promise<S3Answer>): Promise<S3Answer | string> {
    const { acks, findings } = this.#parts
    const pending = acks.begin(new Map([[pathOf(path), state]]))
    try {
      const answer = await work()
      pending.acknowledged()
      return answer
    } catch (error) {
      const name = s3NameOf(error)
      if (isOneOf(notNow, name) && !isOneOf(['ENOSPC', 'EBUSY', 'SAFE_MODE', 'LEASE_EXPIRED'], name)) {
        pending.unknown()
        return 'unknown'
      }
      pending.refused()
      if (!isOneOf(notNow, name) && !isOneOf(conditional, name) && !acks.restored && acks.certain(bucketOf(path))?.kind === 'directory')
        findings.add(`${path}: refused with ${name}: ${(error as Error).message}`)
      return name
    }
  }

  async #put(path: string, content: Content, headers: Record<string, string>): Promise<S3Answer | string> {
    const etag = this.#known(content)
    const answer = await this.#change(path, { kind: 'file', content }, () => this.#ask('PUT', path, { headers, body: bytesOf(content) }))
    if (typeof answer !== 'string' || answer === 'unknown') this.#parts.counts.made(path, etag)
    if (typeof answer !== 'string' && answer.headers?.['etag'] !== `"${etag}"`)
      this.#parts.findings.add(`${path}: the answer to a write has the entity tag ${answer.headers?.['etag']}, not that of its bytes`)
    return answer
  }

  async #claim(path: string, content: Content): Promise<void> {
    const { acks, findings, counts } = this.#parts
    const stop = acks.observe(pathOf(path))
    const answer = await this.#put(path, content, { 'if-none-match': '*' })
    const states = stop().filter(state => keyOf(state) !== keyOf({ kind: 'file', content }))
    if (typeof answer !== 'string') counts.claimed(path)
    else if (isOneOf(['PreconditionFailed', 'EEXIST'], answer) && !acks.restored && states.every(state => state.kind === 'absent'))
      findings.add(`${path}: refused because it exists, and it did not`)
  }

  async #etag(path: string): Promise<string | undefined> {
    try {
      return String((await this.#ask('HEAD', path)).headers?.['etag']).replaceAll('"', '')
    } catch {
      return undefined
    }
  }

  async #replace(path: string, content: Content): Promise<void> {
    const etag = await this.#etag(path)
    if (etag === undefined) return
    const answer = await this.#put(path, content, { 'if-match': `"${etag}"` })
    if (typeof answer !== 'string') this.#parts.counts.met(path, etag)
  }

  async #remove(path: string, etag: string | undefined): Promise<void> {
    const { counts } = this.#parts
    const headers: Record<string, string> = etag === undefined ? {} : { 'if-match': `"${etag}"` }
    const answer = await this.#change(path, absent, () => this.#ask('DELETE', path, { headers }))
    if (typeof answer !== 'string' || answer === 'unknown') counts.removed(path)
    if (typeof answer !== 'string' && etag !== undefined) counts.met(path, etag)
  }

  async #withdraw(path: string): Promise<void> {
    const etag = await this.#etag(path)
    if (etag !== undefined) await this.#remove(path, etag)
  }

  /** REQUIRES: only this client writes the source, so that the model knows what is copied. */
  async #copy(from: string, to: string): Promise<void> {
    const state = this.#parts.acks.certain(pathOf(from))
    if (state?.kind !== 'file') return
    const etag = this.#known(state.content)
    const answer = await this.#change(to, state, () => this.#ask('PUT', to, { headers: { 'x-amz-copy-source': encodeURI(from) } }))
    if (typeof answer !== 'string' || answer === 'unknown') this.#parts.counts.made(to, etag)
  }

  /** A copy onto itself changes the metadata and no bytes, whatever is written meanwhile. */
  async #touch(path: string): Promise<void> {
    const { acks, findings, counts } = this.#parts
    const stop = acks.observe(pathOf(path))
    let name = ''
    try {
      await this.#ask('PUT', path, {
        headers: { 'x-amz-copy-source': encodeURI(path), 'x-amz-metadata-directive': 'REPLACE', 'x-amz-meta-n': String(counts.next()) },
      })
    } catch (error) {
      name = s3NameOf(error)
      if (!isOneOf([...notNow, ...conditional], name) && !acks.restored && acks.certain(bucketOf(path))?.kind === 'directory')
        findings.add(`${path}: a copy onto itself was refused with ${name}: ${(error as Error).message}`)
    }
    // The one that was copied, or may have been.
    for (const state of stop()) if (state.kind === 'file' && !isOneOf(conditional, name)) counts.made(path, this.#known(state.content))
  }

  /** Entity tag of a content that is stored as a whole. */
  #known(content: Content): string {
    const etag = md5(bytesOf(content))
    this.#parts.counts.contents.set(etag, contentKey(content))
    return etag
  }

  /** An upload of parts, some sent twice. Returns its id, or nothing where it was refused. */
  async #upload(path: string, pieces: readonly Buffer[]): Promise<string | undefined> {
    const { acks, findings } = this.#parts
    try {
      const begun = await this.#ask('POST', path, { query: { uploads: '' } })
      const uploadId = /<UploadId>(.*?)<\/UploadId>/.exec(begun.xml ?? '')![1]!
      const send = (number: number, body: Buffer) => this.#ask('PUT', path, { query: { uploadId, partNumber: String(number) }, body })
      if (pieces.length > 1) await send(2, Buffer.from('another part'))
      await Promise.all(pieces.map((piece, i) => send(i + 1, piece)))
      return uploadId
    } catch (error) {
      const name = s3NameOf(error)
      if (!isOneOf([...notNow, ...conditional, 'NoSuchBucket'], name) && !acks.restored)
        findings.add(`${path}: an upload was refused with ${name}: ${(error as Error).message}`)
      return undefined
    }
  }

  /** Three completions at once, and beside them sometimes an abort, or a part that is sent again. */
  async #complete(path: string, { uploadId, list, beside }: { uploadId: string; list: string; beside: Beside }): Promise<Completed> {
    const query = { uploadId }
    let isAborted = false
    const completions = Promise.allSettled([1, 2, 3].map(() => this.#ask('POST', path, { query, body: list })))
    if (beside === 'abort') await this.#ask('DELETE', path, { query }).then(() => { isAborted = true }, () => {})
    if (beside === 'part') await this.#ask('PUT', path, { query: { ...query, partNumber: '1' }, body: 'too late' }).catch(() => {})
    const ended = await completions
    const tagOf = ({ xml = '' }: S3Answer): string => completedTag.exec(xml)?.[1] ?? ''
    const told = ended.map(each => (each.status === 'rejected' ? s3NameOf(each.reason) : tagOf(each.value)))
    return { ended, told, isAborted }
  }

  async #join(path: string, content: Content, parts: number): Promise<void> {
    const { acks, findings, counts } = this.#parts
    const bytes = bytesOf(content)
    const cut = (i: number) => Math.floor(bytes.length * i / parts)
    const pieces = Array.from({ length: parts }, (_, i) => bytes.subarray(cut(i), cut(i + 1)))
    const beside = (['none', 'abort', 'part'] as const)[content.id.length % 3]!
    const uploadId = await this.#upload(path, pieces)
    if (uploadId === undefined) return
    const named = pieces.map((piece, i) => `<Part><PartNumber>${i + 1}</PartNumber><ETag>${md5(piece)}</ETag></Part>`)
    const list = `<CompleteMultipartUpload>${named.join('')}</CompleteMultipartUpload>`
    const etag = `${md5(Buffer.concat(pieces.map(piece => Buffer.from(md5(piece), 'hex'))))}-${parts}`
    counts.contents.set(etag, contentKey(content))
    this.#known(content)
    const before = acks.certain(pathOf(path))
    const stop = acks.observe(pathOf(path))
    let completed: Completed | undefined
    const answer = await this.#change(path, { kind: 'file', content }, async () => {
      completed = await this.#complete(path, { uploadId, list, beside })
      return answerOf(completed)
    })
    if (completed === undefined) return
    const { told, isAborted } = completed
    if (typeof answer !== 'string' || answer === 'unknown') counts.made(path, etag)
    else if (!isAborted) await this.#ask('DELETE', path, { query: { uploadId } }).catch(() => {})
    const states = stop()
    if (acks.restored) return
    if (typeof answer === 'string') {
      if (told.every(each => each === 'NoSuchUpload') && beside !== 'abort')
        findings.add(`${path}: no completion of an upload found it, and none of them had completed it`)
      return
    }
    const itsOwn = keyOf({ kind: 'file', content })
    if (before !== undefined && states.every(state => [keyOf(before), itsOwn].includes(keyOf(state))) && told.includes('NoSuchUpload'))
      findings.add(`${path}: a completion found no upload, and the object was made of it`)
    if (isAborted) findings.add(`${path}: an upload was both completed and aborted`)
    if (!told.includes(etag)) findings.add(`${path}: the parts of an upload were joined to ${told.join(', ')}, not to ${etag}`)
  }

  async #get(path: string): Promise<void> {
    const { acks, findings, counts } = this.#parts
    const stop = acks.observe(pathOf(path))
    let found: Buffer | undefined
    let etag = ''
    try {
      const answer = await this.#ask('GET', path)
      etag = String(answer.headers?.['etag']).replaceAll('"', '')
      found = await bodyOf(answer)
    } catch (error) {
      const name = s3NameOf(error)
      if (!isOneOf(['NoSuchKey', 'ENOENT', 'ESTALE'], name)) {
        if (!isOneOf([...notNow, 'OperationAborted'], name))
          findings.add(`${path}: reading failed with ${name}: ${(error as Error).message}`)
        return void stop()
      }
      // A file that was replaced while it was read says so with ENOENT.
      if (etag !== '') return void stop()
    }
    const states = stop()
    if (found === undefined) {
      if (states.every(state => state.kind === 'file'))
        findings.add(`${path}: there is no such object, and it can only be ${states.map(keyOf).join(' or ')}`)
      return
    }
    const is = states.find(state => state.kind === 'file' && bytesOf(state.content).equals(found))
    if (is?.kind !== 'file') findings.add(`${path}: ${found.length} bytes that no client wrote here, or ones that were replaced before`)
    else if (counts.contents.get(etag) !== contentKey(is.content)) findings.add(`${path}: its entity tag ${etag} is not of its bytes`)
  }

  /** Pages of three keys: in order, each once, with every object that was there throughout, and none that was not. */
  async #list(path: string): Promise<void> {
    const { acks, findings } = this.#parts
    const bucket = bucketOf(path)
    const watched = acks.paths.filter(each => each.startsWith(`${bucket}/`)).map(each => ({ each, stop: acks.observe(each) }))
    const keys: string[] = []
    try {
      for (let token: string | undefined, more = true; more;) {
        const { xml = '' } = await this.#ask('GET', bucket,
          { query: { 'list-type': '2', 'max-keys': '3', ...token !== undefined && { 'continuation-token': token } } })
        keys.push(...[...xml.matchAll(/<Key>(.*?)<\/Key>/g)].map(match => match[1]!))
        token = /<NextContinuationToken>(.*?)</.exec(xml)?.[1]
        more = token !== undefined
      }
    } catch (error) {
      const name = s3NameOf(error)
      for (const { stop } of watched) stop()
      if (!isOneOf(notNow, name) && !acks.restored && acks.certain(bucket)?.kind === 'directory')
        findings.add(`${bucket}: listing failed with ${name}: ${(error as Error).message}`)
      return
    }
    const listed = new Set(keys.map(key => pathOf(`${bucket}/${key}`)))
    for (const [i, key] of keys.entries())
      if (i > 0 && compareKeys(keys[i - 1]!, key) >= 0) findings.add(`${bucket}: ${key} is listed behind ${keys[i - 1]}`)
    for (const { each, stop } of watched) {
      const states = stop()
      if (states.every(state => state.kind === 'file') && !listed.has(each))
        findings.add(`${each}: acknowledged, and not in the list of its bucket`)
      if (states.every(state => state.kind === 'absent') && listed.has(each))
        findings.add(`${each}: in the list of its bucket, and not there`)
    }
  }
}

const bucketOf = (path: string): string => `/${path.split('/')[1]}`

/** Path in the cluster of a bucket and key, under which the model knows the object. */
const pathOf = (path: string): string => `${bucketOf(path)}/${namesOfKey(path.slice(bucketOf(path).length + 1)).join('/')}`
