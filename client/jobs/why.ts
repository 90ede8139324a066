// Staleness of an output: compares its inputs now with those that its job has read, file by file where they were recorded; and, if they are
// given, program and parameters.

import { isDeepStrictEqual } from 'node:util'
import { hasCode } from '../../src/base/errors.ts'
import type { ProgramId } from '../../src/base/ids.ts'
import type { InputPin } from '../../src/protocol/job.ts'
import type { FileStatus } from '../../src/protocol/namespace.ts'
import * as protocol from '../../src/protocol/version.ts'
import type { Made } from '../../src/protocol/version.ts'
import type { CallMessage } from '../call/cluster.ts'
import { outputNamed } from '../files/versions.ts'
import { typedParams, type GivenParams } from '../load/params.ts'
import { findInputs } from './inputs.ts'
import { everything, PinCollector } from './pins.ts'

/** Files that a reason names. */
const namedMax = 5
/** Digits of a program's hash. */
const hashChars = 12

export interface StaleReason {
  readonly kind: 'input-changed' | 'input-missing' | 'output-changed' | 'code-changed' | 'params-changed' | 'options-changed'
    | 'needs-changed' | 'unknown'
  /** Path or pattern of the input. */
  readonly path?: string
  readonly message: string
}

export interface Staleness {
  readonly path: string
  readonly version: number
  readonly stale: boolean
  readonly reasons: readonly StaleReason[]
}

/** A run that is known as a whole: it would be given no other parameters than those to compare with. */
interface WholeRun {
  /** Undefined for a program over Datasets, whose inputs are parameters. */
  readonly input: readonly string[] | undefined
  /** Options that change the result, as they are recorded (Origin.options). */
  readonly options: Readonly<Record<string, unknown>>
  readonly params: readonly string[]
}

/** `programOf`: SHA-256 of the code to compare with, for these parameters. `given`: parameters to compare with those of the job. */
export async function whyStale(
  ask: CallMessage, asked: string,
  { programOf, given = { values: {}, texts: {} }, whole, signal }: {
    readonly programOf?: ((params: Readonly<Record<string, unknown>>) => Promise<ProgramId>) | undefined
    readonly given?: GivenParams | undefined
    readonly whole?: WholeRun | undefined
    readonly signal?: AbortSignal | undefined
  },
): Promise<Staleness> {
  const { output, version } = await outputNamed(ask, asked, signal)
  const { version: one, made, intact } = await ask(protocol.show, { path: output, ...version !== undefined && { version } }, signal)
  const reasons: StaleReason[] = []
  if (intact === false)
    reasons.push({ kind: 'output-changed', message: `files of ${asked} were changed after ${one.job ?? 'its job'} had published it` })
  const params = paramsBeside(made.params ?? {}, given)
  reasons.push(...changesOf(asked, made.params, params))
  if (whole) reasons.push(...otherThan(whole, made))
  const program = await programOf?.({ ...made.params, ...params })
  if (program !== undefined && program !== one.program) {
    const was = one.program?.slice(0, hashChars) ?? 'not recorded'
    reasons.push({ kind: 'code-changed', message: `the program is ${program.slice(0, hashChars)}, and was ${was}` })
  }
  if (!made.origin || made.origin.pins.length === 0 && (made.inputs?.length ?? 0) > 0)
    reasons.push({ kind: 'unknown', message: unknownInputs(asked) })
  for (const pin of made.origin?.pins ?? []) {
    const reason = await changeOf(ask, pin, signal)
    if (reason) reasons.push(reason)
  }
  for (const pin of made.origin?.needs ?? []) {
    const reason = await changeOf(ask, pin, signal, `${pin.path}, which it needs,`)
    if (reason) reasons.push(reason.kind === 'input-changed' ? { ...reason, kind: 'needs-changed' } : reason)
  }
  return { path: output, version: one.number, stale: reasons.some(({ kind }) => kind !== 'unknown'), reasons }
}

/** Given parameters, converted to the types of those that the job had. Throws EINVAL for a value that its type cannot hold. */
function paramsBeside(had: Readonly<Record<string, unknown>>, { values, texts }: GivenParams): Readonly<Record<string, unknown>> {
  const parts = (of: (name: string) => boolean): GivenParams => ({
    values: Object.fromEntries(Object.entries(values).filter(([name]) => of(name))),
    texts: Object.fromEntries(Object.entries(texts).filter(([name]) => of(name))),
  })
  return {
    ...typedParams(had, parts(name => Object.hasOwn(had, name)), 'the job'),
    ...typedParams(undefined, parts(name => !Object.hasOwn(had, name)), 'the job'),
  }
}

