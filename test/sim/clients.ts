// Clients of a run: each performs its part of the plan, one call after the other, over its own connection, and updates the model. Each
// reply is compared with the model at once: a wrong byte, a missing name or a wrong error is a finding.

import { parentOf } from '../../src/base/paths.ts'
import { absent, keyOf, type State } from './acks.ts'
import { BuildModel, Builds, isBuilt } from './builds.ts'
import { Care } from './care.ts'
import { Drives } from './drives.ts'
import { Edits } from './edits.ts'
import { change, codeOf, isOneOf, notNow, type ClientParts, type Refusal } from './change.ts'
import { bytesOf } from './content.ts'
import { Jobs } from './jobs.ts'
import { ObjectCounts } from './objectcounts.ts'
import { Objects } from './objects.ts'
import type { Action, Content, Op } from './plan.ts'
import { Schedules } from './schedules.ts'
import { Versions, type VersionsKnown } from './versions.ts'

export interface ClientsOptions extends Omit<ClientParts, 'mill'> {
  readonly ops: readonly Op[]
  /** Action that each client is waiting for. */
  readonly waiting: Map<number, Action>
  readonly known: VersionsKnown
}

export async function runClients({ cluster, acks, findings, ops, waiting, healed, known }: ClientsOptions): Promise<number> {
  const numbers = [...new Set(ops.map(op => op.client))].sort((a, b) => a - b)
  const counts = new ObjectCounts()
  const model = new BuildModel()
  let done = 0
  await Promise.all(numbers.map(async number => {
    const mill = await cluster.connect({ hostName: `client${number}` })
    const client = new Client({ cluster, mill, acks, findings, healed, counts, model, known })
    for (const { client: owner, pauseMs, action } of ops) {
      if (owner !== number) continue
      if (pauseMs > 0) await cluster.advance(pauseMs)
      waiting.set(number, action)
      await client.act(action)
      waiting.delete(number)
      done++
    }
  }))
  // A restored namenode has forgotten conditions that were met.
  if (!acks.restored) counts.check(findings.add)
  return done
}

interface Parts extends ClientParts, Pick<ClientsOptions, 'known'> {
  readonly counts: ObjectCounts
  readonly model: BuildModel
}

class Client {
  readonly #parts: Parts
  readonly #builds: Builds
  readonly #care: Care
  readonly #jobs: Jobs
  readonly #objects: Objects
  readonly #drives: Drives
  readonly #edits: Edits
  readonly #schedules: Schedules
  readonly #versions: Versions
  constructor(parts: Parts) {
    this.#parts = parts
    this.#builds = new Builds(parts)
    this.#care = new Care(parts)
    this.#jobs = new Jobs(parts)
    this.#objects = new Objects(parts)
    this.#drives = new Drives(parts)
    this.#edits = new Edits(parts)
    this.#schedules = new Schedules(parts)
    this.#versions = new Versions(parts)
  }

  async act(action: Action): Promise<void> {
    switch (action.kind) {
      case 'put': return this.#put(action.path, action.content, action)
      case 'puts': return this.#puts(action.path, action.contents)
      case 'get': return this.#get(action.path)
      case 'list': return this.#list(action.path)
      case 'mkdir': return this.#mkdir(action.path)
      case 'remove': return this.#change(new Map([[action.path, absent]]), () => this.#parts.mill.rm(action.path), ['ENOENT'])
      case 'rename': return this.#rename(action.path, action.to)
      case 'setrep': return this.#setrep(action.path, action.replication)
      case 'build': case 'schedule': return this.#builds.act(action)
      case 'rollback': return isBuilt(action.path) ? this.#builds.act(action) : this.#jobs.act(action)
      case 'job': case 'elsewhere': return this.#jobs.act(action)
      case 'object': return void await this.#objects.act(action)
      case 'drive': case 'endDrivers': return this.#drives.act(action)
      case 'follow': return this.#schedules.act(action)
      case 'edit': return this.#edits.act(action)
      case 'version': return this.#versions.act(action)
      default: return this.#care.act(action)
    }
  }

