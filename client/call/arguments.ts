// Validates arguments of the public API: paths, options, signals, encodings, modes, times, names. Throws EINVAL with the argument's name,
// before any call is sent. Accepts the forms that node:fs/promises documents; a form that cannot mean the same here is refused.
// Invariant: an option that a function does not know is refused, never ignored.

import { fileURLToPath } from 'node:url'
import { isUrl, notPath } from '../../src/base/url.ts'
import { GristmillError } from '../../src/base/errors.ts'
import { endsAsDirectory, normalise } from '../../src/base/paths.ts'

/** A path in the cluster: a string, or its UTF-8 bytes. */
export type Path = string | Uint8Array

/**
 * Option names of a function; a `Record`, so that the compiler reports a missing one. `true`: the function reads the option
 * itself.
 */
export type Known<T> = Readonly<Record<keyof Required<T>, true>>

export interface CallOptions {
  /** Aborts the call. A mutation that was already sent may still happen. */
  readonly signal?: AbortSignal | undefined
}

const invalid = (message: string, cause?: unknown): GristmillError =>
  new GristmillError('EINVAL', message, cause === undefined ? {} : { cause })

/** A value for a message: its type, and the value itself if it is short. */
export function shown(value: unknown): string {
  if (value === null || value === undefined || typeof value === 'boolean') return String(value)
  if (typeof value === 'string') return value.length <= 60 ? JSON.stringify(value) : `${JSON.stringify(value.slice(0, 60))}…`
  if (typeof value === 'number' || typeof value === 'bigint') return `${typeof value} ${value}`
  if (Array.isArray(value)) return 'an array'
  return typeof value === 'object' ? 'an object' : `a ${typeof value}`
}

/**
 * Copies the options into a plain object and reads each once. `fixed`: options of node:fs that have one possible value here.
 * Throws EINVAL for unknown options.
 */
export function optionsOf<T extends object>(
  given: T | null | undefined, call: string, known: Known<T>, fixed: Readonly<Record<string, unknown>> = {},
): Partial<T> {
  if (given === undefined || given === null) return {}
  if (typeof given !== 'object' || Array.isArray(given) || ArrayBuffer.isView(given)) {
    throw invalid(`the options of ${call} are an object, not ${shown(given)}`)
  }
  const options: Record<string, unknown> = {}
  try {
    const named = given as Readonly<Record<string, unknown>>
    // Known options may be inherited, as with destructuring; unknown ones are looked for among own properties only.
    for (const name of new Set([...Object.keys(known), ...Object.keys(given)])) {
      const value = named[name]
      if (value !== undefined) options[name] = value
    }
  } catch (error) {
    throw invalid(`the options of ${call} cannot be read: ${error instanceof Error ? error.message : shown(error)}`, error)
  }
  for (const [name, value] of Object.entries(options)) {
    if (Object.hasOwn(known, name)) continue
    if (!Object.hasOwn(fixed, name)) throw invalid(`${call} has no option ${shown(name)}; it has ${Object.keys(known).join(', ')}`)
    if (value !== fixed[name]) throw invalid(`${call} takes no ${name} other than ${shown(fixed[name])}, not ${shown(value)}`)
    delete options[name]
  }
  if ('signal' in options) options['signal'] = signalOf(options['signal'])
  return options as Partial<T>
}

/** Like `optionsOf`; a string is short for `{ encoding }`. `check` validates the encoding (default: an encoding of Buffer). */
export function encodedOptionsOf<T extends { readonly encoding?: unknown }>(
  given: T | string | null | undefined, call: string, known: Known<T>, fixed: Readonly<Record<string, unknown>> = {},
  check: (encoding: unknown) => unknown = encodingOf,
): Partial<T> {
  const options = typeof given === 'string' ? ({ encoding: given } as unknown as Partial<T>) : optionsOf(given, call, known, fixed)
  const { encoding } = options as { encoding?: unknown }
  if (encoding !== undefined && encoding !== null) check(encoding)
  return options
}