function changesOf(
  asked: string, had: Readonly<Record<string, unknown>> | undefined, params: Readonly<Record<string, unknown>>,
): StaleReason[] {
  if (!had)
    return Object.keys(params).length === 0
      ? []
      : [{ kind: 'unknown', message: `the parameters of ${asked} are not recorded: an earlier version of gristmill published it, or they were too large` }]
  return Object.entries(params).flatMap(([name, value]) => {
    if (isDeepStrictEqual(value, had[name])) return []
    const was = Object.hasOwn(had, name) ? `was ${shown(had[name])}` : 'was not set'
    return [{ kind: 'params-changed', message: `the parameter ${name} is ${shown(value)}, and ${was}` }]
  })
}

/** Differences from a whole run beside its program and the values of its parameters. */
function otherThan({ input, options, params }: WholeRun, { inputs = [], params: had = {}, origin }: Made): StaleReason[] {
  const reasons: StaleReason[] = Object.keys(had).filter(name => !params.includes(name)).map(name =>
    ({ kind: 'params-changed', message: `the parameter ${name} is not set, and was ${shown(had[name])}` }))
  const asSet = (paths: readonly string[]): string[] => [...new Set(paths)].sort()
  if (input && !isDeepStrictEqual(asSet(input), asSet(inputs)))
    reasons.push({ kind: 'options-changed', message: `the inputs are ${listed(input)}, and were ${listed(inputs)}` })
  const { ownPaths: _, isStep: _isStep, ...was } = (origin?.options ?? {}) as Readonly<Record<string, unknown>>
  for (const name of new Set([...Object.keys(options), ...Object.keys(was)]))
    if (!isDeepStrictEqual(options[name], was[name]))
      reasons.push({ kind: 'options-changed', message: `the option ${name} is ${shown(options[name])}, and was ${shown(was[name])}` })
  return reasons
}

function listed(paths: readonly string[]): string {
  const more = paths.length - namedMax
  return paths.length === 0 ? 'none' : `${paths.slice(0, namedMax).join(', ')}${more > 0 ? ` and ${more} more` : ''}`
}

const valueCharsMax = 60

function shown(value: unknown): string {
  const text = JSON.stringify(value) ?? 'not set'
  return text.length > valueCharsMax ? `${text.slice(0, valueCharsMax)}…` : text
}

const unknownInputs = (path: string): string =>
  `nothing is recorded of the inputs of ${path}: an earlier version of gristmill published it, or they were too many`

/** undefined: the input is as it was. */
export async function changeOf(
  ask: CallMessage, pin: InputPin, signal: AbortSignal | undefined, what = `the input ${pin.path}`,
): Promise<StaleReason | undefined> {
  const { path } = pin
  if (path === everything)
    return { kind: 'unknown', message: `it read too many inputs for each to be recorded; ${pin.files} files were the rest of them` }
  if (pin.outside !== undefined) {
    const message = `${pin.outside} is outside of the cluster, and no copy of what was read is kept: it may have changed`
    return { kind: 'unknown', path, message }
  }
  const collector = new PinCollector()
  const found = new Map<string, FileStatus>()
  collector.begin(path)
  try {
    await findInputs(ask, [path], { signal, onFound: (named, file) => { collector.note(named, file); found.set(file.path, file) } })
  } catch (error) {
    if (!hasCode(error, 'ENOENT', 'ENOTDIR', 'EACCES')) throw error
    return { kind: 'input-missing', path, message: `${what} cannot be read any more: ${error.message}` }
  }
  const [now] = await collector.pins(ask, signal)
  if (now?.digest === pin.digest || (!now && pin.files === 0)) return undefined
  return { kind: 'input-changed', path, message: `${what} has changed: ${describe(pin, now, found)}` }
}

function describe(pin: InputPin, now: InputPin | undefined, found: ReadonlyMap<string, FileStatus>): string {
  const versions = pin.outputs?.flatMap(({ path, id, version }) => {
    const other = now?.outputs?.find(each => each.path === path)
    if (other && other.version !== version) return [`${path} was version ${version} and is version ${other.version}`]
    return other && other.id !== id ? [`${path} is another output than the one that was read`] : []
  }) ?? []
  if (versions.length > 0) return versions.join(', ')
  if (!pin.list) return `it had ${pin.files} files of ${pin.bytes} bytes, and has ${now?.files ?? 0} of ${now?.bytes ?? 0}`
  const before = new Map(pin.list.map(file => [file.path, file]))
  const changes = [
    ...pin.list.flatMap(({ path, id, length, mtimeMs }) => {
      const file = found.get(path)
      if (!file) return [`${path} is gone`]
      if (file.id !== id) return [`${path} was replaced`]
      return file.length !== length || file.mtimeMs !== mtimeMs ? [`${path} was changed`] : []
    }),
    ...[...found.keys()].filter(path => !before.has(path)).map(path => `${path} is new`),
  ]
  const more = changes.length - namedMax
  return `${changes.slice(0, namedMax).join(', ')}${more > 0 ? ` and ${more} more` : ''}`
}
