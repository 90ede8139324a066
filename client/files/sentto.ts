// Places outside of the cluster to which an output or a file was sent, or what a job has computed from it: attributes of it, one for each
// place, by which lineage names them. An attribute tells which version was sent, because a new version of an output takes the attributes
// over.
// INVARIANT: addresses are without credentials (src/connector/place.ts).

import { createHash } from 'node:crypto'
import { asError, GristmillError, hasCode, isRefusal } from '../../src/base/errors.ts'
import type { InodeId } from '../../src/base/ids.ts'
import { parentOf } from '../../src/base/paths.ts'
import { placeName } from '../../src/connector/place.ts'
import { stat, type FileStatus } from '../../src/protocol/namespace.ts'
import { list, set } from '../../src/protocol/xattr.ts'
import type { CallMessage } from '../call/cluster.ts'
import { outputNamed } from './versions.ts'

const prefix = 'user.sent.'
const digits = 32

/** The state of a file or output: the version that was sent, if it is an output. */
interface SentState { readonly id: InodeId; readonly version?: number | undefined }

export interface Sent extends SentState {
  /** Address of the place. */
  readonly url: string
  readonly ms: number
  /** Job that has computed the rows from it, and the name of that; missing if it was sent as it is. */
  readonly job?: string | undefined
  readonly name?: string | undefined
}

interface Sender { readonly ask: CallMessage; readonly clock: { now(): number } }

/** Notes that a path was sent to a place as it is. Of a file in an output, the output is noted. */
export async function noteExport({ ask, clock }: Sender, from: FileStatus, url: string): Promise<void> {
  const above = from.type === 'file' && from.path !== '/' ? await ask(stat, { path: parentOf(from.path) }) : undefined
  const { path, id, version } = above?.version === undefined ? from : above
  const at = version !== undefined && path.includes('@') ? (await outputNamed(ask, path, undefined)).output : path
  await note(ask, at, { url: placeName(url).shown, id, version, ms: Math.floor(clock.now()) })
}

/** Notes that what a job has computed from a version of an output was sent to a place. */
export async function noteComputed(
  { ask, clock }: Sender, { path, ...from }: SentState & { readonly path: string },
  { url, ...by }: Required<Pick<Sent, 'url' | 'job'>> & Pick<Sent, 'name'>,
): Promise<void> {
  await note(ask, path, { url: placeName(url).shown, ...from, ...by, ms: Math.floor(clock.now()) })
}

/**
 * Notes what has arrived at a place. A failure is none of the sending: its caller would repeat that, and some places would have the rows
 * twice. Resolves to a line that says so.
 */
export async function noteArrived(url: string, note: () => Promise<void>): Promise<string | undefined> {
  try {
    await note()
    return undefined
  } catch (error) {
    return `${placeName(url).shown} has all rows, but lineage does not name it: ${asError(error).message}`
  }
}

/** A caller who may not change the path, or that has no room for an attribute, has sent it all the same: then nothing is noted. */
async function note(ask: CallMessage, path: string, sent: Sent): Promise<void> {
  const name = prefix + createHash('sha256').update(sent.url).digest('hex').slice(0, digits)
  try {
    await ask(set, { path, name, value: Buffer.from(JSON.stringify(sent)).toString('base64') })
  } catch (error) {
    if (!isRefusal(error)) throw error
  }
}

/** Places to which this state of a file or output was sent, by the attributes of these paths. */
export async function sentFrom(
  ask: CallMessage, paths: readonly string[], state: SentState, signal: AbortSignal | undefined,
): Promise<Sent[]> {
  const found = new Map<string, Sent>()
  for (const path of paths)
    for (const sent of await sentAt(ask, path, signal))
      if (sent.id === state.id && sent.version === state.version) found.set(sent.url, sent)
  return [...found.values()].sort((a, b) => (a.url < b.url ? -1 : 1))
}

async function sentAt(ask: CallMessage, path: string, signal: AbortSignal | undefined): Promise<Sent[]> {
  try {
    const { attributes } = await ask(list, { path }, signal)
    return attributes.flatMap(({ name, value }) => (name.startsWith(prefix) ? readSent(value) : []))
  } catch (error) {
    if (hasCode(error, 'ENOENT', 'ENOTDIR', 'EACCES', 'EINVAL')) return []
    throw error
  }
}

/** A user may have set an attribute of such a name. */
function readSent(value: string): Sent[] {
  try {
    const { url, id, version, ms, job, name } = JSON.parse(Buffer.from(value, 'base64').toString()) as Record<string, unknown>
    const isText = (text: unknown): boolean => text === undefined || typeof text === 'string'
    if (typeof url !== 'string' || typeof id !== 'number' || typeof ms !== 'number' || !isText(job) || !isText(name)) return []
    return [{ url: placeName(url).shown, id, version, ms, job, name } as Sent]
  } catch (error) {
    if (error instanceof SyntaxError || error instanceof GristmillError || error instanceof TypeError) return []
    throw error
  }
}
