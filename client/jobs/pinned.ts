// Path at which the files of a pin can be read again. INVARIANT: a path is returned only if the files that it leads to now have the digest
// of the pin: the same inodes, lengths and times under the same names. Version numbers and names only say where to look, because an output
// may have been renamed, its files changed, or its version hidden by a directory whose name contains the `@`.

import { hasCode } from '../../src/base/errors.ts'
import { isWithin } from '../../src/base/paths.ts'
import type { InputPin } from '../../src/protocol/job.ts'
import { stat } from '../../src/protocol/namespace.ts'
import type { Version } from '../../src/protocol/version.ts'
import type { CallMessage } from '../call/cluster.ts'
import { versionsOfDirectory } from '../files/versions.ts'
import { findInputs } from './inputs.ts'
import { PinCollector } from './pins.ts'
import { changeOf } from './why.ts'

/** `digest`: that of a pin of this path. */
type Pinned = { readonly path: string; readonly digest: string } | { readonly path?: undefined; readonly change: string }

/** `change`: why the files cannot be read as they were. */
export async function pinnedPath(ask: CallMessage, pin: InputPin, signal: AbortSignal | undefined): Promise<Pinned> {
  const change = await changeOf(ask, pin, signal)
  if (!change) return { path: pin.path, digest: pin.digest }
  const [output, ...others] = pin.outputs ?? []
  const below = output && others.length === 0 ? belowOutput(pin.path, output.path) : undefined
  if (!output || below === undefined) return { change: change.message }
  const found = await versionsOfDirectory(ask, output, signal)
  if (!found) return { change: `${change.message}, and version ${output.version} of ${output.path} is not kept any more` }
  let hidden = ''
  for (const version of found.versions.toSorted((a, b) => rank(b, output.version) - rank(a, output.version))) {
    const base = `${found.path}@${version.number}`
    if (await isHidden(ask, base, version, signal)) hidden ||= `; ${base} is an entry of that name, which hides the version: rename it`
    const digest = await digestAt(ask, pin, { base, below }, signal)
    if (digest !== undefined) return { path: `${base}${below}`, digest }
  }
  return { change: `${change.message}${hidden}` }
}

/** The number that was read comes first. After a rollback the directory has others, under which its files may be the same. */
const rank = ({ number }: Version, read: number): number => (number === read ? Infinity : number)

/** Rest of an input's path, which may be a pattern, below its output or a version of it; undefined if it is elsewhere. */
function belowOutput(path: string, output: string): string | undefined {
  if (isWithin(path, output)) return path.slice(output.length)
  if (!path.startsWith(`${output}@`)) return undefined
  const end = path.indexOf('/', output.length)
  return end < 0 ? '' : path.slice(end)
}

async function isHidden(ask: CallMessage, path: string, { id, number }: Version, signal: AbortSignal | undefined): Promise<boolean> {
  try {
    const status = await ask(stat, { path }, signal)
    return status.id !== id || status.version !== number
  } catch (error) {
    if (hasCode(error, 'ENOENT', 'ENOTDIR', 'EACCES')) return false
    throw error
  }
}

/** Digest of the files at `base` and `below`; undefined if they are others than those of the pin, whose paths begin otherwise. */
async function digestAt(
  ask: CallMessage, pin: InputPin, { base, below }: { readonly base: string; readonly below: string }, signal: AbortSignal | undefined,
): Promise<string | undefined> {
  const path = `${base}${below}`
  const was = pin.path.slice(0, pin.path.length - below.length)
  const collector = new PinCollector()
  collector.begin(path)
  collector.begin(pin.path)
  try {
    await findInputs(ask, [path], {
      signal,
      onFound: (_, file) => {
        collector.note(path, file)
        collector.note(pin.path, { ...file, path: `${was}${file.path.slice(base.length)}` })
      },
    })
  } catch (error) {
    if (!hasCode(error, 'ENOENT', 'ENOTDIR', 'EACCES')) throw error
    return undefined
  }
  return collector.digestOf(pin.path) === pin.digest ? collector.digestOf(path) : undefined
}
