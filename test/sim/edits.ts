// Clients of WebHDFS in the simulation that write, append to, cut and join files: each action is the dialect's own operation on a client of
// the cluster, without HTTP. Each client has files of its own, so that the model knows what they become.
// INVARIANT: a file is the one before an operation or the one after it, and no byte is in two files or in none.

import type { Mill } from 'gristmill'
import { RemoteException } from '../../client/gateway/webhdfs/errors.ts'
import type { Answer, Call, Verb } from '../../client/gateway/webhdfs/operation.ts'
import { operationOf } from '../../client/gateway/webhdfs/operations.ts'
import type { RequestParams } from '../../client/gateway/webhdfs/params.ts'
import { absent, keyOf, type Acks, type State } from './acks.ts'
import { change, codeOf, isOneOf, notNow, type Findings } from './change.ts'
import { bytesOf, cut, joined } from './content.ts'
import type { Action, Content } from './plan.ts'

type EditAction = Extract<Action, { readonly kind: 'edit' }>

interface Parts { readonly mill: Mill; readonly acks: Acks; readonly findings: Findings }

export class Edits {
  readonly #parts: Parts
  constructor(parts: Parts) { this.#parts = parts }

  async act({ does, path, content, sources, permille }: EditAction): Promise<void> {
    const now = this.#fileAt(path)
    switch (does) {
      case 'create': return this.#create(path, content)
      case 'append':
        return now && this.#change(new Map([[path, { kind: 'file', content: joined([now, content]) }]]), () =>
          this.#ask('POST', 'APPEND', path, { body: bytesOf(content) }))
      case 'truncate': {
        if (!now) return
        const newlength = Math.floor(now.bytes * permille / 1000)
        return this.#change(new Map([[path, { kind: 'file', content: cut(now, newlength) }]]), () =>
          this.#ask('POST', 'TRUNCATE', path, { params: { newlength } }))
      }
      case 'concat': return this.#concat(path, sources)
      case 'delete': return now && this.#change(new Map([[path, absent]]), () => this.#ask('DELETE', 'DELETE', path))
      case 'open': return this.#open(path, permille)
    }
  }

  /** `CREATE` makes the directory above it too, which a restore may have lost, and keeps it if the file comes to nothing. */
  async #create(path: string, content: Content): Promise<void> {
    const { acks } = this.#parts
    const above = path.slice(0, path.lastIndexOf('/'))
    const directory: State = { kind: 'directory' }
    if (acks.certain(above)?.kind !== 'directory')
      await this.#change(new Map([[above, directory]]), () => this.#ask('PUT', 'MKDIRS', above))
    if (acks.certain(above)?.kind === 'absent') return
    await this.#change(new Map<string, State>([[above, directory], [path, { kind: 'file', content }]]), () =>
      this.#ask('PUT', 'CREATE', path, { params: { overwrite: true }, body: bytesOf(content) }))
  }

  /** Content of a file that can only have one, with its exact length. */
  #fileAt(path: string): Content | undefined {
    const state = this.#parts.acks.certain(path)
    return state?.kind === 'file' ? joined([state.content]) : undefined
  }

  /** Joins the files that the model is sure of; empty ones are refused, as by HDFS. */
  async #concat(path: string, wanted: readonly string[]): Promise<void> {
    const target = this.#fileAt(path)
    const sources = wanted.flatMap(each => {
      const content = each === path ? undefined : this.#fileAt(each)
      return content && content.bytes > 0 ? [{ path: each, content }] : []
    })
    if (!target || sources.length === 0) return
    const content = joined([target, ...sources.map(each => each.content)])
    const changes = new Map<string, State>([[path, { kind: 'file', content }], ...sources.map(each => [each.path, absent] as const)])
    await this.#change(changes, () => this.#ask('POST', 'CONCAT', path, { params: { sources: sources.map(each => each.path).join(',') } }))
  }

  async #change(changes: ReadonlyMap<string, State>, call: () => Promise<unknown>): Promise<void> {
    const { acks, findings } = this.#parts
    const work = async () => {
      try {
        await call()
      } catch (error) {
        // After a restore the file may be another one than the model believes.
        if (acks.restored && codeOf(error) === 'ESTALE') throw Object.assign(new Error('restored'), { code: 'EINVAL' })
        throw error
      }
    }
    await change({ acks, findings, changes, call: work })
  }

  /** One request, as the dialect answers it at its second step. */
  async #ask(
    verb: Verb, op: string, path: string,
    { params = {}, body = Buffer.alloc(0) }: { readonly params?: Partial<RequestParams>; readonly body?: Buffer } = {},
  ): Promise<Answer> {
    const asked: RequestParams = { 'xattr.name': [], ...params, op, data: true }
    const call: Call = {
      mill: this.#parts.mill, user: 'root', by: 'name', path, params: asked, signal: new AbortController().signal,
      async *body() { yield body }, location: () => path, origin: () => '',
    }
    return operationOf(verb, asked).answer(call)
  }

  async #bytes(path: string, params: Partial<RequestParams>): Promise<Buffer> {
    const answer = await this.#ask('GET', 'OPEN', path, { params })
    const pieces: Buffer[] = []
    if (answer.kind === 'data') for await (const piece of answer.chunks) pieces.push(Buffer.from(piece))
    return Buffer.concat(pieces)
  }

  /** Reads the file, and a part of it. */
  async #open(path: string, permille: number): Promise<void> {
    const { acks, findings } = this.#parts
    const stop = acks.observe(path)
    let found: Buffer | undefined
    let part: Buffer | undefined
    let offset = 0
    try {
      found = await this.#bytes(path, {})
      offset = Math.floor(found.length * permille / 1000)
      part = offset < found.length ? await this.#bytes(path, { offset, length: 5_000 }) : undefined
    } catch (error) {
      const code = codeOf(error)
      const isGone = code === 'ENOENT' || (error instanceof RemoteException && error.exception === 'FileNotFoundException')
      if (!isGone && !isOneOf([...notNow, 'ESTALE'], code) && !acks.restored)
        findings.add(`${path}: reading failed with ${code}: ${(error as Error).message}`)
      if (!isGone || found) return void stop()
    }
    const states = stop()
    if (found === undefined) {
      if (states.every(state => state.kind === 'file'))
        findings.add(`${path}: there is no such file, and it can only be ${states.map(keyOf).join(' or ')}`)
      return
    }
    const is = states.some(state => state.kind === 'file' && bytesOf(state.content).equals(found))
    if (!is) findings.add(`${path}: ${found.length} bytes, and it can only be ${states.map(keyOf).join(' or ').slice(0, 200)}`)
    else if (states.length === 1 && part && !part.equals(found.subarray(offset, offset + 5_000)))
      findings.add(`${path}: ${part.length} bytes from ${offset} on are others when they are asked for alone`)
  }
}
