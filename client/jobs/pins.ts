// Pins of a job's inputs: for each path or pattern named as input a digest of the files that it leads to, and the versions of outputs among
// them. Kept with the version that the job publishes, they say later what it was computed from, and whether that has changed.

import { createHash, type Hash } from 'node:crypto'
import { hasCode } from '../../src/base/errors.ts'
import { limits } from '../../src/base/limits.ts'
import { parentOf } from '../../src/base/paths.ts'
import type { InputPin, Origin } from '../../src/protocol/job.ts'
import { stat, type FileStatus } from '../../src/protocol/namespace.ts'
import type { CallMessage } from '../call/cluster.ts'
import { copiedFrom } from '../files/outsidecopy.ts'
import { outputNamed } from '../files/versions.ts'
import { findInputs } from './inputs.ts'

/** Files that are listed, over all pins, and directories in which outputs are looked for. */
const listedMax = 200
const directoriesMax = 100
/** Pin of all inputs beyond those that are pinned one by one. */
export const everything = '*'

interface Found {
  readonly hash: Hash
  readonly list: FileStatus[]
  readonly directories: Set<string>
  files: number
  bytes: number
}

export class PinCollector {
  readonly #found = new Map<string, Found>()
  #listed = 0

  /** An input that may have no files. */
  begin(named: string): Found {
    const name = this.#found.has(named) || this.#found.size < limits.inputPinsMax - 1 ? named : everything
    let found = this.#found.get(name)
    if (!found) this.#found.set(name, found = { hash: createHash('sha256'), list: [], directories: new Set(), files: 0, bytes: 0 })
    return found
  }

  /** Called for each file of each named input, in the order in which they are found. */
  note(named: string, file: FileStatus): void {
    const found = this.begin(named)
    found.hash.update(`${file.id} ${file.length} ${file.mtimeMs} ${file.path}\n`)
    found.files++
    found.bytes += file.length
    if (found.directories.size < directoriesMax) found.directories.add(parentOf(file.path))
    if (found.list.length > listedMax) return
    found.list.push(file)
    this.#listed++
  }

  /** Digest of the files noted for a named input; undefined if there are none. */
  digestOf(named: string): string | undefined { return this.#found.get(named)?.hash.copy().digest('hex') }

  async pins(ask: CallMessage, signal: AbortSignal | undefined): Promise<InputPin[]> {
    const pins: InputPin[] = []
    for (const [path, { hash, list, directories, files, bytes }] of [...this.#found].sort(([a], [b]) => (a < b ? -1 : 1))) {
      const outputs = []
      for (const directory of directories) {
        const output = await outputAt(ask, directory, signal)
        if (output) outputs.push(output)
      }
      const outside = await copiedFrom(ask, path, signal)
      pins.push({
        path, files, bytes, digest: hash.digest('hex'), ...outputs.length > 0 && { outputs }, ...outside !== undefined && { outside },
        ...this.#listed <= listedMax && { list: list.map(({ path: at, id, length, mtimeMs }) => ({ path: at, id, length, mtimeMs })) },
      })
    }
    return pins
  }
}

/** Pins of paths as they are now. Throws ENOENT for one that does not exist. */
export async function pinsNow(ask: CallMessage, paths: readonly string[], signal: AbortSignal | undefined): Promise<InputPin[]> {
  const collector = new PinCollector()
  for (const path of paths) collector.begin(path)
  if (paths.length > 0) await findInputs(ask, paths, { signal, onFound: (path, file) => collector.note(path, file) })
  return collector.pins(ask, signal)
}

/** The output of a job at a path, with the number of its version. */
async function outputAt(
  ask: CallMessage, path: string, signal: AbortSignal | undefined,
): Promise<NonNullable<InputPin['outputs']>[number] | undefined> {
  try {
    const { id, version } = await ask(stat, { path }, signal)
    if (version === undefined) return undefined
    const { output } = path.includes('@') ? await outputNamed(ask, path, signal) : { output: path }
    return { path: output, id, version }
  } catch (error) {
    if (hasCode(error, 'ENOENT', 'ENOTDIR', 'EACCES')) return undefined
    throw error
  }
}

/**
 * Origin of a job. Two jobs have one key if they compute the same: program, parameters, options and pins. A job with environment variables,
 * which are not kept, has a key that no other job has.
 */
export function originOf(
  { program, params, fingerprint, format, options, unique, run, needs }: {
    readonly program: string
    readonly params: Readonly<Record<string, unknown>>
    readonly fingerprint: string
    readonly format: string
    readonly options: Origin['options']
    /** A random text for a job whose result depends on more than these, else empty. */
    readonly unique: string
    readonly run?: Origin['run']
    readonly needs?: Origin['needs']
  },
  pins: InputPin[],
): Origin {
  const parts = [program, sorted(params), fingerprint, format, sorted(options), pins.map(({ path, digest }) => [path, digest]), unique]
  const origin = {
    key: createHash('sha256').update(JSON.stringify(parts)).digest('hex'), pins, options, ...run && { run },
    ...needs && { needs },
  }
  if (isShort(origin)) return origin
  const bare = {
    ...origin, pins: pins.map(withoutList), ...run && { run: { ...run, ...run.others && { others: run.others.map(withoutList) } } },
    ...needs && { needs: needs.map(withoutList) },
  }
  if (isShort(bare)) return bare
  // What other steps have read is recorded with their outputs, too.
  const { needs: _, ...own } = { ...bare, ...run && { run: { id: run.id, step: run.step, nowMs: run.nowMs } } }
  return isShort(own) ? own : { ...own, pins: [] }
}

const isShort = ({ pins, ...rest }: Origin): boolean =>
  pins.length <= limits.inputPinsMax && (rest.needs?.length ?? 0) <= limits.inputPinsMax
  && (rest.run?.others?.length ?? 0) <= limits.inputPinsMax
  && JSON.stringify({ pins, ...rest }).length <= limits.originCharsMax

const withoutList = ({ list: _, ...pin }: InputPin): InputPin => pin

const sorted = (object: Readonly<Record<string, unknown>>): Array<[string, unknown]> =>
  Object.entries(object).sort(([a], [b]) => (a < b ? -1 : 1))