export function encodingOf(value: unknown): BufferEncoding {
  if (typeof value === 'string' && Buffer.isEncoding(value)) return value
  throw invalid(`the encoding is ${shown(value)}; it must be one that Buffer knows, for instance "utf8", or null for bytes`)
}

/** Returns an AbortSignal; a signal of another realm or implementation is forwarded through a new one. */
function signalOf(value: unknown): AbortSignal {
  if (value instanceof AbortSignal) return value
  const other = value as AbortSignal
  if (!looksLikeSignal(value)) throw invalid(`the signal is ${shown(value)}; it must be an AbortSignal`)
  const following = new AbortController()
  if (other.aborted) following.abort(other.reason)
  else other.addEventListener('abort', () => following.abort(other.reason), { once: true })
  return following.signal
}

/**
 * Result of `read` on an argument whose reading runs code of the caller (getters, proxies, `toJSON`). Throws EINVAL if that code
 * throws.
 */
export function readable<T>(name: string, read: () => T): T {
  try {
    return read()
  } catch (error) {
    if (error instanceof GristmillError) throw error
    throw invalid(`the ${name} cannot be read: ${error instanceof Error ? error.message : shown(error)}`, error)
  }
}

function looksLikeSignal(value: unknown): boolean {
  try {
    return (
      typeof value === 'object'
      && value !== null
      && 'aborted' in value
      && typeof value.aborted === 'boolean'
      && 'addEventListener' in value
      && typeof value.addEventListener === 'function'
    )
  } catch {
    return false
  }
}

/** Reads the options of a call whose only option is `signal`. */
export const callOptions =
  (call: string, options: CallOptions | null | undefined, fixed?: Readonly<Record<string, unknown>>) => (): CallOptions =>
    optionsOf<CallOptions>(options, call, { signal: true }, fixed)

/** Accepts a bare AbortSignal or options; for functions whose first version took only a signal. */
export function signalOption(given: AbortSignal | CallOptions | null | undefined, call: string): AbortSignal | undefined {
  if (given instanceof AbortSignal) return given
  return callOptions(call, given)().signal
}

const utf8 = new TextDecoder('utf-8', { fatal: true, ignoreBOM: true })

/** Normal form of a path in the cluster. An empty path is ENOENT, as in POSIX, and not the root. */
export function pathOf(value: unknown, name = 'path'): string {
  const path = textOfPath(value, name)
  if (path === '') throw new GristmillError('ENOENT', `the ${name} is empty; the root of the cluster is "/"`, { details: { path } })
  if (path.includes('\0')) throw invalid(`the ${name} ${shown(path)} has a NUL in it`)
  // Encoded as UTF-8, every lone surrogate becomes U+FFFD, so that different names would collide on disk.
  if (!path.isWellFormed())
    throw invalid(`the ${name} ${shown(path)} is not well-formed Unicode: it has half of a surrogate pair, which UTF-8 cannot hold`)
  return normalise(path)
}

export const namesDirectory = (value: unknown): boolean => endsAsDirectory(textOfPath(value, 'path'))

/** Throws ENOTDIR if the caller's path names a directory and the status is that of a file. */
export function checkNamed(given: unknown, { path, type }: { readonly path: string; readonly type: string }): void {
  if (type !== 'directory' && namesDirectory(given))
    throw new GristmillError('ENOTDIR', `"${path}" is a file, and a path that ends with a slash names a directory`, { details: { path } })
}

/** Normal form of a path to write a file at. Throws EISDIR for a path that ends with a slash. */
export function filePathOf(value: unknown): string {
  const path = pathOf(value)
  if (namesDirectory(value)) throw slashed(path)
  return path
}

/** `path`: without the trailing slash. */
export const slashed = (path: string, where: '' | 'local ' = ''): GristmillError =>
  new GristmillError('EISDIR', `a ${where}path that ends with a slash names a directory; a file can be written at "${path}"`, {
    details: { path },
  })

function textOfPath(value: unknown, name: string): string {
  if (typeof value === 'string') return value
  if (value instanceof Uint8Array) {
    try {
      return utf8.decode(value)
    } catch (error) {
      throw invalid(`the ${name} is not UTF-8, which names in the cluster are`, error)
    }
  }
  if (value instanceof URL)
    throw invalid(
      `the ${name} is the URL ${value.href.slice(0, 200)}; a path in the cluster is a string, for instance decodeURIComponent(url.pathname)`,
    )
  throw invalid(`a path is a string or its bytes, and the ${name} is ${shown(value)}`)
}