  async #put(path: string, content: Content, { replication, overwrite }: { replication: number; overwrite: boolean }): Promise<void> {
    const { mill } = this.#parts
    await this.#change(
      new Map([[path, { kind: 'file', content }]]),
      () => mill.writeFile(path, bytesOf(content), { replication, overwrite }),
      ['EEXIST', 'ENOENT'],
    )
  }

  async #puts(directory: string, contents: readonly Content[]): Promise<void> {
    await Promise.all(contents.map((content, i) => this.#put(`${directory}/f${i}`, content, { replication: 2, overwrite: true })))
  }

  async #rename(path: string, to: string): Promise<void> {
    const { acks, mill } = this.#parts
    const state = acks.certain(path)
    // With several possible states, the moved content would be unknown.
    if (state?.kind !== 'file' || acks.certain(to)?.kind !== 'absent') return
    await this.#change(new Map<string, State>([[path, absent], [to, state]]), () => mill.rename(path, to), [])
  }

  async #setrep(path: string, replication: number): Promise<void> {
    const { acks, mill } = this.#parts
    if (acks.certain(path)?.kind === 'file') await this.#change(new Map(), () => mill.setReplication(path, replication), [])
  }

  async #mkdir(path: string): Promise<void> {
    const { acks, mill } = this.#parts
    // Directories are never removed: once one certainly exists, a refused second call changes nothing.
    if (acks.certain(path)?.kind === 'directory') return
    // It makes those above too, which an earlier call may have been refused.
    const made = [path]
    for (let above = parentOf(path); above !== '/'; above = parentOf(above)) {
      if (acks.certain(above)?.kind !== 'directory') made.unshift(above)
    }
    await this.#change(new Map(made.map(each => [each, { kind: 'directory' }])), () => mill.mkdir(path, { recursive: true }), [])
  }

  async #change(changes: ReadonlyMap<string, State>, call: () => Promise<void>, may: readonly Refusal[]): Promise<void> {
    const { acks, findings } = this.#parts
    await change({ acks, findings, changes, call, may })
  }

  async #get(path: string): Promise<void> {
    const { acks, mill, findings } = this.#parts
    const stop = acks.observe(path)
    let found: Buffer | undefined
    try {
      found = await mill.readFile(path)
    } catch (error) {
      const code = codeOf(error)
      if (code !== 'ENOENT') {
        if (!isOneOf(notNow, code)) findings.add(`${path}: reading failed with ${code}: ${(error as Error).message}`)
        return
      }
    }
    const states = stop()
    const state = found ? identify(found, states) : absent
    if (typeof state === 'string') findings.add(`${path}: ${state}`)
    else if (found && found.length > 3) await this.#range(path, found)
    if (typeof state === 'string') return
    if (!states.some(each => keyOf(each) === keyOf(state)))
      findings.add(`${path}: is ${keyOf(state)} and can only be ${states.map(keyOf).join(' or ')}`)
  }

  /** Reads a part of a file that has just been read whole; skipped if the file was replaced since. */
  async #range(path: string, whole: Buffer): Promise<void> {
    const { acks, mill, findings } = this.#parts
    const stop = acks.observe(path)
    const [start, end] = [Math.floor(whole.length / 3), Math.floor(whole.length / 2)]
    const pieces: Buffer[] = []
    try {
      for await (const piece of mill.createReadStream(path, { start, end })) pieces.push(piece as Buffer)
    } catch (error) {
      if (!isOneOf([...notNow, 'ENOENT', 'ESTALE'], codeOf(error)))
        findings.add(`${path}: reading a part failed with ${codeOf(error)}: ${(error as Error).message}`)
      return
    }
    const states = stop()
    const [only] = states
    if (states.length !== 1 || only?.kind !== 'file' || !whole.equals(bytesOf(only.content))) return
    if (!Buffer.concat(pieces).equals(whole.subarray(start, end + 1)))
      findings.add(`${path}: bytes ${start} to ${end} are others when they are asked for alone (${Buffer.concat(pieces).length} came)`)
  }

  async #list(path: string): Promise<void> {
    const { acks, mill, findings } = this.#parts
    const certain = (): string[] =>
      acks.paths.filter(
        each =>
          each.startsWith(`${path}/`)
          && !each.slice(path.length + 1).includes('/')
          && ['file', 'directory'].includes(acks.certain(each)?.kind ?? ''),
      )
    const before = certain()
    try {
      const names = new Set(await mill.readdir(path))
      const after = new Set(certain())
      for (const each of before)
        if (after.has(each) && !names.has(each.slice(path.length + 1)))
          findings.add(`${each}: acknowledged, and not in the listing of ${path}`)
    } catch (error) {
      const code = codeOf(error)
      if (!isOneOf(notNow, code) && !(code === 'ENOENT' && acks.certain(path)?.kind !== 'directory'))
        findings.add(`${path}: listing failed with ${code}: ${(error as Error).message}`)
    }
  }
}

/** Returns the state that the bytes match, or a description of the difference. */
export function identify(bytes: Buffer, states: readonly State[]): State | string {
  for (const state of states) if (state.kind === 'file' && bytes.equals(bytesOf(state.content))) return state
  const lengths = states.flatMap(state => (state.kind === 'file' ? [bytesOf(state.content).length] : []))
  return `${bytes.length} bytes that nobody wrote here (lengths written: ${lengths.join(', ') || 'none'})`
}