/** A path on this machine: a string or a `file:` URL. */
export function localPathOf(value: unknown, name = 'local path'): string {
  let path = value
  if (value instanceof URL) {
    try {
      path = fileURLToPath(value)
    } catch (error) {
      throw invalid(`the ${name} ${shown(value.href)} is no file of this machine`, error)
    }
  }
  if (typeof path !== 'string') throw invalid(`the ${name} is a string or a file: URL, not ${shown(value)}`)
  if (path === '') throw new GristmillError('ENOENT', `the ${name} is empty`, { details: { path } })
  if (path.includes('\0')) throw invalid(`the ${name} ${shown(path)} has a NUL in it`)
  if (isUrl(path)) throw notPath(path, 'local')
  return path
}

/** A name or other short text, with at most `max` characters. */
export function textOf(value: unknown, name: string, { max = 255 }: { readonly max?: number } = {}): string {
  if (typeof value !== 'string') throw invalid(`the ${name} is a string, not ${shown(value)}`)
  if (value === '') throw invalid(`the ${name} is an empty string`)
  if (value.length > max) throw invalid(`the ${name} has ${value.length} characters; it may have ${max}`)
  return value
}

/** Checks an optional boolean. */
function flagOf(value: unknown, name: string): void {
  if (value !== undefined && typeof value !== 'boolean') throw invalid(`"${name}" is true or false, not ${shown(value)}`)
}

export function flagsOf(options: object, ...names: readonly string[]): void {
  for (const name of names) flagOf((options as Record<string, unknown>)[name], name)
}

export function callbackOf(value: unknown, name: string): void {
  if (value !== undefined && typeof value !== 'function') throw invalid(`"${name}" is a function, not ${shown(value)}`)
}

/** File type bits, as in `stats.mode`; ignored here, since changing a mode does not change the type. */
const typeBits = 0o170000
/** Permissions and the sticky bit; programs do not run here, so there are no set-user-ID bits. */
const modeMax = 0o1777

/** Permission bits: a number, or octal digits as node:fs takes them (`'640'`). */
export function modeOf(value: unknown, name = 'mode'): number {
  const bits =
    typeof value === 'number' ? value : typeof value === 'string' && /^[0-7]+$/.test(value) ? Number.parseInt(value, 8) : Number.NaN
  if (!Number.isInteger(bits) || bits < 0 || bits > 2 ** 32 - 1)
    throw invalid(`the ${name} is ${shown(value)}; it must be a whole number from 0o0 to 0o1777, or a string of octal digits like "640"`)
  const mode = bits - (bits & typeBits)
  if (mode > modeMax)
    throw invalid(
      `the ${name} 0o${bits.toString(8)} has bits other than permissions and the sticky bit (0o1777), which files of the cluster do not have`,
    )
  return mode
}

/** 8640000000000000 is the last millisecond of a Date. */
const instantMax = 8.64e15

/** A time as node:fs takes it (seconds as a number or in a string, or a Date), in whole milliseconds. */
export function timeOf(value: unknown, name: string): number {
  const ms = value instanceof Date ? value.getTime()
    : typeof value === 'number' ? value * 1000
    : typeof value === 'string' && value.trim() !== '' ? Number(value) * 1000
    : Number.NaN
  if (!(Math.abs(ms) <= instantMax))
    throw invalid(
      `the ${name} is ${value instanceof Date ? `the Date ${String(value)}` : shown(value)}; it must be a Date or a number of seconds since 1970`,
    )
  return Math.round(ms)
}

/** A time in milliseconds since 1970. */
export function instantOf(value: unknown, name: string): number {
  if (typeof value !== 'number' || !(Math.abs(value) <= instantMax))
    throw invalid(`the ${name} is ${shown(value)}; it must be a number of milliseconds since 1970`)
  return Math.round(value)
}
